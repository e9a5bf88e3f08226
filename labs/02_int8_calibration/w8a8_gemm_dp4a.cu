// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_dp4a: your turn. Replace each todo() with your code, then run `./lab check w8a8_gemm_dp4a`.
#include "02_int8_calibration/w8a8_gemm_dp4a.h"

#include "simt/traced.h"

namespace qlab::exercise {
namespace {

constexpr int kWarps = 4;  // rows of W that a block works on
constexpr int kLanes = 32;
constexpr int kCodes = 4;  // in a word of 32 bits
constexpr unsigned kAllLanes = 0xFFFF'FFFF;

/// A row of codes, seen as words. Memory has the byte of the lowest address in a word's lowest bits:
///   bits 31 … 24   23 … 16   15 … 8    7 … 0
///        k = 4p+3  k = 4p+2  k = 4p+1  k = 4p     of word p
using Words = simt::traced<const int>;

/// Ones in the bytes of a row's last word that are the row's.
__device__ int last_word_mask(int K) {
  int mask = 0;
  // TODO [w8a8_gemm_dp4a_mask] Mask the end of a row
  // Set `mask` to ones in the bytes of a row's last word that hold codes of the row, zeros in the
  // others. 1 to 4 of them are the row's, the lowest ones.
  todo("w8a8_gemm_dp4a_mask");
  return mask;
}

/// kTokens rows of X share one read of W: 4, or 1 for decode, which has no more.
template <int kTokens>
__global__ void __launch_bounds__(kWarps* kLanes)
    w8a8_gemm_dp4a_kernel(Words X,                            // [M, pitch]
                          const float* __restrict__ x_scale,  // [M]
                          Words W,                            // [N, pitch]
                          const float* __restrict__ w_scale,  // [N]
                          float* __restrict__ Y,              // [M, N]
                          int M, int N, int K, int pitch) {
  // Who am I: a warp, with row n of W and the tokens m0 … m0 + kTokens - 1; one of 32 lanes in it.
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int n = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kLanes;
  const int m0 = static_cast<int>(blockIdx.y) * kTokens;
  if (n >= N) return;  // the last block's spare warps leave as a whole: a shuffle needs all lanes

  // Load:    words of W and X, global memory → registers.
  // Compute: four products an instruction, summed in int32.
  const int words = (K + kCodes - 1) / kCodes;  // of a row; they are `pitch` words apart
  const int mask = last_word_mask(K);
  const std::size_t row = static_cast<std::size_t>(n) * pitch;
  int sum[kTokens] = {};
  // TODO [w8a8_gemm_dp4a_sum] Sum this lane's share of the rows
  // Add to sum[i], for each token m0 + i, every 32nd word of row n of W times the same word of the
  // token. Word p of the row of W is W[row + p], that of token m is X[m * pitch + p], with m as
  // std::size_t. Where the token does not exist, take the last one: its sum will not be stored.
  // __dp4a(a, b, c) is c plus the products of four pairs of codes. `mask` is that of word words - 1.
  todo("w8a8_gemm_dp4a_sum");

  // Store:   32 partial sums → one, by shuffles; one lane scales and writes it.
  // TODO [w8a8_gemm_dp4a_store] Add up the lanes, scale, store
  // For each token m that exists, write the total of all 32 lanes' sum[i], as a float, times
  // x_scale[m], times w_scale[n], to Y[m * N + n], once, with m as std::size_t. __shfl_down_sync(
  // kAllLanes, value, d) is the `value` of lane + d; every lane of the warp must call it.
  todo("w8a8_gemm_dp4a_store");
}

}  // namespace

void w8a8_gemm_dp4a(const std::int8_t* X, const float* x_scale, const std::int8_t* W,
                    const float* w_scale, float* Y, int M, int N, int K, int stride) {
  QLAB_CHECK(M >= 1 && N >= 1, "w8a8_gemm_dp4a: M=", M, " N=", N, "; both are at least 1");
  QLAB_CHECK(K >= 1 && K <= kW8A8MaxK, "w8a8_gemm_dp4a: K is ", K, ", expected 1 … ", kW8A8MaxK,
             ", so that int32 holds any sum");
  QLAB_CHECK(stride >= K && stride % kCodes == 0, "w8a8_gemm_dp4a: stride is ", stride,
             ", expected a multiple of 4 from K = ", K,
             " on, since rows are read in words; pad the rows");
  const int tokens = M == 1 ? 1 : 4;
  const dim3 grid(static_cast<unsigned>((N + kWarps - 1) / kWarps),
                  static_cast<unsigned>((M + tokens - 1) / tokens));
  simt::launch(
      grid, kWarps * kLanes, 0, tokens == 1 ? w8a8_gemm_dp4a_kernel<1> : w8a8_gemm_dp4a_kernel<4>,
      simt::trace("X", reinterpret_cast<const int*>(X)), x_scale,
      simt::trace("W", reinterpret_cast<const int*>(W)), w_scale, Y, M, N, K, stride / kCodes);
}

}  // namespace qlab::exercise
