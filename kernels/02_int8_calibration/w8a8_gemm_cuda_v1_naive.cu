// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda, rung 1: a thread an element of Y.
///
/// Idea    the definition, once for each element
/// Before  nothing
/// Needs   any GPU
#include "02_int8_calibration/w8a8_gemm_cuda.h"

namespace qlab {
namespace {

constexpr int kSide = 16;  // a block is 16 × 16 elements of Y

__global__ void naive_kernel(W8A8Cuda p) {
  const int n = static_cast<int>(blockIdx.x * kSide + threadIdx.x);
  const int m = static_cast<int>(blockIdx.y * kSide + threadIdx.y);
  if (m >= p.M || n >= p.N) return;
  const std::int8_t* const x = p.x + static_cast<std::size_t>(m) * p.K;
  const std::int8_t* const w = p.w + static_cast<std::size_t>(n) * p.K;
  std::int32_t sum = 0;
  for (int k = 0; k < p.K; ++k) sum += x[k] * w[k];
  p.y[static_cast<std::size_t>(m) * p.N + n] = W8A8Scales::scaled(p.x_scale[m], p.w_scale[n], sum);
}

}  // namespace

void w8a8_gemm_cuda_v1_naive(const W8A8Cuda& p, Stream stream) {
  check_w8a8_gemm_cuda("w8a8_gemm_cuda_v1_naive", p);
  const dim3 grid(static_cast<unsigned>((p.N + kSide - 1) / kSide),
                  static_cast<unsigned>((p.M + kSide - 1) / kSide));
  enqueue(stream, grid, dim3(kSide, kSide), 0, naive_kernel, p);
}

}  // namespace qlab
