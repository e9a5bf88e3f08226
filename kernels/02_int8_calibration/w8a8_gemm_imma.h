// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_imma: INT8 weights times INT8 activations on the tensor cores, scaled as they are stored.
///
/// Bottleneck   waiting for the tiles: they are loaded, then multiplied, never both at once
/// Bytes moved  read N·K (W) + 4·N (its scales) + M·K (X) + 4·M, written 4·M·N (Y); W once more for
///              every 64 rows of X
/// FLOPs        2·M·N·K integer operations
/// Teaches      in words of 32 bits the fragments are those of FP16; int32 sums stay in registers, and
///              the epilogue scales them on their way to Y, with no second pass over M·N values
/// Leaves out   loading a tile while another is multiplied; ldmatrix; wgmma; zero points
#pragma once

#include "02_int8_calibration/w8a8_gemm.h"
#include "simt/simt.h"

namespace qlab::exercise {

/// Y[m, n] = x_scale[m] · w_scale[n] · Σₖ X[m, k] · W[n, k], summed by tensor cores. Launches one
/// kernel and waits for it.
///
/// The sum is exact in int32; the epilogue rounds three times in FP32, as w8a8_gemm does. Rows are
/// copied in pieces of 16 codes, which is why K has that factor. No bank of shared memory is asked for
/// two words by one load of a fragment, and each element of Y is written once.
///
/// \param X        [M, K] activations, one token a row, K contiguous, 16-byte aligned
/// \param x_scale  [M]    > 0
/// \param W        [N, K] weights, one output channel a row, K contiguous, 16-byte aligned
/// \param w_scale  [N]    > 0
/// \param Y        [M, N] written in full, nothing outside it
/// \throws ContractError unless M, N ≥ 1, 16 ≤ K ≤ kW8A8MaxK and K is a multiple of 16.
void w8a8_gemm_imma(const std::int8_t* X, const float* x_scale, const std::int8_t* W,
                    const float* w_scale, float* Y, int M, int N, int K);

}  // namespace qlab::exercise

// Cost, oracle and tolerance are those of w8a8_gemm (w8a8_gemm.h).
