// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda, rung 4: few tokens, for which reading W is all the work.
///
/// Idea    the kernel of common/skinny_gemm.h: W is the operand A, tokens are columns, the warps of
///         a block split K, and so do blocks where rows are few. Integers have one sum in any order
/// Before  tiles of 128 rows of X, mostly empty, and too few of them to keep memory busy
/// Needs   any GPU from Ampere on; M ≤ 64
#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "02_int8_calibration/w8a8_gemm_cuda_format.h"
#include "common/skinny_gemm.h"

namespace qlab {

static_assert(kW8A8CudaSkinnyTokens == skinny::kMostTokens);

/// One product; W8A8Cuda says what it takes and gives.
void w8a8_gemm_cuda_v4_skinny(const W8A8Cuda& p, Stream stream) {
  check_w8a8_gemm_cuda("w8a8_gemm_cuda_v4_skinny", p);
  skinny::enqueue_gemm<Int8Format>("w8a8_gemm_cuda_v4_skinny", p.x, p.w, p.y,
                                   W8A8Scales{p.x_scale, p.w_scale, p.M, p.N}, p.M, p.N, p.K,
                                   stream);
}

}  // namespace qlab
