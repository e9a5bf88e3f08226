// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemv_warp: your turn. Replace each todo() with your code, then run `./lab check w4a16_gemv_warp`.
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
  // TODO [w4a16_gemv_warp_dot] Multiply 32 codes with their x
  // Add to `sum` all 32 products, in FP32. Nibble i of words[w] is the code that belongs to
  // x[8 * w + i]. Make halves of the codes by their bits, as in dequant_bits, and take off 1024 and
  // the zero point at once. as_half2(w) sees a word as a pair, __half22float2 widens one.
  todo("w4a16_gemv_warp_dot");
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
  // TODO [w4a16_gemv_warp_walk] Walk along two rows, 16 bytes at a time
  // Add to sum[i], for each row n = n0 + i, every 32nd piece: its dot() with its x, times the scale
  // of its group. Piece p of row n is W[n * pieces + p], with n as std::size_t, and its codes begin
  // at k = p * kInt4Piece; load_x takes its number. Scale and zero point of group g of row n stand
  // at n * groups + g. Where row n does not exist, take the last one: its sum will not be stored.
  todo("w4a16_gemv_warp_walk");

  // Store:   32 partial sums → one, by shuffles; one lane writes it.
  // TODO [w4a16_gemv_warp_store] Add up the lanes and store both rows
  // For each row n = n0 + i that exists, write the total of all 32 lanes' sum[i] to y[n], once.
  // __shfl_down_sync(kAllLanes, value, d) is the `value` of lane + d; every lane of the warp must
  // call it.
  todo("w4a16_gemv_warp_store");
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
