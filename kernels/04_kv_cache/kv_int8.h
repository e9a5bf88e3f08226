// SPDX-License-Identifier: Apache-2.0
/// \file
/// kv_int8: tokens written to a cache in INT8, a scale for each token and head.
///
/// Bottleneck   none here: a token is written once and read by every token after it
/// Bytes moved  4·head_dim read, head_dim + 2 written, for each token and head, K or V
/// FLOPs        about 4 for each value
/// Teaches      a scale of its own is known when the token is written, and never changes
/// Leaves out   attention over what was written (attention_decode); fewer bits (kivi)
#pragma once

#include <cstdint>
#include <span>

#include "common/contract.h"
#include "common/formats.h"

namespace qlab {

/// K or V of one layer. A head is contiguous: decode streams it.
struct Int8Kv {
  MatrixView<std::int8_t> codes;  // [n_kv_heads, capacity · head_dim]
  MatrixView<half_t> scale;       // [n_kv_heads, capacity]

  /// KV heads.
  std::int64_t n_kv_heads() const { return scale.rows(); }
  /// Tokens that fit.
  std::int64_t capacity() const { return scale.cols(); }
  /// Channels of a head.
  std::int64_t head_dim() const { return codes.cols() / scale.cols(); }
};

/// From here on a scale, a 127th of the largest magnitude, rounds to FP16's infinity.
inline constexpr float kKvInt8TooLarge = 127.0F * 65520;

/// \throws ContractError when the cache has no rows or columns, codes do not fit its scales, x does not fit
///         the cache, `length` is not within it, too few tokens are free, or naming the first value of x
///         that is not finite or not under kKvInt8TooLarge.
void check_append_int8(const char* who, MatrixView<const float> x, std::int64_t length,
                       const Int8Kv& cache);

/// \throws ContractError for a head or token outside the cache, or an `out` of another length than head_dim.
void check_read_int8(const char* who, const Int8Kv& cache, std::int64_t head, std::int64_t t,
                     std::span<float> out);

/// The exercise: this is written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Writes tokens length, length + 1, … of a cache.
///
/// scale = FP16(largest |x| of the token and head / 127), 1 if they are all 0, and never less than
/// 2⁻²⁴, FP16's least. code = x / scale to the nearest integer, ties to even, division in FP32 by the
/// scale as it is stored, within -127 … 127.
/// \param x       [tokens, n_kv_heads · head_dim] finite; heads side by side
/// \param length  tokens that are in the cache already; they keep their bytes
/// \throws ContractError as check_append_int8. Nothing is written then.
void append_int8(MatrixView<const float> x, std::int64_t length, const Int8Kv& cache);

/// out[d] = scale · code of channel d of token t of one head.
/// \throws ContractError as check_read_int8.
void read_int8(const Int8Kv& cache, std::int64_t head, std::int64_t t, std::span<float> out);

}  // namespace exercise

/// The oracle of one row: each code found by trying all of them on the exact distance, in double.
/// \param codes  [x.size()]
half_t quantize_kv_int8_ref(std::span<const float> x, std::span<std::int8_t> codes);

}  // namespace qlab
