// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemv: y = W · x on the GPU, one warp a row: the product of decode, one token at a time.
///
/// Bottleneck   memory: one multiply-add for 2 bytes of W, which nobody reads twice
/// Bytes moved  read 2·N·K (W) + 2·K (x), written 4·N (y)
/// FLOPs        2·N·K
/// Teaches      who reads which bytes (coalescing); adding up a warp's registers by shuffles
/// Leaves out   several tokens that share one read of W (fp16_gemm_tiled); 4-bit W (module 03)
#pragma once

#include "common/contract.h"
#include "simt/simt.h"

namespace qlab {

/// The exercise: written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// y[n] = Σₖ W[n, k] · x[k], summed in FP32 in any order. Launches one kernel and waits for it.
///
/// Inputs finite, output finite: an overflow of FP32 is the caller's. Rows are read in pairs of
/// halves, so that a warp's load takes four sectors of 32 bytes where the row starts at a sector.
///
/// \param W  [N, K] weights, one output channel a row, K contiguous, 4-byte aligned
/// \param x  [K] one token, 4-byte aligned
/// \param y  [N] written in full, nothing outside it
/// \throws ContractError unless N ≥ 1, K ≥ 2 and K is even.
void fp16_gemv(const half* W, const half* x, float* y, int N, int K);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost fp16_gemv_cost(std::int64_t N, std::int64_t K) {
  return {.bytes = 2 * N * K + 2 * K + 4 * N, .flops = 2 * N * K};
}

// The oracle is fp16_gemm_ref with M = 1 (fp16_gemm.h). A product of two FP16 values is exact in
// FP32, so the tolerance of one element is that of an FP32 sum: 2·√K·2⁻²⁴·Σ|w||x|.

}  // namespace qlab
