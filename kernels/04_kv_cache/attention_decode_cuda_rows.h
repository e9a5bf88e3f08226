// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where the rows of a head's tokens lie: one behind the other, or in the pages of a table.
///
/// Both are used alike. A lane looks up the page of its token, well before it needs it; from that
/// come the token's row, and the pieces of 16 bytes of a warp's tile. Sixteen tokens from a
/// multiple of 16 on are neighbours in any cache, as a page holds a multiple of 16.
#pragma once

#include "04_kv_cache/attention_decode_cuda_host.h"
#include "04_kv_cache/attention_decode_cuda_lanes.h"

namespace qlab::decode {

/// Tokens that are neighbours in any cache.
inline constexpr int kRun = 16;

/// Of a cache in one piece.
struct ContiguousRows {
  static constexpr Layout kLayout = Layout::kContiguous;
  struct Page {};  // there is nothing to look up

  std::size_t first;  // row of token 0

  /// Of KV head g of sequence b.
  __device__ ContiguousRows(const DecodeCache& kv, int b, int g)
      : first(static_cast<std::size_t>(b * kv.n_kv_heads + g) *
              static_cast<std::size_t>(kv.capacity)) {}

  /// Nothing.
  __device__ Page look_up(int, int) const { return {}; }
  /// Of token t.
  __device__ std::size_t row(Page, int t) const { return first + static_cast<std::size_t>(t); }

  /// kTokens tokens from one on.
  template <int kTokens>
  struct Tile {
    std::size_t first;  // row
    /// Piece i + lane of the tile, whose rows have kPieces, among those of the cache; if its token
    /// does not exist, one that does.
    template <int kPieces>
    __device__ std::size_t piece(int i, int lane, bool exists) const {
      return first * kPieces + static_cast<std::size_t>(exists ? i + lane : 0);
    }
  };
  /// Those from t0 on.
  template <int kTokens>
  __device__ Tile<kTokens> tile(Page, int t0) const {
    return {first + static_cast<std::size_t>(t0)};
  }
};

/// The n of block_size = 2ⁿ.
__device__ inline int shift_of(int block_size) {
  int n = 0;
  while (1 << n < block_size) ++n;
  return n;
}

/// Of a cache in pages.
struct PagedRows {
  static constexpr Layout kLayout = Layout::kPaged;
  using Page = int;  // block of this lane's token

  const int* blocks;  // [capacity / block_size]  of this sequence
  int head, n_kv_heads;
  int shift;  // block_size = 2^shift

  /// Of KV head g of sequence b.
  __device__ PagedRows(const DecodeCache& kv, int b, int g)
      : head(g), n_kv_heads(kv.n_kv_heads), shift(shift_of(kv.pages.block_size)) {
    blocks = kv.pages.table + static_cast<std::ptrdiff_t>(b) * (kv.capacity >> shift);
  }

  /// Of token t; nothing is read for one from `end` on, whose page may not exist.
  __device__ Page look_up(int t, int end) const { return t < end ? blocks[t >> shift] : 0; }
  /// Of token t, which is in that page.
  __device__ std::size_t row(Page page, int t) const {
    const auto first = static_cast<std::size_t>(page) * static_cast<std::size_t>(n_kv_heads) +
                       static_cast<std::size_t>(head);
    return (first << shift) + static_cast<std::size_t>(t & ((1 << shift) - 1));
  }

  /// kTokens tokens from one on, which is a multiple of kRun.
  template <int kTokens>
  struct Tile {
    std::size_t first[kTokens / kRun];  // rows
    /// Likewise, of the pool. i is a multiple of 32, known when the kernel is compiled: so is the
    /// run, and `first` stays in registers.
    template <int kPieces>
    __device__ std::size_t piece(int i, int lane, bool exists) const {
      constexpr int kOfRun = kRun * kPieces;
      return first[i / kOfRun] * kPieces + static_cast<std::size_t>(exists ? i % kOfRun + lane : 0);
    }
  };
  /// Those from t0 on. `page` is that of token t0 + lane, in the first kTokens lanes.
  template <int kTokens>
  __device__ Tile<kTokens> tile(Page page, int t0) const {
    Tile<kTokens> rows;
    QLAB_UNROLL
    for (int i = 0; i < kTokens / kRun; ++i) {
      rows.first[i] = row(__shfl_sync(kAllLanes, page, i * kRun), t0 + i * kRun);
    }
    return rows;
  }
};

}  // namespace qlab::decode
