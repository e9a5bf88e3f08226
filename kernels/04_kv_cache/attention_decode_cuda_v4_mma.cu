// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_cuda_v4_mma: the query heads of a group as the eight columns of mma.m16n8k16.
///
/// Idea     S = K·qᵀ and Oᵀ = Vᵀ·Pᵀ: the cache is the operand of 16 rows, heads that of 8 columns
/// Before   CUDA cores did group FMA a code, after widening it to FP32 for itself
/// Needs    any GPU from Ampere on
///
/// Bottleneck   memory; at INT4 instructions come close
/// Teaches      fragments decide the order of channels, not the other way round; each warp copies
///              three tiles ahead, so nothing in the loop waits for another warp
/// Leaves out   wgmma and TMA, which would need V of 8 bits transposed in memory
#include "04_kv_cache/attention_decode_cuda.h"
#include "04_kv_cache/attention_decode_cuda_columns.h"

namespace qlab {
namespace {

using decode::kThreads;
using decode::kWarps;

template <DecodeFormat kFormat, int kHeadDim>
__global__ void __launch_bounds__(kThreads, decode_resident(kFormat))
    mma_kernel(const half* __restrict__ q,       // [batch, n_heads, kHeadDim]
               DecodeCache kv,                   //
               const int* __restrict__ lengths,  // [batch]
               int n_heads, float score_scale, SplitParts parts, unsigned* arrived,
               half* out) {  // [batch, n_heads, kHeadDim]
  using Tile = decode::MmaTile<kFormat, kHeadDim>;
  constexpr int kTokens = Tile::kTokens, kStages = Tile::kStages, kStep = kWarps * kTokens;
  DYNAMIC_SHARED(unsigned char, memory);

  // Who am I: this block's split, KV head and sequence; this warp's tiles of the split.
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int split = static_cast<int>(blockIdx.x), splits = static_cast<int>(gridDim.x);
  const int g = static_cast<int>(blockIdx.y), b = static_cast<int>(blockIdx.z);
  const int group = n_heads / kv.n_kv_heads;
  const std::size_t first_head = static_cast<std::size_t>(b * n_heads + g * group);
  const std::size_t first_row =
      static_cast<std::size_t>(b * kv.n_kv_heads + g) * static_cast<std::size_t>(kv.capacity);
  const auto [begin, end, used] = decode::tokens_of(split, splits, lengths[b]);
  if (split >= used) return;  // the whole block; no one waits for it
  unsigned char* const mine = memory + warp * Tile::kBytes;
  const uint4* const keys = static_cast<const uint4*>(kv.k.codes) + first_row * Tile::kPieces;
  const uint4* const values = static_cast<const uint4*>(kv.v.codes) + first_row * Tile::kPieces;

  // Load:    the first tiles, K and V a group each; q → registers.
  int t0 = begin + warp * kTokens;
  QLAB_UNROLL
  for (int i = 0; i < kStages - 1; ++i) {
    Tile::fetch(mine + i * 2 * Tile::kTile, keys, t0 + i * kStep, end, lane);
    ptx::cp_async_commit();
    Tile::fetch(mine + (i * 2 + 1) * Tile::kTile, values, t0 + i * kStep, end, lane);
    ptx::cp_async_commit();
  }
  std::uint32_t k_bits = decode::load_grid_bits<kFormat>(kv.k, first_row, t0 + lane, end);
  std::uint32_t v_bits = decode::load_grid_bits<kFormat>(kv.v, first_row, t0 + lane, end);
  float v_scale = 1;
  if constexpr (kFormat == DecodeFormat::kFp8E4m3) {
    score_scale *= kv.k.head_scale[g];
    v_scale = kv.v.head_scale[g];
  }
  decode::Columns<kFormat, kHeadDim> sum(q + first_head * kHeadDim, group, lane);

  // Compute: a tile's scores, then its V; the copies of kStages - 1 tiles are under way meanwhile.
  unsigned char* const weights = mine + Tile::kWeights;
  for (int stage = 0; t0 < end; t0 += kStep) {
    ptx::cp_async_wait<2 * kStages - 3>();
    __syncwarp();  // all lanes' copies of K have come; the tile before was read, and is overwritten
    const int last = stage == 0 ? kStages - 1 : stage - 1;
    const int ahead = t0 + (kStages - 1) * kStep;
    Tile::fetch(mine + last * 2 * Tile::kTile, keys, ahead, end, lane);
    ptx::cp_async_commit();
    Tile::fetch(mine + (last * 2 + 1) * Tile::kTile, values, ahead, end, lane);
    ptx::cp_async_commit();
    const std::uint32_t next_k =
        decode::load_grid_bits<kFormat>(kv.k, first_row, t0 + kStep + lane, end);
    const std::uint32_t next_v =
        decode::load_grid_bits<kFormat>(kv.v, first_row, t0 + kStep + lane, end);

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
  using Parts = decode::WarpParts<kHeadDim, decode::kHeads, kWarps>;
  static_assert(Parts::kBytes <= kWarps * Tile::kBytes);
  const Parts of_warps(memory);
  __syncthreads();  // the last tiles were read; the parts take their place
  sum.store(of_warps, warp, v_scale);
  __syncthreads();  // the warps' parts are written, and merged below
  decode::finish(of_warps, {.first_head = first_head,
                            .group = group,
                            .split = split,
                            .splits = splits,
                            .used = used,
                            .parts = parts,
                            .arrived = arrived + b * kv.n_kv_heads + g,
                            .out = out});
}

}  // namespace

/// One call; attention_decode_cuda.h says what it takes and gives.
void attention_decode_cuda_v4_mma(const DecodeAttention& a, Stream stream) {
  check_decode_attention("attention_decode_cuda_v4_mma", a);
  decode::check_parts("attention_decode_cuda_v4_mma", a);
  decode::with_format(a.kv, [&]<DecodeFormat kFormat, int kHeadDim>() {
    const dim3 grid(static_cast<unsigned>(a.splits), static_cast<unsigned>(a.kv.n_kv_heads),
                    static_cast<unsigned>(a.kv.batch));
    constexpr float kLog2E = 1.442695041F;  // 2^x is an instruction, e^x is not
    enqueue(stream, grid, kThreads, kWarps * decode::MmaTile<kFormat, kHeadDim>::kBytes,
            mma_kernel<kFormat, kHeadDim>, a.q, a.kv, a.device_lengths, a.n_heads,
            kLog2E / std::sqrt(static_cast<float>(kHeadDim)), a.parts, a.arrived, a.out);
  });
}

}  // namespace qlab
