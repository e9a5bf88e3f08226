// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemv_warp: a warp walks along two rows, 32 codes a lane, and adds up 32 partial sums.
///
/// Bottleneck   memory while unpacking keeps up with it: three to four instructions a weight
/// Teaches      16 bytes a lane and load; the zero point goes with the exponent; scales come last
/// Leaves out   x in shared memory; K split over warps, which fills a GPU when N is small
#include "03_int4_weight_only/w4a16_gemv_warp.h"

#include "03_int4_weight_only/half_words.h"
#include "simt/ptx.h"
#include "simt/traced.h"

namespace qlab::exercise {
namespace {

constexpr int kWarps = 4;  // of a block
constexpr int kLanes = 32;
constexpr int kRows = 2;  // that a warp walks along at once: x is read and widened once for both
constexpr unsigned kAllLanes = 0xFFFF'FFFF;

/// The x of one piece, widened.
__device__ void load_x(float (&x)[kInt4Piece], const simt::traced<const uint4>& X, int piece) {
  for (int i = 0; i < 4; ++i) {  // 16 bytes are eight halves
    const uint4 eight = X[4 * piece + i];
    const std::uint32_t words[4] = {eight.x, eight.y, eight.z, eight.w};
    for (int j = 0; j < 4; ++j) {
      const float2 pair = __half22float2(as_half2(words[j]));
      x[8 * i + 2 * j] = pair.x;
      x[8 * i + 2 * j + 1] = pair.y;
    }
  }
}

/// Σ (code - zero_point) · x over one piece.
__device__ float dot(const uint4& piece, const float (&x)[kInt4Piece], std::uint32_t zero_point) {
  const std::uint32_t words[4] = {piece.x, piece.y, piece.z, piece.w};  // eight codes each
  float sum = 0;
  // BEGIN SOLUTION [w4a16_gemv_warp_dot] Multiply 32 codes with their x
  // Add to `sum` all 32 products, in FP32. Nibble i of words[w] is the code that belongs to
  // x[8 * w + i]. Make halves of the codes by their bits, as in dequant_bits, and take off 1024 and
  // the zero point at once. as_half2(w) sees a word as a pair, __half22float2 widens one.

  // 0x6400 | zero_point is 1024 + zero_point, so the difference is exact, and so is its product
  // with x. A pair is the nibbles i and i + 4, which is no matter: x is in registers, and any order
  // will do.
  const half2 excess = as_half2((0x6400 | zero_point) * 0x0001'0001);
  for (int w = 0; w < 4; ++w) {
    for (int i = 0; i < 4; ++i) {
      constexpr int kMaskAndInsert = (0xF0 & 0xCC) | 0xAA;
      const std::uint32_t bits =
          ptx::lop3<kMaskAndInsert>(words[w] >> (4 * i), 0x000F000F, 0x64006400);
      const float2 pair = __half22float2(__hsub2(as_half2(bits), excess));
      sum = __fmaf_rn(pair.x, x[8 * w + i], sum);
      sum = __fmaf_rn(pair.y, x[8 * w + i + 4], sum);
    }
  }
  // END SOLUTION [w4a16_gemv_warp_dot]
  return sum;
}

__global__ void __launch_bounds__(kWarps* kLanes)
    w4a16_gemv_warp_kernel(simt::traced<const uint4> W,                  // [N, K / 32]  pieces
                           const half* __restrict__ scale,               // [N, groups]
                           const std::uint8_t* __restrict__ zero_point,  // [N, groups]
                           simt::traced<const uint4> X,                  // [K / 8]
                           float* __restrict__ y,                        // [N]
                           int N, int K, int group_size) {
  // Who am I: a warp with the rows n0 … n0 + kRows - 1; one of 32 lanes in it.
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int warp = static_cast<int>(threadIdx.x) / kLanes;
  const int n0 = (static_cast<int>(blockIdx.x) * kWarps + warp) * kRows;
  if (n0 >= N) return;  // the last block's spare warps leave as a whole: a shuffle needs all lanes

  // Load:    pieces of W, and their x, global memory → registers.
  // Compute: products and sums in FP32.
  const int pieces = K / kInt4Piece;
  const int groups = (K + group_size - 1) / group_size;
  float sum[kRows] = {};
  // BEGIN SOLUTION [w4a16_gemv_warp_walk] Walk along two rows, 16 bytes at a time
  // Add to sum[i], for each row n = n0 + i, every 32nd piece: its dot() with its x, times the scale
  // of its group. Piece p of row n is W[n * pieces + p], with n as std::size_t, and its codes begin
  // at k = p * kInt4Piece; load_x takes its number. Scale and zero point of group g of row n stand
  // at n * groups + g. Where row n does not exist, take the last one: its sum will not be stored.

  // In each step the lanes read 512 bytes side by side. A group is a multiple of 32, so a piece has
  // one scale, and 32 products cost one multiplication with it. A branch around the loads of a row
  // that does not exist would make them wait for each other.
  for (int p = lane; p < pieces; p += kLanes) {
    float x[kInt4Piece];
    load_x(x, X, p);
    const int g = p * kInt4Piece / group_size;
    for (int i = 0; i < kRows; ++i) {
      const std::size_t n = static_cast<std::size_t>(n0 + i < N ? n0 + i : N - 1);
      const float products = dot(W[n * pieces + p], x, zero_point[n * groups + g]);
      sum[i] = __fmaf_rn(__half2float(scale[n * groups + g]), products, sum[i]);
    }
  }
  // END SOLUTION [w4a16_gemv_warp_walk]

  // Store:   32 partial sums → one, by shuffles; one lane writes it.
  // BEGIN SOLUTION [w4a16_gemv_warp_store] Add up the lanes and store both rows
  // For each row n = n0 + i that exists, write the total of all 32 lanes' sum[i] to y[n], once.
  // __shfl_down_sync(kAllLanes, value, d) is the `value` of lane + d; every lane of the warp must
  // call it.

  // The two rows are added up one after the other, each in its own register.
  for (int i = 0; i < kRows; ++i) {
    float total = sum[i];
    for (int d = kLanes / 2; d > 0; d /= 2) total += __shfl_down_sync(kAllLanes, total, d);
    if (lane == 0 && n0 + i < N) y[n0 + i] = total;
  }
  // END SOLUTION [w4a16_gemv_warp_store]
}

}  // namespace

void w4a16_gemv_warp(const Int4DeviceWeights& W, const half* x, float* y, int N, int K) {
  check_int4_pieces("w4a16_gemv_warp", N, K, W, x);
  constexpr int kRowsOfABlock = kWarps * kRows;
  simt::launch(static_cast<unsigned>((N + kRowsOfABlock - 1) / kRowsOfABlock), kWarps * kLanes, 0,
               w4a16_gemv_warp_kernel, simt::trace("W", reinterpret_cast<const uint4*>(W.qweight)),
               W.scale, W.zero_point, simt::trace("x", reinterpret_cast<const uint4*>(x)), y, N, K,
               W.group_size);
}

}  // namespace qlab::exercise
