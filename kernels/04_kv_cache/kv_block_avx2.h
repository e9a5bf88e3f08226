// SPDX-License-Identifier: Apache-2.0
/// \file
/// Blocks of 64 tokens of a cache as the AVX2 rung of attention_decode meets them: codes that widen in
/// registers where they stand, all others as floats in a buffer.
///
/// A block that spans blocks of the cache's table is copied together first, so that its arithmetic, and
/// with it every bit of the result, does not depend on where tokens stand.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "04_kv_cache/kv_cache.h"
#include "04_kv_cache/kv_codes_avx2.h"

#if QLAB_X86

namespace qlab {

inline constexpr int kBlock = 64;  // tokens between two corrections of the softmax

/// A block of one KV head.
template <class Code>
struct Block {
  std::int64_t D;               // head_dim
  const Code* k = nullptr;      // [count, D]
  const Code* v = nullptr;      // [count, D]
  int count = 0;                // of tokens
  float k_factor[kBlock] = {};  // what makes a score of a dot product with codes of K
  float v_factor[kBlock] = {};  // what a weight needs to meet codes of V
};

template <class Code>
QLAB_AVX2 inline void widen_row(const Code* codes, std::int64_t D, float* row) {
  const __m256 unit = _mm256_set1_ps(kUnit<Code>);
  for (std::int64_t d = 0; d < D; d += 8) {
    store(row + d, _mm256_mul_ps(load(codes + d, D - d), unit), D - d);
  }
}

/// Token t as floats that want a factor for the whole row, which is returned.
QLAB_AVX2 inline float read_row(const KvView& kv, const KvTensor& tensor, std::int64_t head,
                                std::int64_t t, float* row) {
  const std::int64_t D = kv.head_dim;
  const std::uint8_t* const codes = kv.row(tensor, head, t);
  switch (tensor.format) {
    case KvFormat::kFp32:
      std::copy_n(kv.row<float>(tensor, head, t), D, row);
      return 1;
    case KvFormat::kFp16:
      widen_row(kv.row<half_t>(tensor, head, t), D, row);
      return 1;
    case KvFormat::kFp8E4m3:
      widen_row(kv.row<fp8_e4m3_t>(tensor, head, t), D, row);
      return tensor.head_scale[head];
    case KvFormat::kFp8E5m2:
      widen_row(kv.row<fp8_e5m2_t>(tensor, head, t), D, row);
      return tensor.head_scale[head];
    case KvFormat::kInt8:
      widen_row(kv.row<std::int8_t>(tensor, head, t), D, row);
      return to_float(tensor.scale[kv.scale_index(tensor, head, t)]);
    case KvFormat::kInt4Head:
      for (std::int64_t d = 0; d < D; d += 8) {
        const __m256 code8 = codes_to_floats<4>(codes, d);
        _mm256_storeu_ps(row + d, _mm256_sub_ps(code8, _mm256_set1_ps(8)));
      }
      return to_float(tensor.scale[kv.scale_index(tensor, head, t)]);
    case KvFormat::kInt4:
    case KvFormat::kInt2:
    case KvFormat::kKivi4:
    case KvFormat::kKivi2:
      break;
  }
  const std::int64_t first = kv.scale_index(tensor, head, t);
  kv_traits(tensor.format).bits == 4
      ? read_channel_groups<4>(codes, tensor.scale + first, tensor.minimum + first, D, row)
      : read_channel_groups<2>(codes, tensor.scale + first, tensor.minimum + first, D, row);
  return 1;
}

/// 32 tokens from t on, which share scales by channel.
QLAB_AVX2 inline void read_tokens(const KvView& kv, const KvTensor& tensor, std::int64_t head,
                                  std::int64_t t, float* rows) {
  static_assert(kKvGroup == 32);
  const std::int64_t first = kv.scale_index(tensor, head, t);
  const half_t* const scale = tensor.scale + first;
  const half_t* const minimum = tensor.minimum + first;
  const std::uint8_t* const codes = kv.row(tensor, head, t);
  kv_traits(tensor.format).bits == 4
      ? read_token_group<4>(codes, scale, minimum, kv.head_dim, rows)
      : read_token_group<2>(codes, scale, minimum, kv.head_dim, rows);
}

/// Reads blocks of one KV head. Code: that of K and of V; float: any formats, read into a buffer.
template <class Code>
class BlockReader {
 public:
  BlockReader(const KvView& kv, std::int64_t head)
      : kv_(kv),
        head_(head),
        score_scale_(static_cast<float>(1 / std::sqrt(static_cast<double>(kv.head_dim)))),
        block_{.D = kv.head_dim} {}

  /// Whether a query that sees `visible` tokens or more may find tokens of this block in a window.
  bool differs(std::int64_t t0, std::int64_t visible) const {
    return t0 + kBlock > std::min(k_window_start(kv_.k.format, visible),
                                  v_window_start(kv_.v.format, visible)) &&
           KvFormats(kv_.k.format, kv_.v.format).window();
  }

  /// The block from t0 on for a query that sees `visible` tokens.
  QLAB_AVX2 const Block<Code>& read(std::int64_t t0, std::int64_t visible) {
    block_.count = static_cast<int>(std::min<std::int64_t>(kBlock, visible - t0));
    if constexpr (std::is_same_v<Code, float>) {
      const bool plain = kv_.k.format == KvFormat::kFp32 && kv_.v.format == KvFormat::kFp32;
      if (!plain) {
        unpack_block(kv_.k, t0, k_window_start(kv_.k.format, visible), k_, block_.k_factor);
        unpack_block(kv_.v, t0, v_window_start(kv_.v.format, visible), v_, block_.v_factor);
        for (float& factor : block_.k_factor) factor *= score_scale_;
        block_.k = k_.data();
        block_.v = v_.data();
        return block_;
      }
    }
    block_.k = codes(kv_.k, t0, k_);
    block_.v = codes(kv_.v, t0, v_);
    fill_factors(kv_.k, t0, score_scale_ * kUnit<Code>, block_.k_factor);
    fill_factors(kv_.v, t0, kUnit<Code>, block_.v_factor);
    return block_;
  }

 private:
  /// Calls what(first token, tokens) for each run of tokens that stand behind each other.
  template <class Function>
  void for_runs(std::int64_t t0, Function what) const {
    for (std::int64_t t = t0; t < t0 + block_.count;) {
      const std::int64_t run =
          std::min(t0 + block_.count - t, kv_.block_tokens - t % kv_.block_tokens);
      what(t, run);
      t += run;
    }
  }

  /// Where the codes stand, or a copy of them in one piece.
  const Code* codes(const KvTensor& tensor, std::int64_t t0, std::vector<Code>& copy) const {
    if (t0 % kv_.block_tokens + block_.count <= kv_.block_tokens) {
      return kv_.row<Code>(tensor, head_, t0);
    }
    copy.resize(static_cast<std::size_t>(kBlock * kv_.head_dim));
    for_runs(t0, [&](std::int64_t t, std::int64_t run) {
      std::copy_n(kv_.row<Code>(tensor, head_, t), run * kv_.head_dim,
                  copy.data() + (t - t0) * kv_.head_dim);
    });
    return copy.data();
  }

  /// factor[i] = unit · scale of token t0 + i.
  QLAB_AVX2 void fill_factors(const KvTensor& tensor, std::int64_t t0, float unit,
                              float* factor) const {
    if (tensor.scales != KvScales::kToken) {
      const bool scaled = tensor.scales == KvScales::kHead;
      std::fill_n(factor, kBlock, scaled ? unit * tensor.head_scale[head_] : unit);
      return;
    }
    half_t scales[kBlock] = {};
    for_runs(t0, [&](std::int64_t t, std::int64_t run) {
      std::copy_n(tensor.scale + kv_.scale_index(tensor, head_, t), run, scales + (t - t0));
    });
    for (int i = 0; i < kBlock; i += 8) {
      _mm256_storeu_ps(factor + i, _mm256_mul_ps(widen(scales + i), _mm256_set1_ps(unit)));
    }
  }

  QLAB_AVX2 void unpack_block(const KvTensor& tensor, std::int64_t t0, std::int64_t window_start,
                              std::vector<float>& rows, float* factor) const {
    rows.resize(static_cast<std::size_t>(kBlock * kv_.head_dim));
    for (int i = 0; i < block_.count;) {
      float* const row = rows.data() + i * kv_.head_dim;
      if (t0 + i >= window_start) {
        widen_row(kv_.window_row(tensor, head_, t0 + i), kv_.head_dim, row);
        factor[i++] = 1;
      } else if (tensor.scales == KvScales::kTokenGroups) {  // whole groups end at the window
        read_tokens(kv_, tensor, head_, t0 + i, row);
        for (const int end = i + int{kKvGroup}; i < end;) factor[i++] = 1;
      } else {
        factor[i] = read_row(kv_, tensor, head_, t0 + i, row);
        ++i;
      }
    }
  }

  const KvView& kv_;
  std::int64_t head_;
  float score_scale_;
  Block<Code> block_;
  std::vector<Code> k_, v_;
};

}  // namespace qlab
#endif
