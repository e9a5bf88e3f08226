// SPDX-License-Identifier: Apache-2.0
/// \file
/// granularity: who shares a scale (a token, a group of a row), and what that does to an integer dot.
///
/// Bottleneck   memory for the scales; for the dot the float multiply-add that ends every group
/// Bytes moved  read 4·rows·K, written 4 a scale; the dot reads 2·K + 4·K/group_size
/// FLOPs        rows·K comparisons; 2·K integer operations and 2·K/group_size FLOPs for the dot
/// Teaches      a finer grain confines outliers; only scales that are equal along K leave the sum
/// Leaves out   choosing scales by error instead of range (calibrate); moving outliers (smoothquant)
#pragma once

#include <cstdint>
#include <span>

#include "common/contract.h"

namespace qlab {

/// The most products of two INT8 codes whose sum an int32 always holds: 131071 · 128 · 128 < 2³¹.
inline constexpr std::int64_t kMostInt8Products = 131'071;

/// Groups of a row of K elements: the last one holds what is left.
constexpr std::int64_t group_count(std::int64_t K, std::int64_t group_size) {
  return K / group_size + (K % group_size == 0 ? 0 : 1);
}

/// The exercise: these are written by the learner, and linked from labs/ or solutions/. Scales are
/// int8_scale of the largest magnitude (quantize_rows.h).
namespace exercise {

/// scale[r] from the values of row r alone: one scale a token of X, or an output channel of W.
/// \param x      [rows, K] finite
/// \param scale  [rows] written in full
/// \throws ContractError when a length does not fit, or naming the first value that is not finite.
void token_scales(MatrixView<const float> x, std::span<float> scale);

/// scale(r, g) from the values of row r in columns g·group_size … (g + 1)·group_size - 1, as far as
/// there are columns. Source: Dai et al., "VS-Quant: Per-Vector Scaled Quantization for Accurate
/// Low-Precision Neural Network Inference", 2021, section 4.
/// \param x      [rows, K] finite
/// \param scale  [rows, group_count(K, group_size)] written in full, nothing outside it
/// \throws ContractError for a group_size under 1, when a shape does not fit, or naming the first
///         value that is not finite.
void group_scales(MatrixView<const float> x, std::int64_t group_size, MatrixView<float> scale);

/// Σₖ x_scale · x[k] · w_scale[k / group_size] · w[k]: products are summed as integers within a group,
/// and each group ends with one multiply-add in FP32. x_scale is equal for all k, so it is used once.
///
/// With G groups it errs by less than (G + 4) · 2⁻²⁴ · x_scale · Σ over groups |w_scale · sum|.
///
/// \param x, w     [K] codes; a group of at most kMostInt8Products
/// \param w_scale  [group_count(K, group_size)]
/// \throws ContractError for a group_size under 1, for a group that is too long, or when lengths do
///         not fit.
float group_dot(std::span<const std::int8_t> x, float x_scale, std::span<const std::int8_t> w,
                std::span<const float> w_scale, std::int64_t group_size);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost group_dot_cost(std::int64_t K, std::int64_t group_size) {
  const std::int64_t groups = group_count(K, group_size);
  return {.bytes = 2 * K + 4 * groups, .flops = 2 * K + 2 * groups};
}

/// The oracles: each element looks for its group, and each product is scaled on its own, in double.
/// A group as long as a row gives the scales of tokens. `size` becomes x_scale · Σ |w_scale · sum|.
void group_scales_ref(MatrixView<const float> x, std::int64_t group_size, MatrixView<double> scale);
/// The oracle of group_dot, in double.
double group_dot_ref(std::span<const std::int8_t> x, float x_scale, std::span<const std::int8_t> w,
                     std::span<const float> w_scale, std::int64_t group_size, double& size);

}  // namespace qlab
