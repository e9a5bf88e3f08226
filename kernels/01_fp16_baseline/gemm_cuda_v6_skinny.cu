// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 6: few tokens, for which reading W is all the work.
///
/// Idea    the kernel of common/skinny_gemm.h in FP16 or BF16: W is the operand A, tokens are
///         columns, the warps of a block split K, and so do blocks where rows are few
/// Before  tiles of 128 rows of X, mostly empty, and too few of them to keep memory busy
/// Needs   any GPU from Ampere on; M ≤ 64
#include "01_fp16_baseline/gemm_cuda.h"
#include "01_fp16_baseline/gemm_cuda_formats.h"
#include "common/skinny_gemm.h"

namespace qlab {

static_assert(kGemmCudaSkinnyTokens == skinny::kMostTokens);

/// One product; GemmCuda says what it takes and gives.
template <class T>
void gemm_cuda_v6_skinny(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v6_skinny", M, N, K);
  skinny::enqueue_gemm<HalfFormat<T>>("gemm_cuda_v6_skinny", X, W, Y, RoundHalf<T>{}, M, N, K,
                                      stream);
}
template GemmCuda<half> gemm_cuda_v6_skinny<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v6_skinny<__nv_bfloat16>;

}  // namespace qlab
