// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemv: your turn. Replace each todo() with your code, then run `./lab check fp16_gemv`.
#include "01_fp16_baseline/fp16_gemv.h"

#include "simt/traced.h"

namespace qlab::exercise {
namespace {

constexpr int kWarps = 4;  // rows that a block computes
constexpr int kLanes = 32;
constexpr unsigned kAllLanes = 0xFFFF'FFFF;

__global__ void __launch_bounds__(kWarps* kLanes)
    fp16_gemv_kernel(simt::traced<const half2> W,  // [N, K / 2]  pairs (k, k + 1)
                     simt::traced<const half2> x,  // [K / 2]
                     simt::traced<float> y,        // [N]
                     int N, int K) {
  // Who am I: one of kWarps warps in this block, each with a row of W; one of 32 lanes in it.
  int n = 0, lane = 0;
  // TODO [fp16_gemv_row] Find this thread's row and lane
  // Set `n`, the row of W, and `lane`, 0 … 31. Blocks follow each other, and so do the warps in a
  // block: row 0 belongs to the first warp of block 0, row kWarps to the first warp of block 1.
  todo("fp16_gemv_row");
  if (n >= N) return;  // the last block's spare warps leave as a whole: a shuffle needs all lanes

  // Load:    pairs of W and x, global memory → registers.
  // Compute: products and sums in FP32.
  const int pairs = K / 2;
  const std::size_t row = static_cast<std::size_t>(n) * static_cast<std::size_t>(pairs);
  float sum = 0;
  // TODO [fp16_gemv_sum] Sum this lane's share of the row
  // Add to `sum` every 32nd pair of the row times its pair of x, in FP32. Pair p of the row is
  // W[row + p] and belongs to x[p]; there are `pairs` of them, not always a multiple of 32.
  // __half22float2 widens a pair.
  todo("fp16_gemv_sum");

  // Store:   32 partial sums → one, by shuffles; one lane writes it.
  // TODO [fp16_gemv_reduce] Add up the lanes and store the row's sum
  // Write the total of all 32 lanes' `sum` to y[n], once. __shfl_down_sync(kAllLanes, sum, d) is the
  // `sum` of lane + d; every lane of the warp must call it.
  todo("fp16_gemv_reduce");
}

}  // namespace

void fp16_gemv(const half* W, const half* x, float* y, int N, int K) {
  QLAB_CHECK(N >= 1, "fp16_gemv: N is ", N, "; a matrix has at least one row");
  QLAB_CHECK(K >= 2 && K % 2 == 0, "fp16_gemv: K is ", K,
             ", expected an even number from 2 on, since rows are read in pairs of halves");
  simt::launch(static_cast<unsigned>((N + kWarps - 1) / kWarps), kWarps * kLanes, 0,
               fp16_gemv_kernel, simt::trace("W", reinterpret_cast<const half2*>(W)),
               simt::trace("x", reinterpret_cast<const half2*>(x)), simt::trace("y", y), N, K);
}

}  // namespace qlab::exercise
