// SPDX-License-Identifier: Apache-2.0
/// \file
/// A sample with shuffles and wide loads: y[N] = W[N×K] · x[K] with 4-bit weights, a scale a group.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simt/ptx.h"
#include "simt/simt.h"

namespace qlab::test {

inline constexpr int kGroupSize = 128;

// Two codes of `word` as half2, without a conversion: 0x6400 is 1024.0, whose last mantissa bit is
// worth 1, so 0x6400 | code is 1024 + code. Codes i and i + 4 come out together.
__device__ inline half2 two_codes(std::uint32_t word) {
  constexpr int kAndOr = (0xF0 & 0xCC) | 0xAA;
  const std::uint32_t bits = ptx::lop3<kAndOr>(word, 0x000F000Fu, 0x64006400u);
  const half2 biased = __halves2half2(__ushort_as_half(static_cast<unsigned short>(bits & 0xFFFF)),
                                      __ushort_as_half(static_cast<unsigned short>(bits >> 16)));
  return __hsub2(biased, __float2half2_rn(1032.0f));  // 1024 for the bias, 8 for the zero point
}

/// qweight  [N][K/8]           eight codes a word, code k in bits 4·(k % 8)
/// scale    [N][K/kGroupSize]  real = scale * (code - 8)
/// A warp computes one row at a time; K is a multiple of 1024: 32 lanes × 32 codes a step.
static __global__ void w4a16_gemv(const std::uint32_t* __restrict__ qweight,
                                  const half* __restrict__ scale, const half* __restrict__ x,
                                  float* __restrict__ y, int N, int K) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warps = static_cast<int>(gridDim.x * blockDim.x) / 32;
  for (int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) / 32; row < N;
       row += warps) {
    float sum = 0;
    for (int k = lane * 32; k < K; k += 32 * 32) {  // 16 bytes of codes a lane: one wide load
      const uint4 words =
          *reinterpret_cast<const uint4*>(qweight + (static_cast<std::size_t>(row) * K + k) / 8);
      const std::uint32_t word[4] = {words.x, words.y, words.z, words.w};
      float part = 0;
      for (int w = 0; w < 4; ++w) {
        for (int i = 0; i < 4; ++i) {
          const float2 q = __half22float2(two_codes(word[w] >> (4 * i)));
          part = __fmaf_rn(q.x, __half2float(x[k + 8 * w + i]), part);
          part = __fmaf_rn(q.y, __half2float(x[k + 8 * w + i + 4]), part);
        }
      }
      sum = __fmaf_rn(
          part, __half2float(scale[(static_cast<std::size_t>(row) * K + k) / kGroupSize]), sum);
    }
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    if (lane == 0) y[row] = sum;
  }
}

/// Any number of blocks of a multiple of 32 threads.
inline void launch_w4a16_gemv(int blocks, int threads, const std::uint32_t* qweight,
                              const half* scale, const half* x, float* y, int N, int K) {
  simt::launch(static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, w4a16_gemv,
               qweight, scale, x, y, N, K);
}

}  // namespace qlab::test
