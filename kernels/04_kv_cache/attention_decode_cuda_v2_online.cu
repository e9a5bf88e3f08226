// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_cuda_v2_online: a block a KV head, whose query heads share each load; one pass.
///
/// Idea     the softmax is corrected when a larger score comes, so K and V are read together
/// Before   K and V were read once for each query head
/// Needs    any GPU
///
/// Bottleneck   batch · n_kv_heads blocks: at batch 1 few multiprocessors work
/// Teaches      online softmax; 32 sums over a warp in 31 shuffles
/// Leaves out   several blocks a sequence (v3); tensor cores (v4)
#include "04_kv_cache/attention_decode_cuda.h"
#include "04_kv_cache/attention_decode_cuda_host.h"
#include "04_kv_cache/attention_decode_cuda_online.h"

namespace qlab {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * 32;

template <DecodeFormat kFormat, int kHeadDim, int kGroup>
__global__ void __launch_bounds__(kThreads)
    online_kernel(const half* __restrict__ q,       // [batch, n_heads, kHeadDim]
                  DecodeCache kv,                   //
                  const int* __restrict__ lengths,  // [batch]
                  int n_heads, float score_scale,
                  half* out) {  // [batch, n_heads, kHeadDim]
  DYNAMIC_SHARED(float, memory);
  const decode::WarpParts<kHeadDim, kGroup, kWarps> of_warps(memory);

  // Who am I: this block's KV head and sequence.
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int g = static_cast<int>(blockIdx.x), b = static_cast<int>(blockIdx.y);
  const int group = n_heads / kv.n_kv_heads;
  const std::size_t first_head = static_cast<std::size_t>(b * n_heads + g * group);
  const std::size_t first_row =
      static_cast<std::size_t>(b * kv.n_kv_heads + g) * static_cast<std::size_t>(kv.capacity);
  const int length = lengths[b];

  // Load:    q → registers.
  using Online = decode::Online<kFormat, kHeadDim, kGroup>;
  Online sum(q + first_head * kHeadDim, group, lane);

  // Compute: the warps take the tokens in turn, a few at a time.
  for (int t0 = warp * Online::kTokens; t0 < length; t0 += kWarps * Online::kTokens) {
    sum.take(kv, g, first_row, t0, length, score_scale);
  }

  // Store:   the warps' parts → shared → the output, global.
  sum.store(of_warps, warp);
  __syncthreads();  // the warps' parts are written, and merged below
  decode::finish(of_warps, {.first_head = first_head,
                            .group = group,
                            .split = 0,
                            .splits = 1,
                            .used = 1,
                            .parts = {},
                            .arrived = nullptr,
                            .out = out});
}

}  // namespace

/// One call; attention_decode_cuda.h says what it takes and gives.
void attention_decode_cuda_v2_online(const DecodeAttention& a, Stream stream) {
  decode::check_attention("attention_decode_cuda_v2_online", a, decode::Layout::kContiguous);
  decode::with_format(a.kv, [&]<DecodeFormat kFormat, int kHeadDim>() {
    decode::with_group(a, [&]<int kGroup>() {
      const dim3 grid(static_cast<unsigned>(a.kv.n_kv_heads), static_cast<unsigned>(a.kv.batch));
      enqueue(stream, grid, kThreads, decode::WarpParts<kHeadDim, kGroup, kWarps>::kBytes,
              online_kernel<kFormat, kHeadDim, kGroup>, a.q, a.kv, a.device_lengths, a.n_heads,
              decode::score_scale(kHeadDim), a.out);
    });
  });
}

}  // namespace qlab
