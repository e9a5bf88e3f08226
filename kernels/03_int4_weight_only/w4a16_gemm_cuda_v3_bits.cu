// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 3: two codes become two halves by one lop3 and one HFMA2.
///
/// Idea     1024 + code is 0x6400 | code in FP16, so a mask and an OR convert two codes at once, and
///          the codes lie so that the two belong to neighbours in X. Four products add up in FP16, two
///          sums at a time, then go on in FP32
/// Before   each code cost a shift, a mask, a subtraction, a slow conversion and a multiplication
/// Needs    compute capability 8.0; |X| ≤ 1000
#include "03_int4_weight_only/half_words.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"
#include "simt/ptx.h"

namespace qlab {
namespace {

constexpr int kWarps = 4, kLanes = 32;
constexpr unsigned kAllLanes = 0xFFFF'FFFF;

/// Adds Σ (code - zero_point) · x over the eight codes of a word and eight halves. The words of
/// `excess` are -(1024 + zero_point) and -(64 + zero_point), twice each.
__device__ float dot8(std::uint32_t word, const uint4& x, half2 excess_low, half2 excess_high,
                      float sum) {
  constexpr int kMaskAndInsert = (0xF0 & 0xCC) | 0xAA;
  const half2 sixteenth = as_half2(0x2C002C00);
  const std::uint32_t pairs[4] = {x.x, x.y, x.z, x.w};
  half2 products = as_half2(0);
  for (int i = 0; i < 4; i += 2) {  // nibbles 0, 4 and 1, 5; then 2, 6 and 3, 7
    const std::uint32_t codes = word >> (4 * i);
    const std::uint32_t low = ptx::lop3<kMaskAndInsert>(codes, 0x000F000F, 0x64006400);
    const std::uint32_t high = ptx::lop3<kMaskAndInsert>(codes, 0x00F000F0, 0x64006400);
    const half2 first = __hadd2(as_half2(low), excess_low);
    const half2 second = __hfma2(as_half2(high), sixteenth, excess_high);
    products = __hfma2(first, as_half2(pairs[i]), products);
    products = __hfma2(second, as_half2(pairs[i + 1]), products);
  }
  const float2 both = __half22float2(products);
  return sum + (both.x + both.y);
}

__global__ void __launch_bounds__(kWarps* kLanes)
    w4a16_bits_kernel(const uint4* __restrict__ W,                  // [N, K / 32]  in pairs
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
  // Compute: pairs of products in FP16, sums of eight in FP32, then one product with the scale.
  float sum = 0;
  for (int p = lane; p < pieces; p += kLanes) {
    const uint4 codes = W[static_cast<std::size_t>(n) * pieces + p];
    const std::size_t at = static_cast<std::size_t>(n) * groups + p * kInt4Piece / group_size;
    const std::uint32_t zero = zero_point[at];
    const half2 low = as_half2((0xE400 | zero) * 0x0001'0001);
    const half2 high = as_half2((0xD400 | zero << 4) * 0x0001'0001);
    float products = dot8(codes.x, x[4 * p], low, high, 0);
    products = dot8(codes.y, x[4 * p + 1], low, high, products);
    products = dot8(codes.z, x[4 * p + 2], low, high, products);
    products = dot8(codes.w, x[4 * p + 3], low, high, products);
    sum = __fmaf_rn(__half2float(scale[at]), products, sum);
  }

  // Store:   32 partial sums → one, by shuffles.
  for (int d = kLanes / 2; d > 0; d /= 2) sum += __shfl_down_sync(kAllLanes, sum, d);
  if (lane == 0) y[n] = __float2half_rn(sum);
}

}  // namespace

/// One product; W4A16Cuda says what it takes and gives.
void w4a16_gemm_cuda_v3_bits(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K,
                             Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v3_bits", W, X, M, N, K, 1);
  check_aligned("w4a16_gemm_cuda_v3_bits", "pairs", W.pairs);
  enqueue(stream, static_cast<unsigned>((N + kWarps - 1) / kWarps), kWarps * kLanes, 0,
          w4a16_bits_kernel, W.pairs, W.rows.scale, W.rows.zero_point,
          reinterpret_cast<const uint4*>(X), Y, N, K, W.rows.group_size);
}

}  // namespace qlab
