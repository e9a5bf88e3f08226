// SPDX-License-Identifier: Apache-2.0
/// \file
/// kivi: a cache of 2 or 4 bits: scales of keys along channels, of values along tokens.
///
/// Bottleneck   in plain loops the chain of sums: 2 and 4 bits take as long; with vectors the bytes
/// Bytes moved  a token: 2·D·(bits / 8 + 4 / group); for the newest, in FP16, 4·D
/// FLOPs        scores and output: 4·D a token
/// Teaches      a scale goes along the axis of the outliers; a group must be whole to be coded
/// Leaves out   several heads, SIMD, prefill in one step; pages (kivi stores one sequence)
#pragma once

#include <cstdint>
#include <span>

#include "common/contract.h"
#include "common/formats.h"
#include "common/matrix.h"

namespace qlab {

inline constexpr std::int64_t kKiviLargestGroup = 128;

/// The sides of a cache. The paper uses groups of 32 and a window of 128.
struct KiviShape {
  std::int64_t head_dim;      ///< D, a multiple of group
  std::int64_t capacity;      ///< tokens
  std::int64_t group = 32;    ///< values that share a scale: 4, 8, … kKiviLargestGroup
  std::int64_t window = 128;  ///< R, a multiple of group: how many tokens may stay in FP16
  int bits = 2;               ///< of a code: 2 or 4
};

/// The same sides. \throws ContractError when they do not fit together.
inline const KiviShape& checked_kivi_shape(const KiviShape& s) {
  QLAB_CHECK(s.bits == 2 || s.bits == 4, "kivi: ", s.bits, " bits a code; choose 2 or 4");
  QLAB_CHECK(s.group >= 4 && s.group <= kKiviLargestGroup && s.group % 4 == 0, "kivi: groups of ",
             s.group, "; choose a multiple of 4 up to ", kKiviLargestGroup);
  QLAB_CHECK(s.head_dim >= 1 && s.head_dim % s.group == 0, "kivi: groups of ", s.group,
             " do not divide head_dim ", s.head_dim, "; choose a divisor");
  QLAB_CHECK(s.window >= 1 && s.window % s.group == 0, "kivi: groups of ", s.group,
             " do not divide the window of ", s.window, " tokens; choose a multiple of the group");
  QLAB_CHECK(s.capacity >= 1, "kivi: capacity is ", s.capacity, " tokens; choose 1 or more");
  return s;
}

/// The keys or the values. Codes lie low bits first: channel d of a token begins at bit d · bits of
/// its row.
///
///     2 bits  7654 3210        4 bits  7654 3210
///             ddcc bbaa                bbbb aaaa      a: the first channel of the byte
struct KiviTensor {
  /// Memory for the keys, or else the values, of a cache of these sides.
  explicit KiviTensor(const KiviShape& s, bool keys)
      : codes(s.capacity, s.head_dim * s.bits / 8),
        scale(keys ? (s.capacity + s.group - 1) / s.group : s.capacity,
              keys ? s.head_dim : s.head_dim / s.group),
        min(scale.rows(), scale.cols()),
        window(s.window, s.head_dim) {}

  Matrix<std::uint8_t> codes;  // [capacity, D · bits / 8]
  Matrix<half_t> scale;   // keys [⌈capacity / group⌉, D], values [capacity, D / group]  > 0
  Matrix<half_t> min;     // the same; real = scale · code + min
  Matrix<half_t> window;  // [R, D]  token t stands in row t % R
};

/// The cache of one sequence, of one KV head of one layer.
struct KiviCache {
  /// \throws ContractError when the sides do not fit together.
  explicit KiviCache(const KiviShape& s)
      : shape(checked_kivi_shape(s)), k(s, /*keys=*/true), v(s, /*keys=*/false) {}

  KiviShape shape;
  std::int64_t length = 0;  // T, tokens appended
  KiviTensor k, v;

  /// Keys 0 … coded_keys() - 1 are read as codes, the others from the window; values likewise.
  std::int64_t coded_keys() const { return length - length % shape.window; }
  /// Values that are codes; those behind them are read from the window.
  std::int64_t coded_values() const { return length > shape.window ? length - shape.window : 0; }
};

/// The code of channel d in a token's row [D · bits / 8].
inline std::uint8_t kivi_code(const std::uint8_t* row, int bits, std::int64_t d) {
  return static_cast<std::uint8_t>(row[d * bits / 8] >> d * bits % 8 & ((1 << bits) - 1));
}

/// Puts it into a row [D · bits / 8]; its neighbours stay.
inline void kivi_set_code(std::uint8_t* row, int bits, std::int64_t d, std::uint8_t code) {
  const int shift = static_cast<int>(d * bits % 8), mask = ((1 << bits) - 1) << shift;
  std::uint8_t& byte = row[d * bits / 8];
  byte = static_cast<std::uint8_t>((byte & ~mask) | (code << shift & mask));
}

/// What a group shares.
struct KiviGroup {
  half_t scale, min;
};

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Codes of one group: min = the smallest x, exact in FP16; scale = (largest - min) / (2^bits - 1),
/// in FP32, then stored in FP16, or 1 where that gives 0 (a constant group, or nearly). With the
/// stored scale, code = clamp(nearest((x - min) / scale), 0, 2^bits - 1) in FP32, ties to even.
/// Source: Liu et al., "KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache", 2024.
///
/// \param x      1 or more, finite
/// \param codes  as many
KiviGroup kivi_quantize_group(std::span<const half_t> x, int bits, std::span<std::uint8_t> codes);

/// Appends token `cache.length`. A token is rounded to FP16 and enters the windows. When R keys
/// have come since the last were coded, all R are: in groups of `group` tokens of one channel. When
/// R values stand in the window, the oldest is coded before a new one comes: in groups of `group`
/// channels of one token. Nothing that is coded changes any more. Source: the same paper,
/// sections 3 and 4.
///
/// \param k, v  [D] the token's key and value
/// \throws ContractError when the cache is full, a size does not fit, or naming the token and the
///         first channel whose number is not finite in FP16 (from 65520 on). The cache stays as it
///         was.
void kivi_append(std::span<const float> k, std::span<const float> v, KiviCache& cache);

/// scores[t] = Σ q[d] · key[t, d], in FP32, in any order. Of a block of keys q[d] · (scale · code +
/// min) is (q[d] · scale) · code + q[d] · min: the scale goes into q, and Σ q[d] · min is one
/// number for the block.
///
/// \param q       [D]
/// \param scores  [T], all written
void kivi_scores(std::span<const float> q, const KiviCache& cache, std::span<float> scores);

/// out[d] = Σ p[t] · value[t, d], in FP32, in any order.
///
/// \param p    [T]
/// \param out  [D], all written
void kivi_output(std::span<const float> p, const KiviCache& cache, std::span<float> out);

}  // namespace exercise

/// Bytes of K and V of a token that is coded: its codes, and its share of scales and minima.
constexpr std::int64_t kivi_token_bytes(const KiviShape& s) {
  return 2 * (s.head_dim * s.bits / 8 + 4 * s.head_dim / s.group);
}

/// kivi_scores and kivi_output for `tokens` tokens, nearly all of them coded.
constexpr Cost kivi_cost(std::int64_t tokens, const KiviShape& s) {
  return {.bytes = tokens * kivi_token_bytes(s) + 8 * tokens + 8 * s.head_dim,
          .flops = 4 * tokens * s.head_dim};
}

/// The oracle of kivi_quantize_group: it tries every code.
KiviGroup kivi_quantize_group_ref(std::span<const half_t> x, int bits,
                                  std::span<std::uint8_t> codes);

/// The cache after these tokens, K and V [T, D], from all of them at once: each code and each scale
/// looks for its group. It writes what kivi_append must have written, and nothing else; of the
/// windows, what is read.
void kivi_cache_ref(MatrixView<const float> K, MatrixView<const float> V, KiviCache& cache);

/// What stands for a key or a value: steps + min, both exact. From the window: 0 + the value.
struct KiviReading {
  double steps, min;
};
/// What stands for channel d of key t.
KiviReading kivi_key_ref(const KiviCache& cache, std::int64_t t, std::int64_t d);
/// What stands for channel d of value t.
KiviReading kivi_value_ref(const KiviCache& cache, std::int64_t t, std::int64_t d);

}  // namespace qlab
