// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 5: loads, products and stores of different tiles at the same time.
///
/// Idea    the kernel of common/hopper_gemm.h in FP16 or BF16: warps with roles, blocks that stay
/// Before  rung 4 stops all threads in every step, and the tensor cores rest while a tile is stored
/// Needs   Hopper
#include "01_fp16_baseline/gemm_cuda.h"
#include "01_fp16_baseline/gemm_cuda_formats.h"
#include "common/hopper_gemm.h"

namespace qlab {

template <class T>
void gemm_cuda_v5_persistent(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v5_persistent", M, N, K);
  hopper::enqueue_persistent_gemm<HalfFormat<T>>(X, W, Y, RoundHalf<T>{}, M, N, K, stream);
}
template GemmCuda<half> gemm_cuda_v5_persistent<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v5_persistent<__nv_bfloat16>;

}  // namespace qlab
