// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_cuda: a ladder of CUDA kernels for one new token a sequence, over caches of
/// FP16, INT8, FP8 and INT4.
///
/// Bottleneck   memory, if unpacking keeps up: K and V are read once, 2·group operations a code
/// Bytes moved  read 2·n_kv_heads·Σ length·decode_row_bytes; q, the output, the parts and 4 bytes
///              of table a page beside it
/// FLOPs        4·n_heads·head_dim·Σ length
/// Teaches      fewer bits are less time only while the conversion keeps up with the memory; pages
///              cost an entry of a table each, and no time if it is looked up early enough
/// Leaves out   who owns a page (paged_kv); several new tokens a sequence; writing their K and V
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "04_kv_cache/attention_decode_split.h"
#include "simt/enqueue.h"
#include "simt/rung.h"

namespace qlab {

enum class DecodeFormat {
  kFp16,     ///< two bytes an element, no scale
  kInt8,     ///< a byte; an FP16 scale for each token and head
  kFp8E4m3,  ///< a byte; an FP32 scale for each head, the same for all tokens
  kInt4,     ///< half a byte, the even channel in the low bits; a grid for each token and head
};

/// Of a code.
constexpr int decode_bits(DecodeFormat format) {
  return format == DecodeFormat::kFp16 ? 16 : format == DecodeFormat::kInt4 ? 4 : 8;
}

/// K or V, as KvDeviceTensor has it, and INT4: element = grid.x · code + grid.y, code 0 … 15. Rows
/// are [batch, n_kv_heads, capacity], or, in pages, [n_blocks, n_kv_heads, block_size].
struct DecodeTensor {
  const void* codes;        // [rows, head_dim · bits / 8]  16-byte aligned
  const half* token_scale;  // [rows]        kInt8 only, else null
  const float* head_scale;  // [n_kv_heads]  kFp8E4m3 only, else null
  const half2* token_grid;  // [rows]        kInt4 only, else null
};

/// The pages of all sequences, as BlockPool has them: token t of a sequence is in slot
/// t % block_size of block table[t / block_size]. Sequences may share blocks. Source: Kwon et al.,
/// "Efficient Memory Management for Large Language Model Serving with PagedAttention", SOSP 2023.
struct DecodePages {
  const int* table = nullptr;  // [batch, capacity / block_size]  on the device; null: no pages
  int n_blocks = 0;            // of the pool
  int block_size = 0;          // tokens: 16, 32, 64 or 128
};

/// What lies behind a sequence's last token is whatever was there before, and no one looks at it;
/// nor at entries of the table behind that token's.
struct DecodeCache {
  DecodeFormat format;
  int batch, n_kv_heads, head_dim;
  int capacity;  // tokens that a sequence has room for; in pages a multiple of block_size
  DecodeTensor k, v;
  DecodePages pages = {};
};

/// The operands of a rung. Two calls that share `parts` or `arrived` must not run at the same time.
struct DecodeAttention {
  const half* q;                 // [batch, n_heads, head_dim]
  DecodeCache kv;                //
  std::span<const int> lengths;  // [batch]  on the host, which checks them: 1 … capacity
  const int* device_lengths;     // [batch]  the same numbers, where a kernel reads them

  /// What kv.pages.table has, on the host, which checks the entries; empty without pages.
  std::span<const int> block_table = {};  // [batch, capacity / block_size]  0 … n_blocks - 1

  int n_heads;        //
  int splits;         // from v3 on the context of every sequence is cut into at most these
  SplitParts parts;   // from v3 on: memory to work in
  unsigned* arrived;  // [batch, n_kv_heads]  from v3 on: zeros, which a call leaves zeros
  half* out;          // [batch, n_heads, head_dim]
};

/// What one token of one head takes in K, and as much in V. A scale that all tokens share is none.
constexpr std::int64_t decode_row_bytes(DecodeFormat format, std::int64_t head_dim) {
  return head_dim * decode_bits(format) / 8 + (format == DecodeFormat::kInt8   ? 2
                                               : format == DecodeFormat::kInt4 ? 4
                                                                               : 0);
}

/// `tokens` is Σ length. The parts are small beside K and V, and are left out.
constexpr Cost attention_decode_cuda_cost(DecodeFormat format, std::int64_t batch,
                                          std::int64_t n_heads, std::int64_t n_kv_heads,
                                          std::int64_t head_dim, std::int64_t tokens) {
  return {.bytes = 2 * n_kv_heads * tokens * decode_row_bytes(format, head_dim) +
                   4 * batch * n_heads * head_dim,
          .flops = 4 * n_heads * head_dim * tokens};
}

/// How the rungs from v4 on keep copies of K and V under way.
struct DecodeCopies {
  int tokens;    // of a warp's tile: 16 or 32, a lane for each
  int stages;    // tiles of a warp that are under way or in use, from 2 on
  int resident;  // blocks that a multiprocessor runs at a time, with heads of 128 channels
};

/// Under way are (stages - 1) · tokens · resident · 4 warps rows of K, and as many of V: 64 KB of
/// FP16, 128 KB of the others, with heads of 128 channels. A multiprocessor's share of an H100's
/// bandwidth, 25 bytes a nanosecond, for the microsecond that memory takes, is 25 KB; what is under
/// way beyond it outlasts the work on a tile. FP16 gains nothing by a third stage.
constexpr DecodeCopies decode_copies(DecodeFormat format) {
  switch (format) {
    case DecodeFormat::kFp16:
      return {.tokens = 16, .stages = 2, .resident = 2};
    case DecodeFormat::kInt4:
      return {.tokens = 32, .stages = 3, .resident = 4};
    default:
      return {.tokens = 32, .stages = 3, .resident = 2};
  }
}

/// The splits whose time is least, if blocks run in rounds, a step is 128 tokens of one block, a
/// round begins with a step's time in which nothing has come yet, and the last block takes an
/// eighth of a step for each part that it merges.
inline int choose_decode_splits(DecodeFormat format, int batch, int n_kv_heads, int length,
                                int multiprocessors) {
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t slots = std::int64_t{multiprocessors} * decode_copies(format).resident;
  const std::int64_t steps = up(length, 128);
  std::int64_t best = 1, least = INT64_MAX;
  for (std::int64_t splits = 1; splits <= steps; ++splits) {
    const std::int64_t of_a_split = up(steps, splits);
    const std::int64_t blocks = up(steps, of_a_split) * n_kv_heads * batch;
    const std::int64_t time = 8 * up(blocks, slots) * (of_a_split + 1) + splits;
    if (time < least) least = time, best = splits;
  }
  return static_cast<int>(best);
}

/// Longest context whose scores fit into a block's shared memory: v1 keeps all of them.
inline constexpr int kDecodeBlockTokens = 49152;

/// out[b, h] = Σₜ softmaxₜ(q[b, h] · K[b, g, t] / √head_dim) · V[b, g, t], t < lengths[b], with
/// g = h / (n_heads / n_kv_heads). Sums are FP32, the output is rounded to FP16 once. Launches one
/// kernel in `stream` and waits for none; calls with the same operands give the same bits.
///
/// \throws ContractError when an operand does not fit; a length of 0 has no softmax.
using DecodeFunction = void(const DecodeAttention&, Stream);
void attention_decode_cuda_v1_block(const DecodeAttention& attention, Stream stream = {});
void attention_decode_cuda_v2_online(const DecodeAttention& attention, Stream stream = {});
void attention_decode_cuda_v3_split(const DecodeAttention& attention, Stream stream = {});
void attention_decode_cuda_v4_mma(const DecodeAttention& attention, Stream stream = {});
void attention_decode_cuda_v5_paged(const DecodeAttention& attention, Stream stream = {});

/// The ladder, slowest first; then the fastest for a cache in pages.
inline constexpr CudaRung<DecodeFunction> kAttentionDecodeCudaRungs[] = {
    {"v1_block", attention_decode_cuda_v1_block, kAnyGpu},
    {"v2_online", attention_decode_cuda_v2_online, kAnyGpu},
    {"v3_split", attention_decode_cuda_v3_split, kAnyGpu},
    {"v4_mma", attention_decode_cuda_v4_mma, kAnyGpu},
    {"v5_paged", attention_decode_cuda_v5_paged, kAnyGpu},
};

/// Whether a rung reads pages. The others read contiguous caches; each refuses what it cannot read.
constexpr bool reads_pages(const CudaRung<DecodeFunction>& rung) {
  return rung.run == attention_decode_cuda_v5_paged;
}

}  // namespace qlab
