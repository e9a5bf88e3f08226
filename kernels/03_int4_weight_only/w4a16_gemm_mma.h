// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_mma: Y = X · Wᵀ on the tensor cores, with 4-bit W that becomes FP16 in registers.
///
/// Bottleneck   few tokens: memory, and the time that a tile is on its way; many: shared memory and
///              the tensor cores, with the unpacking on top
/// Bytes moved  read N·K/2 (codes) + 3·N·K/group_size (scales, zero points) + 2·M·K (X), written
///              4·M·N (Y); W once more for every 64 rows of X
/// FLOPs        2·M·N·K, and 2·N·K to dequantize, once more for every 64 rows of X
/// Teaches      K in any order, so that a word of codes is a lane's fragment as it lies; the scale
///              of a group belongs on its sum, not on its codes
/// Leaves out   an order of the codes that saves the byte shuffle (Marlin, AWQ); K split over
///              blocks; wgmma
#pragma once

#include "03_int4_weight_only/int4_device.h"
#include "03_int4_weight_only/w4a16_gemm.h"

namespace qlab {

/// The exercise: written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Y[m, n] = Σₖ X[m, k] · scale[n, g] · (code[n, k] - zero_point[n, g]), g = k / group_size.
/// Launches one kernel and waits for it.
///
/// Inputs finite, output finite: an overflow of FP32 is the caller's. code - zero_point is exact in
/// FP16; scales are applied to the sums of groups, in FP32. No bank of shared memory is asked for
/// two words at once, and a block unpacks each of its codes once.
///
/// \param X  [M, K] activations, one token a row, K contiguous, 16-byte aligned
/// \param W  [N, K] weights, one output channel a row
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError unless M, N ≥ 1, K and group_size are multiples of 32 from 32 on, and X and
///         W.qweight are aligned.
void w4a16_gemm_mma(const half* X, const Int4DeviceWeights& W, float* Y, int M, int N, int K);

}  // namespace exercise

/// Cost and oracle are those of w4a16_gemm (w4a16_gemm.h). Allowed error of an element, as a factor
/// of Σ|x||w|.
///
/// Within a group everything is as in fp16_gemm_mma: 18 operations an mma, each of which loses up
/// to 2⁻²³ of a value. A product goes through the mmas of its own group only; then one fused
/// multiply-add for each group rounds the sum. γₙ = n·u / (1 - n·u) for n operations of u = 2⁻²³.
constexpr double w4a16_gemm_mma_error(std::int64_t K, std::int64_t group_size) {
  const std::int64_t of_a_group = group_size < K ? group_size : K;
  const double operations =
      static_cast<double>(18 * ((of_a_group + 15) / 16) + int4_groups(K, group_size));
  return operations * 0x1p-23 / (1 - operations * 0x1p-23);
}

}  // namespace qlab
