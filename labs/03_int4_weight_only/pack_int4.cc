// SPDX-License-Identifier: Apache-2.0
/// \file
/// pack_int4: your turn. Replace each todo() with your code, then run `./lab check pack_int4`.
#include "03_int4_weight_only/pack_int4.h"

#include "common/matrix.h"

namespace qlab::exercise {
namespace {

// bits      31 … 28  27 … 24  …  7 … 4  3 … 0
// nibble          7        6  …      1      0     nibble i holds nibbles[order[i]]

/// Refuses a value that has no nibble.
template <class... Where>
void check_value(int value, Stored stored, const Where&... where) {
  const bool is_signed = stored == Stored::kPlusEight, minus_one = stored == Stored::kMinusOne;
  QLAB_CHECK(
      !minus_one || value != 0, where...,
      " is 0, which GPTQ v1 would have to store as -1: that fills the word, or becomes a 15 that"
      " some readers take for 16; keep zero points in 1 … 15, or write another format");
  const int low = is_signed ? -8 : minus_one ? 1 : 0, high = is_signed ? 7 : 15;
  QLAB_CHECK(value >= low && value <= high, where..., " is ", value, "; it must lie in ", low,
             " … ", high, ", all that four bits can tell apart");
}

template <class T>
void check_values(const char* operation, const char* name, MatrixView<const T> values,
                  Stored stored) {
  for (std::int64_t n = 0; n < values.rows(); ++n) {
    for (std::int64_t k = 0; k < values.cols(); ++k) {
      check_value(values(n, k), stored, operation, ": ", name, "[", n, ", ", k, "]");
    }
  }
}

/// Values are packed eight at a time along one side.
void check_side(const char* operation, const char* side, std::int64_t length) {
  QLAB_CHECK(length % 8 == 0, operation, ": ", side, " is ", length,
             ", no multiple of 8; a word holds eight, so pad the weights");
}

}  // namespace

std::uint32_t pack_word(std::span<const std::uint8_t, 8> nibbles, const NibbleOrder& order) {
  std::uint32_t word = 0;
  // TODO [pack_int4_word] Put eight nibbles into a word
  // Set `word`: bits 4i … 4i + 3, counted from the lowest, hold nibbles[order[i]].
  todo("pack_int4_word");
  return word;
}

void unpack_word(std::uint32_t word, const NibbleOrder& order, std::span<std::uint8_t, 8> nibbles) {
  // TODO [pack_int4_unpack] Take the eight out again
  // Write all of `nibbles` so that pack_word() with the same order would give `word`.
  todo("pack_int4_unpack");
}

std::uint8_t stored_nibble(int value, Stored stored) {
  check_value(value, stored, "stored_nibble: the value");
  int nibble = value;
  // TODO [pack_int4_stored] Say what a file keeps for a value
  // Set `nibble`, 0 … 15: right already for kAsItIs; one less for kMinusOne; 8 more for kPlusEight.
  todo("pack_int4_stored");
  return static_cast<std::uint8_t>(nibble);
}

namespace {

/// [N, K] nibbles → words [K/8, N] along K, or [K, N/8] along N: the side that is packed gets shorter.
void pack_words(MatrixView<const std::uint8_t> nibbles, PackedAlong along, const NibbleOrder& order,
                MatrixView<std::uint32_t> words) {
  // TODO [pack_int4_words] Find the eight that share a word
  // Write every words(r, c), r counting along K and c along N. Along K it holds eight columns of one
  // row of `nibbles`, along N eight rows of one column. pack_word() packs eight, in `order`.
  todo("pack_int4_words");
}

template <class T>
Matrix<std::uint8_t> nibbles_of(MatrixView<const T> values, Stored stored) {
  Matrix<std::uint8_t> nibbles(values.rows(), values.cols());
  for (std::int64_t n = 0; n < values.rows(); ++n) {
    for (std::int64_t k = 0; k < values.cols(); ++k) {
      nibbles(n, k) = stored_nibble(values(n, k), stored);
    }
  }
  return nibbles;
}

/// compressed-tensors keeps the words of GPTQ, transposed.
void pack_transposed(MatrixView<const std::int8_t> values, PackedAlong along,
                     MatrixView<std::uint32_t> out) {
  Matrix<std::uint32_t> words(out.cols(), out.rows());
  pack_words(nibbles_of(values, Stored::kPlusEight).view(), along, kSequentialOrder, words.view());
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t c = 0; c < out.cols(); ++c) out(r, c) = words(c, r);
  }
}

}  // namespace

void pack_gptq_qweight(MatrixView<const std::uint8_t> codes,  // [N, K]
                       MatrixView<std::uint32_t> qweight) {   // [K/8, N]
  check_side("pack_gptq_qweight", "K", codes.cols());
  check_shape("pack_gptq_qweight", "qweight", qweight, codes.cols() / 8, codes.rows());
  check_values("pack_gptq_qweight", "codes", codes, Stored::kAsItIs);
  pack_words(codes, PackedAlong::kK, kSequentialOrder, qweight);
}

void pack_gptq_qzeros(MatrixView<const std::uint8_t> zero_point,  // [N, G]
                      Stored stored,
                      MatrixView<std::uint32_t> qzeros) {  // [G, N/8]
  QLAB_CHECK(stored != Stored::kPlusEight,
             "pack_gptq_qzeros: kPlusEight is for compressed-tensors; v1 is kMinusOne, v2 kAsItIs");
  check_side("pack_gptq_qzeros", "N", zero_point.rows());
  check_shape("pack_gptq_qzeros", "qzeros", qzeros, zero_point.cols(), zero_point.rows() / 8);
  check_values("pack_gptq_qzeros", "zero_point", zero_point, stored);
  pack_words(nibbles_of(zero_point, stored).view(), PackedAlong::kN, kSequentialOrder, qzeros);
}

void pack_awq(MatrixView<const std::uint8_t> values,  // [N, K]
              MatrixView<std::uint32_t> words) {      // [K, N/8]
  check_side("pack_awq", "N", values.rows());
  check_shape("pack_awq", "words", words, values.cols(), values.rows() / 8);
  check_values("pack_awq", "values", values, Stored::kAsItIs);
  pack_words(values, PackedAlong::kN, kAwqOrder, words);
}

void pack_weight_packed(MatrixView<const std::int8_t> codes,        // [N, K]
                        MatrixView<std::uint32_t> weight_packed) {  // [N, K/8]
  check_side("pack_weight_packed", "K", codes.cols());
  check_shape("pack_weight_packed", "weight_packed", weight_packed, codes.rows(), codes.cols() / 8);
  check_values("pack_weight_packed", "codes", codes, Stored::kPlusEight);
  pack_transposed(codes, PackedAlong::kK, weight_packed);
}

void pack_weight_zero_point(MatrixView<const std::int8_t> zero_point,       // [N, G]
                            MatrixView<std::uint32_t> weight_zero_point) {  // [N/8, G]
  check_side("pack_weight_zero_point", "N", zero_point.rows());
  check_shape("pack_weight_zero_point", "weight_zero_point", weight_zero_point,
              zero_point.rows() / 8, zero_point.cols());
  check_values("pack_weight_zero_point", "zero_point", zero_point, Stored::kPlusEight);
  pack_transposed(zero_point, PackedAlong::kN, weight_zero_point);
}

}  // namespace qlab::exercise
