// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_dp4a: INT8 weights times INT8 activations on the GPU, four products an instruction.
///
/// Bottleneck   M = 1: reading the weights; many tokens: a load of X for every dp4a, and W from the L2
///              cache once for every four tokens
/// Bytes moved  read N·K (W) + 4·N (its scales) + M·K (X) + 4·M, written 4·M·N (Y)
/// FLOPs        2·M·N·K integer operations
/// Teaches      dp4a takes four consecutive k in a word, so both operands lie with K contiguous; a row
///              ends inside a word; int32 sums, and scales that meet them once
/// Leaves out   tiles in shared memory and the tensor cores (w8a8_gemm_imma); zero points
#pragma once

#include "02_int8_calibration/w8a8_gemm.h"
#include "simt/simt.h"

namespace qlab::exercise {

/// Y[m, n] = x_scale[m] · w_scale[n] · Σₖ X[m, k] · W[n, k]. Launches one kernel and waits for it.
///
/// The sum is exact in int32; the epilogue rounds three times in FP32, as w8a8_gemm does. Rows begin
/// every `stride` bytes and are read in words of four codes, so the last word of a row may hold up to
/// three bytes that are not the row's: they can be anything, and count as 0. Every row, also the last
/// one, is followed by memory up to the end of its last word. A warp's load of W takes four sectors
/// of 32 bytes where the row starts at a sector.
///
/// \param X        [M, K] activations, one token a row, 4-byte aligned
/// \param x_scale  [M]    > 0
/// \param W        [N, K] weights, one output channel a row, 4-byte aligned
/// \param w_scale  [N]    > 0
/// \param Y        [M, N] written in full, nothing outside it
/// \param stride   bytes from a row to the next, of X and of W
/// \throws ContractError unless M, N ≥ 1, 1 ≤ K ≤ kW8A8MaxK, K ≤ stride, stride a multiple of 4.
void w8a8_gemm_dp4a(const std::int8_t* X, const float* x_scale, const std::int8_t* W,
                    const float* w_scale, float* Y, int M, int N, int K, int stride);

}  // namespace qlab::exercise

// Cost, oracle and tolerance are those of w8a8_gemm (w8a8_gemm.h).
