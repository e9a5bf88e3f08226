// SPDX-License-Identifier: Apache-2.0
/// \file
/// How blocks of attention_decode_cuda cut a context, and how the softmaxes of warps and of blocks
/// become one: in the same launch, by the block that is done last.
#pragma once

#include <atomic>
#include <cmath>

#include "04_kv_cache/attention_decode_cuda.h"

namespace qlab::decode {

/// Tokens begin … end - 1.
struct TokenRange {
  int begin, end;  // of this split
  int used;        // splits of the sequence that have tokens; those before it
};

/// Of split number `split`: ⌈length / splits⌉ tokens, rounded up to a multiple of kSplitTile. The
/// last splits of a short sequence have none.
__device__ inline TokenRange tokens_of(int split, int splits, int length) {
  const int chunk = ((length + splits - 1) / splits + kSplitTile - 1) / kSplitTile * kSplitTile;
  const int begin = min(split * chunk, length);
  return {begin, min(begin + chunk, length), (length + chunk - 1) / chunk};
}

/// What the warps of a block leave in its shared memory: m is the largest score, times log₂ e; l is
/// Σ 2^(score - m), o the same with V as a factor. A warp without tokens leaves -∞, 0 and 0.
template <int kHeadDim, int kHeads, int kWarps>
struct WarpParts {
  static constexpr int kBytes = kWarps * kHeads * (kHeadDim + 2) * int{sizeof(float)};
  float* o;  // [kWarps, kHeads, kHeadDim]  16-byte aligned
  float* m;  // [kWarps, kHeads]
  float* l;  // [kWarps, kHeads]

  /// In shared memory of kBytes.
  __device__ explicit WarpParts(void* memory)
      : o(static_cast<float*>(memory)), m(o + kWarps * kHeads * kHeadDim), l(m + kWarps * kHeads) {}
};

/// One head and four channels.
struct Merged {
  float m, l;
  float4 o;
};

/// Of `parts` softmaxes, at least one of which has a token: m[i·stride], l[i·stride] and
/// o[i·o_stride] of part i.
__device__ inline Merged merge(const float* m, const float* l, int stride, const float4* o,
                               int o_stride, int parts) {
  Merged all{-INFINITY, 0, {0, 0, 0, 0}};
#if defined(__CUDACC__)
#pragma unroll 8
#endif
  for (int i = 0; i < parts; ++i) all.m = fmaxf(all.m, m[i * stride]);
#if defined(__CUDACC__)
#pragma unroll 8
#endif
  for (int i = 0; i < parts; ++i) {
    const float keep = exp2f(m[i * stride] - all.m);  // 0 for a part without tokens
    const float4 part = o[i * o_stride];
    all.l = __fmaf_rn(keep, l[i * stride], all.l);
    all.o.x = __fmaf_rn(keep, part.x, all.o.x);
    all.o.y = __fmaf_rn(keep, part.y, all.o.y);
    all.o.z = __fmaf_rn(keep, part.z, all.o.z);
    all.o.w = __fmaf_rn(keep, part.w, all.o.w);
  }
  return all;
}

/// out [4], 8-byte aligned.
__device__ inline void store_output(const Merged& all, half* out) {
  half2* const pairs = reinterpret_cast<half2*>(out);
  pairs[0] = __floats2half2_rn(all.o.x / all.l, all.o.y / all.l);
  pairs[1] = __floats2half2_rn(all.o.z / all.l, all.o.w / all.l);
}

/// Counts one more block, and returns how many there were. What the block wrote before a barrier is
/// visible to those that count later; what they wrote before, behind a barrier to this block.
__device__ inline unsigned arrive(unsigned* counter) {
#if defined(__CUDACC__)
  __threadfence();
  const unsigned before = atomicAdd(counter, 1U);
  __threadfence();
  return before;
#else  // the same order as a property of the atomic, which ThreadSanitizer understands
  return std::atomic_ref<unsigned>(*counter).fetch_add(1, std::memory_order_acq_rel);
#endif
}

/// Where a block's result goes.
struct Destination {
  std::size_t first_head;  // of this block's group, among all heads of the batch
  int group;               // query heads that exist
  int split, splits;       // this one, and as many as `parts` has room for
  int used;                // splits that take part
  SplitParts parts;
  unsigned* arrived;  // the counter of this sequence and KV head
  half* out;          // [batch · n_heads, kHeadDim]
};

/// Merges the warps' softmaxes, which are written and visible. The only split stores the output;
/// else each leaves a part, and the last one to arrive merges all, in their order: the bits do not
/// depend on who is last.
template <int kHeadDim, int kHeads, int kWarps>
__device__ void finish(const WarpParts<kHeadDim, kHeads, kWarps>& warps, const Destination& to) {
  constexpr int kQuads = kHeadDim / 4, kThreads = kWarps * 32;
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < to.group * kQuads; i += kThreads) {
    const int h = i / kQuads, d = i % kQuads;
    const Merged all = merge(warps.m + h, warps.l + h, kHeads,
                             reinterpret_cast<const float4*>(warps.o) + i, kHeads * kQuads, kWarps);
    const std::size_t head = to.first_head + static_cast<std::size_t>(h);
    if (to.used == 1) {
      store_output(all, to.out + head * kHeadDim + 4 * static_cast<std::size_t>(d));
      continue;
    }
    const std::size_t row =
        head * static_cast<std::size_t>(to.splits) + static_cast<std::size_t>(to.split);
    reinterpret_cast<float4*>(to.parts.o)[row * kQuads + static_cast<std::size_t>(d)] = all.o;
    if (d == 0) to.parts.m[row] = all.m, to.parts.l[row] = all.l;
  }
  if (to.used == 1) return;

  __shared__ int is_last;
  __syncthreads();  // the part is written by all threads, and announced by one
  if (thread == 0) is_last = arrive(to.arrived) == static_cast<unsigned>(to.used - 1) ? 1 : 0;
  __syncthreads();  // is_last is written by one thread and read by all, as are the other parts
  if (is_last == 0) return;
  for (int i = thread; i < to.group * kQuads; i += kThreads) {
    const int h = i / kQuads, d = i % kQuads;
    const std::size_t head = to.first_head + static_cast<std::size_t>(h);
    const std::size_t row = head * static_cast<std::size_t>(to.splits);
    const Merged all =
        merge(to.parts.m + row, to.parts.l + row, 1,
              reinterpret_cast<const float4*>(to.parts.o) + row * kQuads + d, kQuads, to.used);
    store_output(all, to.out + head * kHeadDim + 4 * static_cast<std::size_t>(d));
  }
  if (thread == 0) *to.arrived = 0;  // for the next call: all blocks of this one have counted
}

}  // namespace qlab::decode
