// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemv: y = W · x with 4-bit weights and one FP16 token, which is what decode does all day.
///
/// Bottleneck   reading W on a GPU or on many cores; unpacking where one core does it all
/// Bytes moved  read N·⌈K/2⌉ + 3·N·⌈K/group_size⌉ (W) + 2·K (x), written 4·N (y)
/// FLOPs        2·N·K, K for the sums of x, 4·N·⌈K/group_size⌉ for scales and zero points
/// Teaches      what a group shares leaves its sum: scale and zero point cost a group, not a weight
/// Leaves out   SIMD, threads and several tokens (w4a16_gemm)
#pragma once

#include <cstdint>
#include <span>

#include "03_int4_weight_only/int4_weights.h"
#include "common/contract.h"
#include "common/formats.h"

namespace qlab {

/// The exercise: this is written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// y[n] = Σ_g scale[n, g] · (Σₖ x[k] · code[n, k] - zero_point[n, g] · Σₖ x[k]), k in group g; all
/// sums in FP32, in any order. Inputs finite, output finite.
///
/// It is Σₖ x[k] · scale · (code - zero_point) with everything taken out of the inner sum that a
/// group shares. Σₖ x[k] of a group is the same for all rows.
///
/// \param W  [N, K] in 4 bits; K may be odd, and the last group shorter
/// \param x  [K] one token
/// \param y  [N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit.
void w4a16_gemv(const Int4Weights& W, std::span<const half_t> x, std::span<float> y);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost w4a16_gemv_cost(std::int64_t N, std::int64_t K, std::int64_t group_size) {
  const std::int64_t groups = int4_groups(K, group_size);
  return {.bytes = N * (K / 2 + K % 2) + 3 * N * groups + 2 * K + 4 * N,
          .flops = 2 * N * K + K + 4 * N * groups};
}

// The oracle is w4a16_gemm_ref with M = 1 (w4a16_gemm.h). Its abs_sum is Σ|x||w|; the tolerance
// needs A = Σ_g scale · Σₖ |x| · (code + zero_point) instead, for both parts of the difference may
// be larger than it. Products of x and codes are exact in FP32 (11 bits times 4). The g - 1 sums of
// a group and the G - 1 over groups round by 2·√K·2⁻²⁴·A, for √(g - 1) + √(G - 1) ≤ √(g·G); the
// product with the zero point, the difference and the product with the scale round once each:
// 2·√K·2⁻²⁴·A + 3·2⁻²⁴·A for one element.

}  // namespace qlab
