// SPDX-License-Identifier: Apache-2.0
/// \file
/// The kernel of v4 and v5 of attention_decode_cuda. They differ in where a token's row lies.
#pragma once

#include <algorithm>

#include "04_kv_cache/attention_decode_cuda_columns.h"
#include "04_kv_cache/attention_decode_cuda_host.h"
#include "04_kv_cache/attention_decode_cuda_rows.h"

namespace qlab::decode {

/// A block a split: each of its warps walks through its own tiles, kStages - 1 of which are under
/// way. Of the tile behind these the page is looked up, so that its copies need not wait for it.
template <DecodeFormat kFormat, int kHeadDim, class Rows>
__global__ void __launch_bounds__(kThreads, decode_copies(kFormat).resident)
    mma_kernel(const half* __restrict__ q,       // [batch, n_heads, kHeadDim]
               DecodeCache kv,                   //
               const int* __restrict__ lengths,  // [batch]
               int n_heads, float score_scale, SplitParts parts, unsigned* arrived,
               half* out) {  // [batch, n_heads, kHeadDim]
  using Tile = MmaTile<kFormat, kHeadDim>;
  constexpr int kTokens = Tile::kTokens, kStages = Tile::kStages, kStep = kWarps * kTokens;
  DYNAMIC_SHARED(unsigned char, memory);

  // Who am I: this block's split, KV head and sequence; this warp's tiles; this lane's tokens.
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int split = static_cast<int>(blockIdx.x), splits = static_cast<int>(gridDim.x);
  const int g = static_cast<int>(blockIdx.y), b = static_cast<int>(blockIdx.z);
  const int group = n_heads / kv.n_kv_heads, token = lane % kTokens;
  const std::size_t first_head = static_cast<std::size_t>(b * n_heads + g * group);
  const TokenRange range = tokens_of(split, splits, lengths[b]);
  if (split >= range.used) return;  // the whole block; no one waits for it
  const int end = range.end;
  const Rows rows(kv, b, g);
  unsigned char* const mine = memory + warp * Tile::kBytes;
  const auto fetch = [&](int stage, typename Rows::Page page, int t0) {
    unsigned char* const to = mine + stage * 2 * Tile::kTile;
    const auto tile = rows.template tile<kTokens>(page, t0);
    Tile::fetch(to, kv.k.codes, tile, t0, end, lane);
    ptx::cp_async_commit();
    Tile::fetch(to + Tile::kTile, kv.v.codes, tile, t0, end, lane);
    ptx::cp_async_commit();
  };
  const auto grid_bits = [&](const DecodeTensor& tensor, typename Rows::Page page, int t0) {
    return load_grid_bits<kFormat>(tensor, rows.row(page, t0 + token), t0 + token < end);
  };

  // Load:    pages; the first tiles, K and V a group each; q → registers.
  int t0 = range.begin + warp * kTokens;
  typename Rows::Page pages[kStages];  // in the loop: of the tiles behind that of t0, from 1 on
  QLAB_UNROLL
  for (int i = 0; i < kStages; ++i) pages[i] = rows.look_up(t0 + i * kStep + token, end);
  QLAB_UNROLL
  for (int i = 0; i < kStages - 1; ++i) fetch(i, pages[i], t0 + i * kStep);
  std::uint32_t k_bits = grid_bits(kv.k, pages[0], t0), v_bits = grid_bits(kv.v, pages[0], t0);
  float v_scale = 1;
  if constexpr (kFormat == DecodeFormat::kFp8E4m3) {
    score_scale *= kv.k.head_scale[g];
    v_scale = kv.v.head_scale[g];
  }
  Columns<kFormat, kHeadDim> sum(q + first_head * kHeadDim, group, lane);

  // Compute: a tile's scores, then its V; the copies of kStages - 1 tiles are under way meanwhile.
  unsigned char* const weights = mine + Tile::kWeights;
  for (int stage = 0; t0 < end; t0 += kStep) {
    ptx::cp_async_wait<2 * kStages - 3>();
    __syncwarp();  // all lanes' copies of K have come; the tile before was read, and is overwritten
    fetch(stage == 0 ? kStages - 1 : stage - 1, pages[kStages - 1], t0 + (kStages - 1) * kStep);
    const std::uint32_t next_k = grid_bits(kv.k, pages[1], t0 + kStep);
    const std::uint32_t next_v = grid_bits(kv.v, pages[1], t0 + kStep);
    QLAB_UNROLL
    for (int i = 1; i < kStages - 1; ++i) pages[i] = pages[i + 1];
    pages[kStages - 1] = rows.look_up(t0 + kStages * kStep + token, end);

    const unsigned char* const tile = mine + stage * 2 * Tile::kTile;
    float s[kTokens / 16][4];
    sum.multiply_keys(s, tile);
    sum.take_scores(s, score_scale, end - t0, k_bits, v_bits, reinterpret_cast<half2*>(weights));
    ptx::cp_async_wait<2 * (kStages - 1)>();
    __syncwarp();  // V has come, and the weights of all lanes are written
    sum.multiply_values(tile + Tile::kTile, weights);
    k_bits = next_k;
    v_bits = next_v;
    stage = stage == kStages - 1 ? 0 : stage + 1;
  }

  // Store:   the warps' parts → shared → a part, global; the last block merges them.
  using Parts = WarpParts<kHeadDim, kHeads, kWarps>;
  static_assert(Parts::kBytes <= kWarps * Tile::kBytes);
  const Parts of_warps(memory);
  __syncthreads();  // the last tiles were read; the parts take their place
  sum.store(of_warps, warp, v_scale);
  __syncthreads();  // the warps' parts are written, and merged below
  finish(of_warps, {.first_head = first_head,
                    .group = group,
                    .split = split,
                    .splits = splits,
                    .used = range.used,
                    .parts = parts,
                    .arrived = arrived + b * kv.n_kv_heads + g,
                    .out = out});
}

/// Shared memory of a block: for its copies, and at least as much as keeps more than `resident`
/// blocks, twice as many with heads of 64 channels, from sharing a multiprocessor of Hopper.
template <DecodeFormat kFormat, int kHeadDim>
constexpr int shared_bytes() {
  constexpr int kOfMultiprocessor = 228 * 1024;
  constexpr int kBlocks = decode_copies(kFormat).resident * 128 / kHeadDim;
  return std::max(kWarps * MmaTile<kFormat, kHeadDim>::kBytes, kOfMultiprocessor / (kBlocks + 1));
}

/// One call of the rung of that name.
template <class Rows>
void run_mma(const char* operation, const DecodeAttention& a, Stream stream) {
  check_split_rung(operation, a, Rows::kLayout);
  with_format(a.kv, [&]<DecodeFormat kFormat, int kHeadDim>() {
    launch_splits(a, stream, kThreads, shared_bytes<kFormat, kHeadDim>(),
                  mma_kernel<kFormat, kHeadDim, Rows>);
  });
}

}  // namespace qlab::decode
