// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 1: a thread takes a row, and its codes one after the other.
///
/// Bottleneck   memory transactions: the lanes of a warp read 32 rows, and of each sector one byte
/// Teaches      the format: two codes a byte, a scale and a zero point a group
/// Leaves out   whatever makes it fast
#include "03_int4_weight_only/w4a16_gemm_cuda.h"

namespace qlab {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads)
    w4a16_nibbles_kernel(const std::uint8_t* __restrict__ W,           // [N, K / 2]
                         const half* __restrict__ scale,               // [N, groups]
                         const std::uint8_t* __restrict__ zero_point,  // [N, groups]
                         const half* __restrict__ x,                   // [K]
                         half* __restrict__ y,                         // [N]
                         int N, int K, int group_size) {
  // Who am I: the thread of row n.
  const int n = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (n >= N) return;
  const int groups = K / group_size;
  const std::uint8_t* const row = W + static_cast<std::size_t>(n) * (K / 2);

  // Load:    a byte, two codes; scale and zero point of its group.
  // Compute: each code on its own, by shift, mask and conversion.
  float sum = 0;
  for (int g = 0; g < groups; ++g) {
    const std::size_t at = static_cast<std::size_t>(n) * groups + g;
    const int zero = zero_point[at];
    float products = 0;
    for (int k = g * group_size; k < (g + 1) * group_size; ++k) {
      const int code = row[k / 2] >> (k % 2 * 4) & 0xF;
      products = __fmaf_rn(__int2float_rn(code - zero), __half2float(x[k]), products);
    }
    sum = __fmaf_rn(__half2float(scale[at]), products, sum);
  }

  // Store:   one output a thread.
  y[n] = __float2half_rn(sum);
}

}  // namespace

/// One product; W4A16Cuda says what it takes and gives.
void w4a16_gemm_cuda_v1_nibbles(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N,
                                int K, Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v1_nibbles", W, X, M, N, K, 1);
  enqueue(stream, static_cast<unsigned>((N + kThreads - 1) / kThreads), kThreads, 0,
          w4a16_nibbles_kernel, W.rows.qweight, W.rows.scale, W.rows.zero_point, X, Y, N, K,
          W.rows.group_size);
}

}  // namespace qlab
