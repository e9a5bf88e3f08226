// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows_cuda: a block a row. Its threads find the largest magnitude, then read the row
/// again, from the cache, and round it.
#include "02_int8_calibration/quantize_rows_cuda.h"

namespace qlab {
namespace {

constexpr int kThreads = 256, kLanes = 32, kWarps = kThreads / kLanes;
constexpr int kPiece = 8;  // halves of a load

/// Half i of a load, i known to the compiler.
__device__ inline std::uint32_t bits_of(const uint4& words, int i) {
  const std::uint32_t word = i < 2 ? words.x : i < 4 ? words.y : i < 6 ? words.z : words.w;
  return i % 2 == 0 ? word & 0xFFFF : word >> 16;
}
__device__ inline float float_of(std::uint32_t bits) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
}

__global__ void __launch_bounds__(kThreads)
    quantize_rows_kernel(const uint4* __restrict__ X,  // [M, pieces]  eight halves
                         uint2* __restrict__ codes,    // [M, pieces]  eight codes
                         float* __restrict__ scale,    // [M]
                         int pieces) {
  __shared__ std::uint32_t largest_of[kWarps];

  // Who am I: this block owns row m.
  const int m = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const uint4* const row = X + static_cast<std::size_t>(m) * pieces;
  uint2* const row_codes = codes + static_cast<std::size_t>(m) * pieces;

  // Load:    the row → its largest magnitude, as bits.
  std::uint32_t largest = 0;
  for (int p = thread; p < pieces; p += kThreads) {
    const uint4 words = row[p];
    QLAB_UNROLL
    for (int i = 0; i < kPiece; ++i) largest = max(largest, bits_of(words, i) & 0x7FFF);
  }
  largest = __reduce_max_sync(~0U, largest);
  if (thread % kLanes == 0) largest_of[thread / kLanes] = largest;
  __syncthreads();  // all warps' maxima are written, and now read
  QLAB_UNROLL
  for (int w = 0; w < kWarps; ++w) largest = max(largest, largest_of[w]);

  // Compute: a scale. It is normal in FP32, like a 127th of the smallest half above 0.
  const float step = largest == 0 ? 1.0F : __fdiv_rn(float_of(largest), 127.0F);
  if (thread == 0) scale[m] = step;

  // Store:   eight codes at once. What is divided by infinity or NaN, as what is NaN, becomes 0.
  for (int p = thread; p < pieces; p += kThreads) {
    const uint4 words = row[p];
    std::uint32_t eight[2] = {};
    QLAB_UNROLL
    for (int i = 0; i < kPiece; ++i) {
      const int code = __float2int_rn(__fdiv_rn(float_of(bits_of(words, i)), step));
      eight[i / 4] |= (static_cast<std::uint32_t>(code) & 0xFF) << (i % 4 * 8);
    }
    row_codes[p] = make_uint2(eight[0], eight[1]);
  }
}

}  // namespace

void quantize_rows_cuda(const half* X, std::int8_t* codes, float* scale, int M, int K,
                        Stream stream) {
  QLAB_CHECK(M >= 1 && K >= 1, "quantize_rows_cuda: M=", M, " K=", K, "; both are at least 1");
  QLAB_CHECK(K % kPiece == 0, "quantize_rows_cuda: K=", K, "; it is a multiple of ", kPiece,
             ", since rows are read in pieces of 16 bytes");
  enqueue(stream, static_cast<unsigned>(M), kThreads, 0, quantize_rows_kernel,
          reinterpret_cast<const uint4*>(X), reinterpret_cast<uint2*>(codes), scale, K / kPiece);
}

}  // namespace qlab
