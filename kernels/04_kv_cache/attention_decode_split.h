// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_split: one new token a sequence on the GPU, its context cut into splits.
///
/// Bottleneck   memory, once enough blocks read at a time: K and V are read once
/// Bytes moved  read 2·n_kv_heads·Σ length·kv_device_row_bytes; parts and q beside it
/// FLOPs        4·n_heads·head_dim·Σ length
/// Teaches      parts of a softmax that merge exactly; a lane is a token, then a channel
/// Leaves out   tensor cores, merging in the same launch, pages (all three: attention_decode_cuda)
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "04_kv_cache/kv_device.h"
#include "common/contract.h"
#include "simt/enqueue.h"

namespace qlab {

/// Tokens that a warp looks at together. A split begins at a multiple of it.
inline constexpr int kSplitTile = 32;
inline constexpr int kSplitWarps = 4;     // of a block: they take the tiles of its split in turn
inline constexpr int kSplitMaxGroup = 8;  // query heads that share a KV head
inline constexpr int kSplitResident = 3;  // blocks that a multiprocessor runs at a time, at least

/// What each split leaves for the merge: the softmax of its own tokens, not divided by its sum. A
/// split without a token leaves m = -∞, l = 0, o = 0.
struct SplitParts {
  float* m;  // [batch, n_heads, splits]            largest score
  float* l;  // [batch, n_heads, splits]            Σ e^(score - m)
  float* o;  // [batch, n_heads, splits, head_dim]  Σ e^(score - m) · v
};

/// The operands of attention_decode_split.
struct SplitAttention {
  const half* q;                 // [batch, n_heads, head_dim]
  KvDeviceCache kv;              //
  std::span<const int> lengths;  // [batch]  on the host, which checks them: 1 … capacity
  const int* device_lengths;     // [batch]  the same numbers, where a kernel reads them
  int n_heads;                   //
  int splits;                    // the context of every sequence is cut into
  SplitParts parts;              // memory to work in
  float* out;                    // [batch, n_heads, head_dim]
};

/// Fewest splits whose time is within a tenth of the best, if time is rounds of blocks times the
/// tiles that a warp walks through. Source: Dao et al., "Flash-Decoding for long-context
/// inference", 2023; the idea to count waves of blocks is FlashAttention's num_splits_heuristic.
inline int choose_splits(int batch, int n_kv_heads, int length, int multiprocessors) {
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t slots = std::int64_t{multiprocessors} * kSplitResident;
  const std::int64_t steps = up(length, kSplitTile * kSplitWarps);  // of all warps of a block
  const auto time = [&](std::int64_t splits) {
    const std::int64_t steps_of_a_split = up(steps, splits);
    const std::int64_t blocks = up(steps, steps_of_a_split) * n_kv_heads * batch;
    return up(blocks, slots) * steps_of_a_split;
  };
  std::int64_t best = time(1);
  for (std::int64_t splits = 2; splits <= steps; ++splits) best = std::min(best, time(splits));
  int splits = 1;
  while (10 * time(splits) > 11 * best) ++splits;
  return splits;
}

/// Refuses operands that do not fit, before anything is read on the device.
inline void check_split_attention(const SplitAttention& a) {
  constexpr const char* kName = "attention_decode_split";
  const KvDeviceCache& kv = a.kv;
  check_kv_device(kName, kv);
  QLAB_CHECK(a.n_heads >= 1 && a.n_heads % kv.n_kv_heads == 0, kName, ": ", a.n_heads,
             " query heads on ", kv.n_kv_heads,
             " KV heads; each KV head serves a whole number of query heads, from 1 on");
  QLAB_CHECK(a.n_heads / kv.n_kv_heads <= kSplitMaxGroup, kName, ": ", a.n_heads / kv.n_kv_heads,
             " query heads share a KV head, but a lane has registers for ", kSplitMaxGroup);
  QLAB_CHECK(a.splits >= 1, kName, ": splits is ", a.splits,
             "; 1 leaves the context whole, and choose_splits knows more");
  QLAB_CHECK(std::ssize(a.lengths) == kv.batch, kName, ": ", std::ssize(a.lengths),
             " lengths for a batch of ", kv.batch);
  for (int b = 0; b < kv.batch; ++b) {
    const int length = a.lengths[static_cast<std::size_t>(b)];
    QLAB_CHECK(length >= 1 && length <= kv.capacity, kName, ": length ", length, " of sequence ", b,
               " is not within 1 and the capacity ", kv.capacity,
               "; write the new token's K and V to the cache first");
  }
}

/// The exercise: written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// out[b, h] = Σₜ softmaxₜ(q[b, h] · K[b, g, t] / √head_dim) · V[b, g, t], t < lengths[b], with
/// g = h / (n_heads / n_kv_heads), in FP32.
///
/// Split s of a sequence has the tokens from s·c on, up to (s + 1)·c or the sequence's end, where c
/// is ⌈length / splits⌉, rounded up to a multiple of kSplitTile. Launches two kernels in `stream`
/// and waits for none. K and V are read once, in pieces of 16 bytes; scores are scaled instead of
/// K, weights instead of V. Source: Milakov, Gimelshein, "Online normalizer calculation for
/// softmax", 2018, section 3.1.
///
/// \throws ContractError when an operand does not fit; a length of 0 has no softmax.
void attention_decode_split(const SplitAttention& attention, Stream stream = {});

}  // namespace exercise

/// `tokens` is Σ length. The parts are small beside K and V, and are left out.
constexpr Cost attention_decode_split_cost(KvDeviceFormat format, std::int64_t batch,
                                           std::int64_t n_heads, std::int64_t n_kv_heads,
                                           std::int64_t head_dim, std::int64_t tokens) {
  return {.bytes = 2 * n_kv_heads * tokens * kv_device_row_bytes(format, head_dim) +
                   (2 + 4) * batch * n_heads * head_dim,
          .flops = 4 * n_heads * head_dim * tokens};
}

// The oracle and the tolerance are in attention_decode_split_ref.h.

}  // namespace qlab
