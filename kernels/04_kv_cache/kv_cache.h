// SPDX-License-Identifier: Apache-2.0
/// \file
/// KvCache: the keys and values of one sequence, by layer, in blocks of tokens.
///
/// Bottleneck   decode reads all of it for every token; its size decides how many sequences fit
/// Bytes moved  a token: kv_bytes_per_token
/// FLOPs        none worth counting
/// Teaches      a scale for each token and head is known when the token is written, never changed;
///              one for a channel waits for a group of tokens, hence a window; where a block of tokens
///              stands is a table's matter
/// Leaves out   blocks shared by sequences (the exercise paged_kv)
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "04_kv_cache/kv_format.h"
#include "common/contract.h"
#include "common/formats.h"
#include "common/matrix.h"

namespace qlab {

/// K or V of one layer as it is stored. A head is contiguous within a block: decode streams it.
struct KvTensor {
  KvFormat format;
  KvScales scales;
  const std::uint8_t*
      codes;              // [blocks, n_kv_heads, block_tokens, kv_code_bytes]; 4 and 2 bits: the
                          // first channel lowest in its byte; kInt4Head: code + 8
  const half_t* scale;    // [blocks, n_kv_heads, scales_per_block], else null
  const half_t* minimum;  // the same, for groups
  std::int64_t
      scales_per_block;     // kToken: block_tokens; groups: block_tokens · head_dim / kKvGroup
  const float* head_scale;  // [n_kv_heads] for kHead
  const half_t* window;  // [n_kv_heads, 2 · kKvWindow, head_dim], token t at t mod 2 · kKvWindow
};

/// One layer of a cache, to read.
struct KvView {
  std::int64_t n_kv_heads, head_dim;
  std::int64_t capacity;                // tokens that the table has room for
  std::int64_t length;                  // tokens written, ≤ capacity
  std::int64_t block_tokens;            // of a block
  std::int64_t pool_blocks;             // that exist
  std::span<const std::int32_t> table;  // block b of the sequence is table[b] of the pool
  KvTensor k, v;

  /// Where block and head of token t stand: the row in [blocks, n_kv_heads].
  std::int64_t block_row(std::int64_t head, std::int64_t t) const {
    return table[static_cast<std::size_t>(t / block_tokens)] * n_kv_heads + head;
  }
  /// Bytes before the codes of token t.
  std::int64_t code_offset(const KvTensor& tensor, std::int64_t head, std::int64_t t) const {
    return (block_row(head, t) * block_tokens + t % block_tokens) *
           kv_code_bytes(tensor.format, head_dim);
  }
  /// The codes of token t; the tokens behind it follow, up to the end of its block.
  template <class Code = std::uint8_t>
  const Code* row(const KvTensor& tensor, std::int64_t head, std::int64_t t) const {
    return reinterpret_cast<const Code*>(tensor.codes + code_offset(tensor, head, t));
  }
  /// The FP16 values of token t, one of the last 2 · kKvWindow.
  const half_t* window_row(const KvTensor& tensor, std::int64_t head, std::int64_t t) const {
    return tensor.window + window_offset(head, t);
  }
  /// Where token t of a head stands in its window.
  std::int64_t window_offset(std::int64_t head, std::int64_t t) const {
    return (head * 2 * kKvWindow + t % (2 * kKvWindow)) * head_dim;
  }
  /// The index of token t's first scale and minimum; kTokenGroups: of its group's.
  std::int64_t scale_index(const KvTensor& tensor, std::int64_t head, std::int64_t t) const {
    const std::int64_t slot = t % block_tokens;
    const std::int64_t first = tensor.scales == KvScales::kToken ? slot
                               : tensor.scales == KvScales::kChannelGroups
                                   ? slot * (head_dim / kKvGroup)
                                   : slot / kKvGroup * head_dim;
    return block_row(head, t) * tensor.scales_per_block + first;
  }
};

/// How a cache is laid out. The default is one block of all its tokens.
struct KvLayout {
  std::int64_t block_tokens = 0;         ///< 0: the capacity
  std::vector<std::int32_t> table = {};  ///< block b lies at table[b]; empty: in order
};

/// Scales of FP8, as engines read them from a checkpoint (vLLM's k_scale and v_scale): one a layer, or
/// one a layer and KV head. Empty: 1.
struct KvHeadScales {
  std::vector<float> k = {}, v = {};
};

/// All layers of one sequence. How a value is rounded: kv_quantize.h.
class KvCache {
 public:
  /// \throws ContractError when a side is under 1, head_dim is no multiple of kKvGroup with fewer than 8
  ///         bits, the layout does not hold the capacity, or a scale is not finite and positive.
  KvCache(KvFormats formats, std::int64_t n_layers, std::int64_t n_kv_heads, std::int64_t head_dim,
          std::int64_t capacity, const KvLayout& layout = {}, const KvHeadScales& scales = {});

  /// Writes the next tokens of one layer: k and v are [tokens, n_kv_heads · head_dim]. The codes of
  /// earlier tokens keep their bytes; those that leave a window get theirs.
  /// \throws ContractError when a shape does not fit, the capacity is exceeded, or naming the first
  ///         value that is not finite or too large for the format. Nothing is written then.
  void append(std::int64_t layer, MatrixView<const float> k, MatrixView<const float> v);

  /// A layer's cache as attention reads it, for as long as this lives.
  KvView layer(std::int64_t layer) const;
  /// How K and V are stored.
  KvFormats formats() const { return {k_.format, v_.format}; }
  /// Tokens that a layer holds.
  std::int64_t length(std::int64_t layer) const {
    return lengths_[static_cast<std::size_t>(layer)];
  }
  /// Tokens that fit.
  std::int64_t capacity() const { return capacity_; }
  /// Forgets all tokens; the memory stays.
  void clear();

  /// Bytes allocated for codes, scales, minima and windows: capacity · kv_bytes_per_token +
  /// kv_fixed_bytes when the blocks are full.
  std::int64_t bytes() const;

 private:
  /// K or V of all layers.
  struct Side {
    KvFormat format = KvFormat::kFp16;
    KvScales scales = KvScales::kNone;
    std::int64_t scales_per_block = 0;
    Matrix<std::uint8_t> codes;     // a row a layer
    Matrix<half_t> scale, minimum;  // a row a layer
    Matrix<half_t> window;          // a row a layer
    std::vector<float> head_scale;  // [n_layers, n_kv_heads]
  };
  Side make_side(KvFormat format, KvScales scales, const std::vector<float>& head_scale) const;
  KvTensor tensor(const Side& side, std::int64_t layer) const;
  void write(Side& side, std::int64_t layer, std::int64_t head, std::int64_t t,
             std::span<const float> x);
  void write_window(Side& side, std::int64_t layer, std::int64_t head, std::int64_t t,
                    std::span<const float> x);
  void quantize_token(Side& side, std::int64_t layer, std::int64_t head, std::int64_t t,
                      std::span<const float> x);
  void quantize_tokens(Side& side, std::int64_t layer, std::int64_t head, std::int64_t first);

  std::int64_t n_layers_, n_kv_heads_, head_dim_, capacity_, block_tokens_;
  std::vector<std::int32_t> table_;
  std::vector<std::int64_t> lengths_;  // [n_layers]
  Side k_, v_;
};

}  // namespace qlab
