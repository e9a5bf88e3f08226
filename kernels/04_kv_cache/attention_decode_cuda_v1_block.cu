// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_cuda_v1_block: a block a query head; all scores first, then all of V.
///
/// Idea     the textbook's order: scores in shared memory, their softmax, the weighted sum of V
/// Before   nothing
/// Needs    any GPU; shared memory for the scores of the whole context
///
/// Bottleneck   loads: K and V are read once for each query head, group times in all
/// Teaches      scales wait until after the sum: one product a token, not one a channel
/// Leaves out   sharing K and V among the heads of a group (v2); several blocks a sequence (v3)
#include "04_kv_cache/attention_decode_cuda.h"
#include "04_kv_cache/attention_decode_cuda_host.h"
#include "04_kv_cache/attention_decode_cuda_lanes.h"

namespace qlab {
namespace {

using decode::kAllLanes;
constexpr int kWarps = 8, kThreads = kWarps * 32;

__device__ float warp_sum(float x) {
  for (int d = 16; d > 0; d /= 2) x += __shfl_xor_sync(kAllLanes, x, d);
  return x;
}

template <DecodeFormat kFormat, int kHeadDim>
__global__ void __launch_bounds__(kThreads)
    block_kernel(const half* __restrict__ q,       // [batch, n_heads, kHeadDim]
                 DecodeCache kv,                   //
                 const int* __restrict__ lengths,  // [batch]
                 float softmax_scale,              //
                 half* __restrict__ out) {         // [batch, n_heads, kHeadDim]
  constexpr int kChannels = kHeadDim / 32;
  using Codes = decode::LaneCodes<kFormat, kChannels>;
  DYNAMIC_SHARED(float, memory);
  float* const of_warps = memory;                  // [kWarps]
  float* const sums = memory + kWarps;             // [kWarps, kHeadDim]
  float* const scores = sums + kWarps * kHeadDim;  // [length]

  // Who am I: this block's query head and sequence; this lane's channels.
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int h = static_cast<int>(blockIdx.x), n_heads = static_cast<int>(gridDim.x);
  const int b = static_cast<int>(blockIdx.y), g = h / (n_heads / kv.n_kv_heads);
  const std::size_t head = static_cast<std::size_t>(b * n_heads + h) * kHeadDim;
  const std::size_t first_row =
      static_cast<std::size_t>(b * kv.n_kv_heads + g) * static_cast<std::size_t>(kv.capacity);
  const int length = lengths[b];

  // Load:    q → registers.
  float query[kChannels], query_sum = 0;
  for (int c = 0; c < kChannels; ++c) {
    query[c] = __half2float(q[head + static_cast<std::size_t>(lane * kChannels + c)]);
    query_sum += query[c];
  }
  query_sum = warp_sum(query_sum);

  // Compute: scores, a warp a token.
  float largest = -INFINITY;
  for (int t = warp; t < length; t += kWarps) {
    const std::size_t row = first_row + static_cast<std::size_t>(t);
    float k[kChannels], dot = 0;
    Codes::load(kv.k, row, lane).widen(k);
    for (int c = 0; c < kChannels; ++c) dot = __fmaf_rn(query[c], k[c], dot);
    const decode::Grid grid = decode::load_grid<kFormat>(kv.k, g, row);
    dot = __fmul_rn(__fmaf_rn(warp_sum(dot), grid.scale, grid.minimum * query_sum), softmax_scale);
    if (lane == 0) scores[t] = dot;
    largest = fmaxf(largest, dot);
  }
  if (lane == 0) of_warps[warp] = largest;
  __syncthreads();  // all scores and the warps' largest are written, and read below
  for (int w = 0; w < kWarps; ++w) largest = fmaxf(largest, of_warps[w]);
  __syncthreads();  // the largest were read; the sums of weights take their place
  float sum = 0;
  for (int t = thread; t < length; t += kThreads) {
    const float weight = expf(scores[t] - largest);
    scores[t] = weight;
    sum += weight;
  }
  sum = warp_sum(sum);
  if (lane == 0) of_warps[warp] = sum;
  __syncthreads();  // all weights are written, and read below by warps of other tokens
  sum = 0;
  for (int w = 0; w < kWarps; ++w) sum += of_warps[w];
  float o[kChannels] = {}, lift = 0;  // of this warp's tokens: Σ weight · code, Σ weight · minimum
  for (int t = warp; t < length; t += kWarps) {
    const std::size_t row = first_row + static_cast<std::size_t>(t);
    float v[kChannels];
    Codes::load(kv.v, row, lane).widen(v);
    const decode::Grid grid = decode::load_grid<kFormat>(kv.v, g, row);
    const float weight = scores[t] * grid.scale;
    for (int c = 0; c < kChannels; ++c) o[c] = __fmaf_rn(weight, v[c], o[c]);
    lift = __fmaf_rn(scores[t], grid.minimum, lift);
  }

  // Store:   the warps' sums → shared → their sum, global.
  for (int c = 0; c < kChannels; ++c) sums[warp * kHeadDim + lane * kChannels + c] = o[c] + lift;
  __syncthreads();  // the warps' sums are written, and added below
  if (thread >= kHeadDim) return;
  float all = 0;
  for (int w = 0; w < kWarps; ++w) all += sums[w * kHeadDim + thread];
  out[head + static_cast<std::size_t>(thread)] = __float2half_rn(all / sum);
}

}  // namespace

/// One call; attention_decode_cuda.h says what it takes and gives.
void attention_decode_cuda_v1_block(const DecodeAttention& a, Stream stream) {
  constexpr const char* kName = "attention_decode_cuda_v1_block";
  decode::check_attention(kName, a, decode::Layout::kContiguous);
  const int longest = *std::max_element(a.lengths.begin(), a.lengths.end());
  QLAB_CHECK(longest <= kDecodeBlockTokens, kName, ": the scores of ", longest,
             " tokens do not fit into shared memory, which holds ", kDecodeBlockTokens,
             "; use v2, which keeps none");
  decode::with_format(a.kv, [&]<DecodeFormat kFormat, int kHeadDim>() {
    const dim3 grid(static_cast<unsigned>(a.n_heads), static_cast<unsigned>(a.kv.batch));
    const int floats = kWarps + kWarps * kHeadDim + longest;
    enqueue(stream, grid, kThreads, static_cast<std::size_t>(floats) * sizeof(float),
            block_kernel<kFormat, kHeadDim>, a.q, a.kv, a.device_lengths,
            1 / std::sqrt(static_cast<float>(kHeadDim)), a.out);
  });
}

}  // namespace qlab
