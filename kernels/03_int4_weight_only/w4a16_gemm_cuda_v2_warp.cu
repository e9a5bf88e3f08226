// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 2: a warp takes a row, a lane 32 codes by one load.
///
/// Idea     16 bytes a lane, 512 side by side a warp: every byte of a sector is used. A lane's codes
///          have one scale, so it multiplies their sum
/// Before   lanes read 32 rows, and of each sector one byte at a time
/// Needs    compute capability 8.0
#include "03_int4_weight_only/half_words.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"

namespace qlab {
namespace {

constexpr int kWarps = 4, kLanes = 32;
constexpr unsigned kAllLanes = 0xFFFF'FFFF;

/// Σ (code - zero_point) · x over the eight codes of a word and eight halves.
__device__ float dot8(std::uint32_t codes, const uint4& x, int zero_point, float sum) {
  const std::uint32_t pairs[4] = {x.x, x.y, x.z, x.w};
  for (int i = 0; i < 4; ++i) {
    const float2 pair = __half22float2(as_half2(pairs[i]));
    const int first = static_cast<int>(codes >> (8 * i) & 0xF);
    const int second = static_cast<int>(codes >> (8 * i + 4) & 0xF);
    sum = __fmaf_rn(__int2float_rn(first - zero_point), pair.x, sum);
    sum = __fmaf_rn(__int2float_rn(second - zero_point), pair.y, sum);
  }
  return sum;
}

__global__ void __launch_bounds__(kWarps* kLanes)
    w4a16_warp_kernel(const uint4* __restrict__ W,                  // [N, K / 32]
                      const half* __restrict__ scale,               // [N, groups]
                      const std::uint8_t* __restrict__ zero_point,  // [N, groups]
                      const uint4* __restrict__ x,                  // [K / 8]
                      half* __restrict__ y,                         // [N]
                      int N, int K, int group_size) {
  // Who am I: a lane of the warp of row n. Spare warps leave as a whole: a shuffle needs all lanes.
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int n = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kLanes;
  if (n >= N) return;
  const int pieces = K / kInt4Piece, groups = K / group_size;

  // Load:    a piece of 32 codes, its x, its scale and zero point.
  // Compute: 32 products, then one with the scale.
  float sum = 0;
  for (int p = lane; p < pieces; p += kLanes) {
    const uint4 codes = W[static_cast<std::size_t>(n) * pieces + p];
    const std::size_t at = static_cast<std::size_t>(n) * groups + p * kInt4Piece / group_size;
    const int zero = zero_point[at];
    float products = dot8(codes.x, x[4 * p], zero, 0);
    products = dot8(codes.y, x[4 * p + 1], zero, products);
    products = dot8(codes.z, x[4 * p + 2], zero, products);
    products = dot8(codes.w, x[4 * p + 3], zero, products);
    sum = __fmaf_rn(__half2float(scale[at]), products, sum);
  }

  // Store:   32 partial sums → one, by shuffles.
  for (int d = kLanes / 2; d > 0; d /= 2) sum += __shfl_down_sync(kAllLanes, sum, d);
  if (lane == 0) y[n] = __float2half_rn(sum);
}

}  // namespace

/// One product; W4A16Cuda says what it takes and gives.
void w4a16_gemm_cuda_v2_warp(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K,
                             Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v2_warp", W, X, M, N, K, 1);
  check_aligned("w4a16_gemm_cuda_v2_warp", "qweight", W.rows.qweight);
  enqueue(stream, static_cast<unsigned>((N + kWarps - 1) / kWarps), kWarps * kLanes, 0,
          w4a16_warp_kernel, reinterpret_cast<const uint4*>(W.rows.qweight), W.rows.scale,
          W.rows.zero_point, reinterpret_cast<const uint4*>(X), Y, N, K, W.rows.group_size);
}

}  // namespace qlab
