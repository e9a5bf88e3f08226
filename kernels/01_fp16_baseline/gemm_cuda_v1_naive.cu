// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 1: a thread an element of Y.
///
/// Idea    the definition, once for each element; neighbouring threads share a row of X and read W rows
///         apart, so that most of a sector of 32 bytes is read for nothing
/// Before  nothing
/// Needs   any GPU
#include "01_fp16_baseline/gemm_cuda.h"

namespace qlab {
namespace {

constexpr int kSide = 16;  // a block is 16 × 16 elements of Y

template <class T>
__global__ void naive_kernel(const T* __restrict__ X,  // [M, K]
                             const T* __restrict__ W,  // [N, K]
                             T* __restrict__ Y,        // [M, N]
                             int M, int N, int K) {
  const int n = static_cast<int>(blockIdx.x * kSide + threadIdx.x);
  const int m = static_cast<int>(blockIdx.y * kSide + threadIdx.y);
  if (m >= M || n >= N) return;
  float sum = 0;
  for (int k = 0; k < K; ++k) {
    sum += static_cast<float>(X[static_cast<std::size_t>(m) * K + k]) *
           static_cast<float>(W[static_cast<std::size_t>(n) * K + k]);
  }
  Y[static_cast<std::size_t>(m) * N + n] = T(sum);
}

}  // namespace

template <class T>
void gemm_cuda_v1_naive(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v1_naive", M, N, K);
  const dim3 grid(static_cast<unsigned>((N + kSide - 1) / kSide),
                  static_cast<unsigned>((M + kSide - 1) / kSide));
  enqueue(stream, grid, dim3(kSide, kSide), 0, naive_kernel<T>, X, W, Y, M, N, K);
}
template GemmCuda<half> gemm_cuda_v1_naive<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v1_naive<__nv_bfloat16>;

}  // namespace qlab
