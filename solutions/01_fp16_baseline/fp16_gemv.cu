// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemv: a warp walks along its row in pairs of halves, then adds up 32 partial sums.
///
/// Bottleneck   memory: each pair is 4 bytes of W for two multiply-adds
/// Teaches      neighbouring lanes read neighbouring bytes; five shuffles instead of shared memory
/// Leaves out   16 bytes a lane and load, which keeps more of the memory busy (w4a16_gemv)
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
  // BEGIN SOLUTION [fp16_gemv_row] Find this thread's row and lane
  // Set `n`, the row of W, and `lane`, 0 … 31. Blocks follow each other, and so do the warps in a
  // block: row 0 belongs to the first warp of block 0, row kWarps to the first warp of block 1.

  // A warp is 32 threads with consecutive threadIdx.x, so the quotient is the warp's place.
  const int warp = static_cast<int>(threadIdx.x) / kLanes;
  lane = static_cast<int>(threadIdx.x) % kLanes;
  n = static_cast<int>(blockIdx.x) * kWarps + warp;
  // END SOLUTION [fp16_gemv_row]
  if (n >= N) return;  // the last block's spare warps leave as a whole: a shuffle needs all lanes

  // Load:    pairs of W and x, global memory → registers.
  // Compute: products and sums in FP32.
  const int pairs = K / 2;
  const std::size_t row = static_cast<std::size_t>(n) * static_cast<std::size_t>(pairs);
  float sum = 0;
  // BEGIN SOLUTION [fp16_gemv_sum] Sum this lane's share of the row
  // Add to `sum` every 32nd pair of the row times its pair of x, in FP32. Pair p of the row is
  // W[row + p] and belongs to x[p]; there are `pairs` of them, not always a multiple of 32.
  // __half22float2 widens a pair.

  // In each step the lanes read 32 pairs side by side: 128 bytes, four sectors, none half used. The
  // bound is the number of pairs, not of steps, so the tail needs no code of its own.
  for (int p = lane; p < pairs; p += kLanes) {
    const float2 weight = __half22float2(W[row + p]);
    const float2 value = __half22float2(x[p]);
    sum = __fmaf_rn(weight.x, value.x, sum);
    sum = __fmaf_rn(weight.y, value.y, sum);
  }
  // END SOLUTION [fp16_gemv_sum]

  // Store:   32 partial sums → one, by shuffles; one lane writes it.
  // BEGIN SOLUTION [fp16_gemv_reduce] Add up the lanes and store the row's sum
  // Write the total of all 32 lanes' `sum` to y[n], once. __shfl_down_sync(kAllLanes, sum, d) is the
  // `sum` of lane + d; every lane of the warp must call it.

  // After the first step lanes 0 … 15 hold sums of two, after the fifth lane 0 the sum of all. What
  // the upper lanes add is rubbish that nobody reads.
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    sum += __shfl_down_sync(kAllLanes, sum, distance);
  }
  if (lane == 0) y[n] = sum;
  // END SOLUTION [fp16_gemv_reduce]
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
