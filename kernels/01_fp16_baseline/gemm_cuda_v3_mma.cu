// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 3: tensor cores, fed by copies that run while they multiply.
///
/// Idea    the kernel of common/mma_gemm.h in FP16 or BF16: four stages of tiles, cp.async, ldmatrix,
///         mma.sync
/// Before  rung 2 multiplies on the plain FP32 units, a fifteenth of the tensor cores' rate, and waits
///         for its tiles
/// Needs   any GPU from Ampere on
#include "01_fp16_baseline/gemm_cuda.h"
#include "01_fp16_baseline/gemm_cuda_formats.h"
#include "common/mma_gemm.h"

namespace qlab {

template <class T>
void gemm_cuda_v3_mma(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v3_mma", M, N, K);
  mma::enqueue_gemm<HalfFormat<T>>(X, W, Y, RoundHalf<T>{}, M, N, K, stream);
}
template GemmCuda<half> gemm_cuda_v3_mma<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v3_mma<__nv_bfloat16>;

}  // namespace qlab
