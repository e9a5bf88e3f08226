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

/// codes [D] to floats, row [D].
template <class Code>
QLAB_AVX2 inline void widen_row(const Code* codes, std::int64_t D, float* row) {
  const __m256 unit = _mm256_set1_ps(kUnit<Code>);
  for (std::int64_t d = 0; d < D; d += 8) {
    store(row + d, _mm256_mul_ps(load(codes + d, D - d), unit), D - d);
  }
}

/// How groups are unpacked with AVX2.
struct GroupsAvx2 {
  /// Groups along the channels of a token: codes of a row, row [D].
  template <int BITS>
  static void channels(const std::uint8_t* codes, const half_t* scale, const half_t* minimum,
                       std::int64_t D, float* row) {
    read_channel_groups<BITS>(codes, scale, minimum, D, row);
  }
  /// Groups along the tokens of a channel: codes of a group of tokens, rows [tokens, D].
  template <int BITS>
  static void tokens(const std::uint8_t* codes, const half_t* scale, const half_t* minimum,
                     std::int64_t D, float* rows) {
    read_token_group<BITS>(codes, scale, minimum, D, rows);
  }
};

/// `count` rows of codes that follow each other, widened.
template <class Code>
QLAB_AVX2 inline void widen_rows(const std::uint8_t* codes, std::int64_t count, std::int64_t D,
                                 float* rows) {
  for (std::int64_t i = 0; i < count; ++i) {
    widen_row(reinterpret_cast<const Code*>(codes) + i * D, D, rows + i * D);
  }
}

/// `count` tokens from t on, which stand behind each other, as floats that want factor[i] for the row of
/// token t + i.
/// \param rows  [count, head_dim]
template <class Groups>
QLAB_AVX2 inline void read_rows(const KvView& kv, const KvTensor& tensor, std::int64_t head,
                                std::int64_t t, std::int64_t count, float* rows, float* factor) {
  const std::int64_t D = kv.head_dim, row_bytes = kv_code_bytes(tensor.format, D);
  const std::uint8_t* const codes = kv.row(tensor, head, t);
  // Found once: a division for each of them, token by token, would take longer than unpacking.
  const std::int64_t first = tensor.scale == nullptr ? 0 : kv.scale_index(tensor, head, t);
  const bool own = tensor.scales == KvScales::kToken;
  for (std::int64_t i = 0; i < count; ++i) factor[i] = own ? to_float(tensor.scale[first + i]) : 1;
  if (tensor.scales == KvScales::kHead) std::fill_n(factor, count, tensor.head_scale[head]);
  switch (tensor.format) {
    case KvFormat::kFp32:
      return widen_rows<float>(codes, count, D, rows);
    case KvFormat::kFp16:
      return widen_rows<half_t>(codes, count, D, rows);
    case KvFormat::kFp8E4m3:
      return widen_rows<fp8_e4m3_t>(codes, count, D, rows);
    case KvFormat::kFp8E5m2:
      return widen_rows<fp8_e5m2_t>(codes, count, D, rows);
    case KvFormat::kInt8:
      return widen_rows<std::int8_t>(codes, count, D, rows);
    case KvFormat::kInt4Head:
      for (std::int64_t i = 0; i < count; ++i) {
        for (std::int64_t d = 0; d < D; d += 8) {
          const __m256 code8 = codes_to_floats<4>(codes + i * row_bytes, d);
          _mm256_storeu_ps(rows + i * D + d, _mm256_sub_ps(code8, _mm256_set1_ps(8)));
        }
      }
      return;
    case KvFormat::kInt4:
    case KvFormat::kInt2:
    case KvFormat::kKivi4:
    case KvFormat::kKivi2:
      break;
  }
  const bool four = kv_traits(tensor.format).bits == 4;
  for (std::int64_t i = 0; i < count; ++i) {
    const half_t* const scale = tensor.scale + first + i * (D / kKvGroup);
    const half_t* const minimum = tensor.minimum + first + i * (D / kKvGroup);
    const std::uint8_t* const row = codes + i * row_bytes;
    four ? Groups::template channels<4>(row, scale, minimum, D, rows + i * D)
         : Groups::template channels<2>(row, scale, minimum, D, rows + i * D);
  }
}

/// 32 tokens from t on, which share scales by channel.
template <class Groups>
QLAB_AVX2 inline void read_tokens(const KvView& kv, const KvTensor& tensor, std::int64_t head,
                                  std::int64_t t, float* rows) {
  static_assert(kKvGroup == 32);
  const std::int64_t first = kv.scale_index(tensor, head, t);
  const half_t* const scale = tensor.scale + first;
  const half_t* const minimum = tensor.minimum + first;
  const std::uint8_t* const codes = kv.row(tensor, head, t);
  kv_traits(tensor.format).bits == 4
      ? Groups::template tokens<4>(codes, scale, minimum, kv.head_dim, rows)
      : Groups::template tokens<2>(codes, scale, minimum, kv.head_dim, rows);
}

/// Reads blocks of one KV head. Code: that of K and of V; float: any formats, read into a buffer, groups
/// by Groups.
template <class Code, class Groups>
class BlockReader {
 public:
  /// Reads the tokens of one KV head, block by block.
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
    for_runs(t0, [&](std::int64_t first, std::int64_t run) {
      for (std::int64_t t = first; t < first + run;) {
        float* const row = rows.data() + (t - t0) * kv_.head_dim;
        std::int64_t count = 1;
        if (t >= window_start) {
          widen_half_row(kv_.window_row(tensor, head_, t), row);
          factor[t - t0] = 1;
        } else if (tensor.scales == KvScales::kTokenGroups) {  // whole groups end at the window
          count = kKvGroup;
          read_tokens<Groups>(kv_, tensor, head_, t, row);
          std::fill_n(factor + (t - t0), count, 1.0F);
        } else {
          count = std::min(first + run, window_start) - t;
          read_rows<Groups>(kv_, tensor, head_, t, count, row, factor + (t - t0));
        }
        t += count;
      }
    });
  }
  QLAB_AVX2 void widen_half_row(const half_t* codes, float* row) const {
    widen_row(codes, kv_.head_dim, row);
  }

  const KvView& kv_;
  std::int64_t head_;
  float score_scale_;
  Block<Code> block_;
  std::vector<Code> k_, v_;
};

}  // namespace qlab
#endif
