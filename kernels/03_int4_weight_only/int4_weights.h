// SPDX-License-Identifier: Apache-2.0
/// \file
/// Int4Weights: 4-bit weights in groups along K, two codes a byte, and how FP32 weights become so.
///
/// Bottleneck   none worth naming: it runs once, when the model is loaded
/// Bytes moved  read 4·N·K, written N·⌈K/2⌉ + 3·N·⌈K/group_size⌉ (scale FP16, zero point a byte)
/// FLOPs        5·N·K: minimum, maximum, divide, round, add
/// Teaches      what is stored: 4 bits a weight are 4 + 24 / group_size with scale and zero point
/// Leaves out   weighing errors by the data (gptq, awq); the word orders of other engines (pack_int4)
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "common/formats.h"
#include "common/matrix.h"

namespace qlab {

inline constexpr int kInt4Max = 15;  // codes run from 0 to kInt4Max

/// Groups of a row of K weights; the last one is shorter when group_size does not divide K.
constexpr std::int64_t int4_groups(std::int64_t K, std::int64_t group_size) {
  return K / group_size + (K % group_size != 0 ? 1 : 0);  // no sum that could overflow
}

/// A view of quantized weights; real = scale * (code - zero_point), g = k / group_size.
struct Int4Weights {
  std::int64_t K;
  std::int64_t group_size;
  MatrixView<const std::uint8_t> qweight;     // [N, ⌈K/2⌉]  2j in bits 0-3, 2j + 1 in bits 4-7
  MatrixView<const half_t> scale;             // [N, groups] > 0
  MatrixView<const std::uint8_t> zero_point;  // [N, groups] 0 … kInt4Max

  /// Output channels.
  std::int64_t N() const { return qweight.rows(); }
  /// The code of one weight, 0 … kInt4Max.
  int code(std::int64_t n, std::int64_t k) const {
    return (qweight(n, k / 2) >> (k % 2 * 4)) & kInt4Max;
  }
};

/// Refuses a view whose parts do not fit each other.
void check_int4_weights(const char* operation, const Int4Weights& W);

/// The same, with its memory.
struct Int4Matrix {
  /// Memory for [N, K] weights; what it holds is unspecified.
  /// \throws ContractError for a group_size under 1.
  Int4Matrix(std::int64_t N, std::int64_t K, std::int64_t group_size);
  /// Its parts, for as long as this lives.
  Int4Weights view() const;
  /// Bytes stored: codes, scales and zero points.
  std::int64_t bytes() const;

  std::int64_t K, group_size;
  Matrix<std::uint8_t> qweight;
  Matrix<half_t> scale;
  Matrix<std::uint8_t> zero_point;
};

/// Rounds each group to nearest (RTN): its range, widened to hold 0, is cut into 15 steps.
///
/// Codes are computed with the scale as it is stored, in FP16. A group of zeros gets scale 1. Ties
/// round to even; 0 comes back as 0 exactly. Source: Nagel et al., "A White Paper on Neural Network
/// Quantization", 2021, section 2.2.
///
/// \param weight      [N, K], finite
/// \param group_size  ≥ 1; rows whose K it does not divide end in a shorter group
/// \throws ContractError for a group_size under 1, a value that is not finite, or a range that FP16
///         scales cannot hold; the message names the place.
Int4Matrix quantize_int4_rtn(MatrixView<const float> weight, std::int64_t group_size);

}  // namespace qlab
