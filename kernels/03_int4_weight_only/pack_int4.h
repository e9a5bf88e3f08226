// SPDX-License-Identifier: Apache-2.0
/// \file
/// pack_int4: eight 4-bit codes in a 32-bit word, in the word orders of three checkpoint formats.
///
/// Bottleneck   memory, and strides: what is packed along N is read across rows; it runs once a file
/// Bytes moved  read N·K (a code a byte), written N·K/2
/// FLOPs        none: shifts and masks, two a code
/// Teaches      a layout is a map from (word, nibble) to (n, k); unsigned shifts; off-by-ones in files
/// Leaves out   AWQ's GEMV layout and Marlin's tiles; g_idx; how codes are found (rtn_group)
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "common/contract.h"

namespace qlab {

/// Nibble i of a word, bits 4i … 4i + 3, holds the order[i]-th of the eight values that share it.
using NibbleOrder = std::array<std::size_t, 8>;
inline constexpr NibbleOrder kSequentialOrder = {0, 1, 2, 3, 4, 5, 6, 7};
inline constexpr NibbleOrder kAwqOrder = {0, 2, 4, 6, 1, 3, 5, 7};

/// What a file keeps in four bits for a value.
enum class Stored {
  kAsItIs,     ///< 0 … 15: codes of GPTQ and AWQ, zero points of AWQ and of GPTQ v2
  kMinusOne,   ///< 1 … 15: zero points of GPTQ v1; 0 has no place that every reader agrees on
  kPlusEight,  ///< -8 … 7: codes and zero points of compressed-tensors
};

/// Whose neighbours share a word.
enum class PackedAlong {
  kN,  ///< eight output channels of one column (or group)
  kK,  ///< eight columns of one output channel
};

/// The exercise: these are written by the learner, and linked from labs/ or solutions/. Codes are
/// [N, K], zero points [N, G] with G groups a row. All words are written in full, nothing outside them.
/// Sources: AutoGPTQ, AutoAWQ and compressed-tensors, whose files these are.
namespace exercise {

/// \param nibbles  0 … 15 each
std::uint32_t pack_word(std::span<const std::uint8_t, 8> nibbles, const NibbleOrder& order);

/// The inverse of pack_word, for the same order.
void unpack_word(std::uint32_t word, const NibbleOrder& order, std::span<std::uint8_t, 8> nibbles);

/// \throws ContractError for a value outside the range of `stored`; for 0 with kMinusOne it says why.
std::uint8_t stored_nibble(int value, Stored stored);

/// qweight(r, n) holds the codes of n, k = 8r … 8r + 7, in sequence.
/// \param codes    [N, K] 0 … 15, K % 8 = 0
/// \param qweight  [K/8, N]
/// \throws ContractError when a shape does not fit, or naming the first value out of range; so do all.
void pack_gptq_qweight(MatrixView<const std::uint8_t> codes, MatrixView<std::uint32_t> qweight);

/// qzeros(g, c) holds the zero points of n = 8c … 8c + 7, in sequence.
/// \param zero_point  [N, G] 0 … 15, in v1 1 … 15, N % 8 = 0
/// \param stored      kMinusOne for v1, kAsItIs for v2
/// \param qzeros      [G, N/8]
void pack_gptq_qzeros(MatrixView<const std::uint8_t> zero_point, Stored stored,
                      MatrixView<std::uint32_t> qzeros);

/// AWQ's qweight and, from zero points, its qzeros: words(k, c) holds n = 8c … 8c + 7 in kAwqOrder.
/// \param values  [N, K] or [N, G] 0 … 15, N % 8 = 0
/// \param words   [K, N/8] or [G, N/8]
void pack_awq(MatrixView<const std::uint8_t> values, MatrixView<std::uint32_t> words);

/// weight_packed(n, c) holds the codes of n, k = 8c … 8c + 7, in sequence, each plus 8.
/// \param codes          [N, K] -8 … 7, K % 8 = 0
/// \param weight_packed  [N, K/8]
void pack_weight_packed(MatrixView<const std::int8_t> codes,
                        MatrixView<std::uint32_t> weight_packed);

/// weight_zero_point(r, g) holds the zero points of n = 8r … 8r + 7, in sequence, each plus 8.
/// \param zero_point         [N, G] -8 … 7, N % 8 = 0
/// \param weight_zero_point  [N/8, G]
void pack_weight_zero_point(MatrixView<const std::int8_t> zero_point,
                            MatrixView<std::uint32_t> weight_zero_point);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost pack_int4_cost(std::int64_t N, std::int64_t K) {
  return {.bytes = N * K + N * K / 2, .flops = 0};
}

/// A tensor of packed words, as a checkpoint names it.
enum class PackedTensor {
  kGptqQweight,
  kGptqQzerosV1,
  kGptqQzerosV2,
  kAwqQweight,
  kAwqQzeros,
  kWeightPacked,
  kWeightZeroPoint,
};
inline constexpr PackedTensor kPackedTensors[] = {
    PackedTensor::kGptqQweight,     PackedTensor::kGptqQzerosV1, PackedTensor::kGptqQzerosV2,
    PackedTensor::kAwqQweight,      PackedTensor::kAwqQzeros,    PackedTensor::kWeightPacked,
    PackedTensor::kWeightZeroPoint,
};

/// How a tensor lies in memory, in five words.
struct PackedLayout {
  const char* format;  ///< "GPTQ"
  const char* name;    ///< "qweight"
  bool of_groups;      ///< zero points, one a group, in place of codes, one a column
  PackedAlong along;   ///< whose neighbours share a word
  bool rows_follow_n;  ///< the words' rows count along N and their columns along K, not the reverse
  NibbleOrder order;   ///< of the eight values in a word
  Stored stored;       ///< what a nibble keeps of a value
};
/// The layout of a tensor, by its name.
const PackedLayout& packed_layout(PackedTensor tensor);

/// The place of a value: output channel n, and column k of a code or group k of a zero point.
struct PackedElement {
  std::int64_t n, k;
  friend bool operator==(const PackedElement&, const PackedElement&) = default;
};

/// Which value stands in bits 4·nibble … 4·nibble + 3 of word (word_row, word_col). The oracle.
PackedElement packed_element(PackedTensor tensor, std::int64_t word_row, std::int64_t word_col,
                             int nibble);

/// The shape of the words that hold [N, K] values; K is the number of groups for zero points.
/// \throws ContractError when the side that is packed is no multiple of 8.
struct PackedShape {
  std::int64_t rows, cols;
};
/// The shape of its words. \throws ContractError when the side that is packed is no multiple of 8.
PackedShape packed_shape(PackedTensor tensor, std::int64_t N, std::int64_t K);

/// Packs values 0 … 15 and reads them again, element by element as packed_element says: slow and plain.
/// What compressed-tensors calls code or zero point q is the value q + 8 here: its nibble, and no other
/// weight, since only their difference counts.
/// \param values  [N, K], or [N, G] for zero points; in GPTQ's v1 1 … 15
/// \param words   of packed_shape
/// \throws ContractError when a shape does not fit, or naming the first value that has no nibble (a
///         nibble of v1 that stands for the zero point 16).
void pack_int4(PackedTensor tensor, MatrixView<const std::uint8_t> values,
               MatrixView<std::uint32_t> words);
/// The inverse: words as packed_shape says, values [N, K].
void unpack_int4(PackedTensor tensor, MatrixView<const std::uint32_t> words,
                 MatrixView<std::uint8_t> values);

}  // namespace qlab
