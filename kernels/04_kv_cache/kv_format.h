// SPDX-License-Identifier: Apache-2.0
/// \file
/// KvFormat: what a code of K or V is, what stands beside it, and the bytes that both take.
///
/// Bottleneck   none: arithmetic at compile time
/// Bytes moved  none
/// FLOPs        none
/// Teaches      the bytes beside the codes decide: 2 bits in groups of 32 come to 3
/// Leaves out   how values become codes (kv_quantize)
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace qlab {

/// The format of K or of V. Sources: Micikevicius et al., "FP8 Formats for Deep Learning", 2022 (E4M3,
/// E5M2); Liu et al., "KIVI", 2024, section 3 (kivi4, kivi2).
enum class KvFormat {
  kFp32,  ///< the ruler: nothing is rounded
  kFp16,
  kFp8E4m3,   ///< real = scale · code, a given scale a head; saturates at 448 · scale
  kFp8E5m2,   ///< the same; saturates at 57344 · scale
  kInt8,      ///< real = scale · code, code in -127 … 127, a scale a token and head
  kInt4Head,  ///< the same in -7 … 7
  kInt4,      ///< real = scale · code + minimum, code in 0 … 15, of 32 channels of a token
  kInt2,      ///< the same in 0 … 3
  kKivi4,  ///< K: real = scale · code + minimum of a channel of 32 tokens; V: as kInt4. Newest in FP16
  kKivi2,  ///< the same in 0 … 3
};

inline constexpr KvFormat kKvFormats[] = {
    KvFormat::kFp32,     KvFormat::kFp16, KvFormat::kFp8E4m3, KvFormat::kFp8E5m2, KvFormat::kInt8,
    KvFormat::kInt4Head, KvFormat::kInt4, KvFormat::kInt2,    KvFormat::kKivi4,   KvFormat::kKivi2};

/// Channels of a token, or tokens of a channel, that share a scale and a minimum. KIVI's is 32.
inline constexpr std::int64_t kKvGroup = 32;

/// Tokens that KIVI keeps in FP16: V the last so many, K those since the last multiple. The least that
/// whole groups allow; the paper's experiments take 128.
inline constexpr std::int64_t kKvWindow = 32;

/// What makes a value of a code.
enum class KvScales {
  kNone,           ///< the code is the value
  kHead,           ///< a FP32 scale a head
  kToken,          ///< a FP16 scale a token and head
  kChannelGroups,  ///< a FP16 scale and minimum for kKvGroup channels of a token
  kTokenGroups,    ///< a FP16 scale and minimum for a channel of kKvGroup tokens
};

/// What tells a format from the others.
struct KvTraits {
  std::string_view name;
  int bits;  ///< of a code
  KvScales k, v;
  bool window = false;  ///< the newest tokens stay in FP16
};

/// What tells this format from the others.
constexpr KvTraits kv_traits(KvFormat format) {
  using enum KvScales;
  switch (format) {
    case KvFormat::kFp32:
      return {"fp32", 32, kNone, kNone};
    case KvFormat::kFp16:
      return {"fp16", 16, kNone, kNone};
    case KvFormat::kFp8E4m3:
      return {"fp8_e4m3", 8, kHead, kHead};
    case KvFormat::kFp8E5m2:
      return {"fp8_e5m2", 8, kHead, kHead};
    case KvFormat::kInt8:
      return {"int8", 8, kToken, kToken};
    case KvFormat::kInt4Head:
      return {"int4_head", 4, kToken, kToken};
    case KvFormat::kInt4:
      return {"int4", 4, kChannelGroups, kChannelGroups};
    case KvFormat::kInt2:
      return {"int2", 2, kChannelGroups, kChannelGroups};
    case KvFormat::kKivi4:
      return {"kivi4", 4, kTokenGroups, kChannelGroups, true};
    case KvFormat::kKivi2:
      return {"kivi2", 2, kTokenGroups, kChannelGroups, true};
  }
  return {};
}

/// As the table names it: "kv_int8".
constexpr std::string_view kv_format_name(KvFormat format) { return kv_traits(format).name; }

/// Bytes of the codes of one token and head.
constexpr std::int64_t kv_code_bytes(KvFormat format, std::int64_t head_dim) {
  return head_dim * kv_traits(format).bits / 8;
}

/// Bytes that one token of one head takes, K or V: codes, and its share of scales and minima. Of K in
/// KIVI's formats that is a 32nd of a group of tokens.
constexpr std::int64_t kv_row_bytes(KvFormat format, std::int64_t head_dim) {
  const KvScales scales = kv_traits(format).v;
  const std::int64_t beside = scales == KvScales::kToken           ? 2
                              : scales == KvScales::kChannelGroups ? 4 * head_dim / kKvGroup
                                                                   : 0;
  return kv_code_bytes(format, head_dim) + beside;
}

/// The formats of K and of V, usually one.
struct KvFormats {
  KvFormat k, v;

  /// K and V in one format.
  constexpr KvFormats(KvFormat both) : k(both), v(both) {}  // NOLINT: a format is a pair of itself
  /// K and V in a format each.
  constexpr KvFormats(KvFormat keys, KvFormat values) : k(keys), v(values) {}
  friend constexpr bool operator==(const KvFormats&, const KvFormats&) = default;
  /// Tokens of the FP16 window, 0 where there is none.
  constexpr bool window() const { return kv_traits(k).window || kv_traits(v).window; }
};

/// "int8", or "k kivi2, v fp16".
std::string kv_formats_name(KvFormats formats);

/// Bytes of K and V of one token over all layers.
constexpr std::int64_t kv_bytes_per_token(KvFormats formats, std::int64_t n_layers,
                                          std::int64_t n_kv_heads, std::int64_t head_dim) {
  return n_layers * n_kv_heads *
         (kv_row_bytes(formats.k, head_dim) + kv_row_bytes(formats.v, head_dim));
}

/// Bits that a value of K or V takes on average, scales and minima included; of any head_dim that is a
/// multiple of kKvGroup but for the scale a token and head, which is counted for `head_dim`.
constexpr double kv_bits(KvFormats formats, std::int64_t head_dim = 64) {
  return 4.0 *
         static_cast<double>(kv_row_bytes(formats.k, head_dim) +
                             kv_row_bytes(formats.v, head_dim)) /
         static_cast<double>(head_dim);
}

/// Bytes of a sequence whatever its length: FP16 windows of KIVI, twice kKvWindow so that a prompt of
/// kKvWindow tokens can be read as the cache stood at each of them, and scales of FP8.
constexpr std::int64_t kv_fixed_bytes(KvFormats formats, std::int64_t n_layers,
                                      std::int64_t n_kv_heads, std::int64_t head_dim) {
  std::int64_t bytes = 0;
  for (const KvFormat format : {formats.k, formats.v}) {
    const KvTraits traits = kv_traits(format);
    if (traits.window) bytes += 2 * kKvWindow * head_dim * 2;
    if (traits.k == KvScales::kHead) bytes += 4;
  }
  return n_layers * n_kv_heads * bytes;
}

/// The first token that a query reads from K's or V's FP16 window when it sees `visible` tokens; without
/// a window `visible`: none.
constexpr std::int64_t k_window_start(KvFormat format, std::int64_t visible) {
  return visible - (kv_traits(format).window ? visible % kKvWindow : 0);
}
/// The first of `visible` tokens whose value is read from the window.
constexpr std::int64_t v_window_start(KvFormat format, std::int64_t visible) {
  return kv_traits(format).window ? std::max<std::int64_t>(0, visible - kKvWindow) : visible;
}

}  // namespace qlab
