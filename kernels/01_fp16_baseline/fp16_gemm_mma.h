// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm_mma: Y = X · Wᵀ on the tensor cores, FP16 operands and FP32 sums.
///
/// Bottleneck   waiting for the tiles: they are loaded, then multiplied, never both at once
/// Bytes moved  read 2·N·K (W) + 2·M·K (X), written 4·M·N (Y); W once more for every 64 rows of X
/// FLOPs        2·M·N·K
/// Teaches      which lane of a warp holds which element of an mma's operands
/// Leaves out   loading a tile while another is multiplied; ldmatrix (tests/simt/fp16_gemm_mma.h)
#pragma once

#include "common/contract.h"
#include "simt/simt.h"

namespace qlab {

/// The exercise: written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Y[m, n] = Σₖ X[m, k] · W[n, k], summed by tensor cores. Launches one kernel and waits for it.
///
/// Inputs finite, output finite: an overflow of FP32 is the caller's. Rows are copied in pieces of
/// eight halves, which is why K has that factor. No bank of shared memory is asked for two words by
/// one load of a fragment.
///
/// \param X  [M, K] activations, one token a row, K contiguous, 16-byte aligned
/// \param W  [N, K] weights, one output channel a row, K contiguous, 16-byte aligned
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError unless M, N ≥ 1, K ≥ 8 and K is a multiple of 8.
void fp16_gemm_mma(const half* X, const half* W, float* Y, int M, int N, int K);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost fp16_gemm_mma_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = 2 * N * K + 2 * M * K + 4 * M * N, .flops = 2 * M * N * K};
}

/// The oracle is fp16_gemm_ref (fp16_gemm.h). Allowed error of an element, as a factor of Σ|x||w|.
///
/// Products are exact. One mma adds 16 of them and the sum so far: each of the 17 terms is aligned
/// to the largest and cut off, and the result is cut off once more. Cutting off loses up to 2⁻²³ of
/// a value, twice what rounding loses, and always towards zero: these errors do not cancel, so the
/// bound grows with K, not with √K. γₙ = n·u / (1 - n·u) for n operations of u = 2⁻²³ (Higham,
/// "Accuracy and Stability of Numerical Algorithms", section 3.1). The CPU's model rounds each mma
/// once, well within it.
constexpr double fp16_gemm_mma_error(std::int64_t K) {
  const double operations = 18 * static_cast<double>((K + 15) / 16);
  return operations * 0x1p-23 / (1 - operations * 0x1p-23);
}

}  // namespace qlab
