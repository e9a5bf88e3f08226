// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm_tiled: Y = X · Wᵀ on the GPU, from tiles in shared memory.
///
/// Bottleneck   instructions: with 32 multiply-adds go 8 reads of shared memory, 16 conversions
/// Bytes moved  read 2·N·K (W) + 2·M·K (X), written 4·M·N (Y); W once more for every 64 rows of X
/// FLOPs        2·M·N·K
/// Teaches      reuse through shared memory; the two barriers around it; coalescing and banks
/// Leaves out   the tensor cores, which do the same sums an order faster (fp16_gemm_mma)
#pragma once

#include "common/contract.h"
#include "simt/simt.h"

namespace qlab {

/// The exercise: written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Y[m, n] = Σₖ X[m, k] · W[n, k], summed in FP32 in any order. Launches one kernel and waits for it.
///
/// Inputs finite, output finite: an overflow of FP32 is the caller's. A block reads each value of X
/// and W that its tile of Y needs once; a warp's load takes two sectors of 32 bytes where the row
/// starts at a sector, and no bank of shared memory is asked for two words by one read.
///
/// \param X  [M, K] activations, one token a row, K contiguous
/// \param W  [N, K] weights, one output channel a row, K contiguous
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError unless M, N, K ≥ 1.
void fp16_gemm_tiled(const half* X, const half* W, float* Y, int M, int N, int K);

}  // namespace exercise

/// The smallest possible traffic; that of the tiles is in the file's head.
constexpr Cost fp16_gemm_tiled_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = 2 * N * K + 2 * M * K + 4 * M * N, .flops = 2 * M * N * K};
}

// The oracle is fp16_gemm_ref (fp16_gemm.h). A product of two FP16 values is exact in FP32, so the
// tolerance of one element is that of an FP32 sum: 2·√K·2⁻²⁴·Σ|x||w|.

}  // namespace qlab
