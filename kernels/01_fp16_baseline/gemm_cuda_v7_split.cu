// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 7: some tens of tokens, or fewer in a large layer.
///
/// Idea    the kernel of common/hopper_split_gemm.h in FP16 or BF16: whole tiles by the copy engine as in
///         rung 5, W as the rows that wgmma wants 64 of, and blocks that share K
/// Before  every warp of rung 6 copies X for itself, and rung 5 has too few tiles to keep memory busy
/// Needs   Hopper
#include "01_fp16_baseline/gemm_cuda.h"
#include "01_fp16_baseline/gemm_cuda_formats.h"
#include "common/hopper_split_gemm.h"

namespace qlab {

/// One product; GemmCuda says what it takes and gives.
template <class T>
void gemm_cuda_v7_split(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v7_split", M, N, K);
  hopper::enqueue_split_gemm<HalfFormat<T>>(X, W, Y, RoundHalf<T>{}, M, N, K, stream);
}
template GemmCuda<half> gemm_cuda_v7_split<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v7_split<__nv_bfloat16>;

}  // namespace qlab
