// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_cuda_v3_split: the context cut into splits, merged in the same launch.
///
/// Idea     more blocks than sequences and heads; the last block of a head merges their parts
/// Before   a few long sequences left most multiprocessors idle
/// Needs    any GPU
///
/// Bottleneck   instructions: widening, FMA and shuffles; memory comes after them
/// Teaches      parts merge exactly; a counter and two fences in place of a second kernel
/// Leaves out   tensor cores for the group, copies far ahead of their use (v4)
#include "04_kv_cache/attention_decode_cuda.h"
#include "04_kv_cache/attention_decode_cuda_host.h"
#include "04_kv_cache/attention_decode_cuda_online.h"

namespace qlab {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * 32;

template <DecodeFormat kFormat, int kHeadDim, int kGroup>
__global__ void __launch_bounds__(kThreads)
    split_kernel(const half* __restrict__ q,       // [batch, n_heads, kHeadDim]
                 DecodeCache kv,                   //
                 const int* __restrict__ lengths,  // [batch]
                 int n_heads, float score_scale, SplitParts parts, unsigned* arrived,
                 half* out) {  // [batch, n_heads, kHeadDim]
  DYNAMIC_SHARED(float, memory);
  const decode::WarpParts<kHeadDim, kGroup, kWarps> of_warps(memory);

  // Who am I: this block's split, KV head and sequence.
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int split = static_cast<int>(blockIdx.x), splits = static_cast<int>(gridDim.x);
  const int g = static_cast<int>(blockIdx.y), b = static_cast<int>(blockIdx.z);
  const int group = n_heads / kv.n_kv_heads;
  const std::size_t first_head = static_cast<std::size_t>(b * n_heads + g * group);
  const std::size_t first_row =
      static_cast<std::size_t>(b * kv.n_kv_heads + g) * static_cast<std::size_t>(kv.capacity);
  const decode::TokenRange range = decode::tokens_of(split, splits, lengths[b]);
  if (split >= range.used) return;  // the whole block; no one waits for it

  // Load:    q → registers.
  using Online = decode::Online<kFormat, kHeadDim, kGroup>;
  Online sum(q + first_head * kHeadDim, group, lane);

  // Compute: the warps take the tokens in turn, a few at a time.
  for (int t0 = range.begin + warp * Online::kTokens; t0 < range.end;
       t0 += kWarps * Online::kTokens) {
    sum.take(kv, g, first_row, t0, range.end, score_scale);
  }

  // Store:   the warps' parts → shared → a part, global; the last block merges them.
  sum.store(of_warps, warp);
  __syncthreads();  // the warps' parts are written, and merged below
  decode::finish(of_warps, {.first_head = first_head,
                            .group = group,
                            .split = split,
                            .splits = splits,
                            .used = range.used,
                            .parts = parts,
                            .arrived = arrived + b * kv.n_kv_heads + g,
                            .out = out});
}

}  // namespace

/// One call; attention_decode_cuda.h says what it takes and gives.
void attention_decode_cuda_v3_split(const DecodeAttention& a, Stream stream) {
  decode::check_split_rung("attention_decode_cuda_v3_split", a, decode::Layout::kContiguous);
  decode::with_format(a.kv, [&]<DecodeFormat kFormat, int kHeadDim>() {
    decode::with_group(a, [&]<int kGroup>() {
      decode::launch_splits(a, stream, kThreads,
                            decode::WarpParts<kHeadDim, kGroup, kWarps>::kBytes,
                            split_kernel<kFormat, kHeadDim, kGroup>);
    });
  });
}

}  // namespace qlab
