// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemv_warp: y = W · x with 4-bit W on the GPU: decode, reading a quarter of the bytes.
///
/// Bottleneck   memory while unpacking keeps up with it: three to four instructions a weight
/// Bytes moved  read N·K/2 (codes) + 3·N·K/group_size (scales, zero points) + 2·K (x), written 4·N
/// FLOPs        2·N·K, and N·K to subtract the zero points
/// Teaches      16 bytes a lane and load; codes become FP16 by their bits; a scale a group
/// Leaves out   several tokens that share one read of W (w4a16_gemm_mma); K split over warps
#pragma once

#include "03_int4_weight_only/int4_device.h"
#include "03_int4_weight_only/w4a16_gemm.h"

namespace qlab::exercise {

/// y[n] = Σₖ scale[n, g] · (code[n, k] - zero_point[n, g]) · x[k], g = k / group_size, summed in
/// FP32 in any order. Launches one kernel and waits for it.
///
/// Inputs finite, output finite: an overflow of FP32 is the caller's. A warp's load of codes takes
/// 16 sectors of 32 bytes, and each code is read once.
///
/// \param W  [N, K] weights, one output channel a row
/// \param x  [K] one token, 16-byte aligned
/// \param y  [N] written in full, nothing outside it
/// \throws ContractError unless N ≥ 1, K and group_size are multiples of 32 from 32 on, and x and
///         W.qweight are aligned.
void w4a16_gemv_warp(const Int4DeviceWeights& W, const half* x, float* y, int N, int K);

}  // namespace qlab::exercise

// Cost and oracle are those of w4a16_gemm with M = 1 (w4a16_gemm.h), and so is the tolerance of an
// element, (2·√K + 1)·2⁻²⁴·Σ|w||x|. Here x · (code - zero_point) is exact in FP32, 11 bits times 5,
// and the scale rounds once a piece, in a fused multiply-add.
