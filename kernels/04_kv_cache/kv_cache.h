// SPDX-License-Identifier: Apache-2.0
/// \file
/// KvCache: the keys and values of one sequence, in FP16, INT8 or FP8, by layer.
///
/// Bottleneck   decode reads all of it for every token; its size decides how many sequences fit
/// Bytes moved  a token: 2 · n_layers · n_kv_heads · (head_dim · bits / 8 + bytes of its scale)
/// FLOPs        none worth counting
/// Teaches      a scale for each token and head is known when the token is written, never changed
/// Leaves out   pages and sharing (paged_kv); scales along channels and fewer bits (kivi)
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/contract.h"
#include "common/formats.h"
#include "common/matrix.h"

namespace qlab {

enum class KvFormat {
  kFp32,  ///< the ruler: nothing is rounded
  kFp16,
  kInt8,     ///< real = scale · code, code in -127 … 127, an FP16 scale for each token and head
  kFp8E4m3,  ///< real = code, scale 1 as vLLM's default; saturates at 448
};

/// "fp32", "fp16", "int8", "fp8_e4m3".
std::string_view kv_format_name(KvFormat format);

/// Bytes that one token of one head takes, K or V: codes and scale.
constexpr std::int64_t kv_row_bytes(KvFormat format, std::int64_t head_dim) {
  switch (format) {
    case KvFormat::kFp32:
      return 4 * head_dim;
    case KvFormat::kFp16:
      return 2 * head_dim;
    case KvFormat::kInt8:
      return head_dim + 2;
    case KvFormat::kFp8E4m3:
      return head_dim;
  }
  return 0;
}

/// Bytes of K and V of one token over all layers.
constexpr std::int64_t kv_bytes_per_token(KvFormat format, std::int64_t n_layers,
                                          std::int64_t n_kv_heads, std::int64_t head_dim) {
  return 2 * n_layers * n_kv_heads * kv_row_bytes(format, head_dim);
}

/// The codes of K or of V of one layer. A head is contiguous: decode streams it.
struct KvTensor {
  const void* codes;    // [n_kv_heads, capacity, head_dim] of the format's type of code
  const half_t* scale;  // [n_kv_heads, capacity] for kInt8, else null

  /// The codes of token t of one head.
  template <class Code>
  const Code* row(std::int64_t head, std::int64_t t, std::int64_t capacity,
                  std::int64_t head_dim) const {
    return static_cast<const Code*>(codes) + (head * capacity + t) * head_dim;
  }
};

/// One layer of a cache, to read.
struct KvView {
  KvFormat format;
  std::int64_t n_kv_heads, head_dim, capacity;
  std::int64_t length;  // tokens written, ≤ capacity
  KvTensor k, v;
};

/// All layers of one sequence.
///
/// kInt8: scale = FP16(max |x| / 127) of one token and head, code = nearest(x / scale) in -127 …
/// 127, ties to even, with the scale as stored. Zeros get scale 1. No scale is under 2⁻²⁴, FP16's
/// least: there a scale rounds coarsely and a value may be clipped, by at most 127 · 2⁻²⁵ = 3.8e-6.
class KvCache {
 public:
  /// \throws ContractError when a side is under 1.
  KvCache(KvFormat format, std::int64_t n_layers, std::int64_t n_kv_heads, std::int64_t head_dim,
          std::int64_t capacity);

  /// Writes the next tokens of one layer: k and v are [tokens, n_kv_heads · head_dim]. Earlier
  /// tokens keep their bytes.
  /// \throws ContractError when a shape does not fit, the capacity is exceeded, or naming the first
  ///         value that is not finite or too large: from 65520 on for kFp16, from 127 · 65520 on
  ///         for kInt8 (both round to infinity). Nothing is written then.
  void append(std::int64_t layer, MatrixView<const float> k, MatrixView<const float> v);

  KvView layer(std::int64_t layer) const;
  std::int64_t length(std::int64_t layer) const {
    return lengths_[static_cast<std::size_t>(layer)];
  }
  std::int64_t capacity() const { return capacity_; }
  void clear();

  /// Bytes allocated for the cache.
  std::int64_t bytes() const;

 private:
  KvFormat format_;
  std::int64_t n_layers_, n_kv_heads_, head_dim_, capacity_;
  std::vector<std::int64_t> lengths_;       // [n_layers]
  Matrix<std::uint8_t> k_codes_, v_codes_;  // [n_layers · n_kv_heads, capacity · bytes of a row]
  Matrix<half_t> k_scale_, v_scale_;        // [n_layers · n_kv_heads, capacity] for kInt8
};

}  // namespace qlab
