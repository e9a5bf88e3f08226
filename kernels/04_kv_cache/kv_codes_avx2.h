// SPDX-License-Identifier: Apache-2.0
/// \file
/// Eight codes of a cache as eight floats in a register.
///
/// Each widening is exact. What lies past `count` is never read and becomes 0.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "common/formats.h"
#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {

/// Eight floats.
QLAB_AVX2 inline __m256 widen(const float* codes) { return _mm256_loadu_ps(codes); }
/// Eight FP16 numbers as floats.
QLAB_AVX2 inline __m256 widen(const half_t* codes) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
}
/// Eight INT8 codes as floats, without their scale.
QLAB_AVX2 inline __m256 widen(const std::int8_t* codes) {
  return _mm256_cvtepi32_ps(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes))));
}
// E4M3 in the layout of FP16, sign extended first so that one shift moves sign and magnitude:
//   s eeee mmm → s 0eeee mmm0000000, 2⁻⁸ of the value (bias 15 for 7), subnormals included.
/// Eight E4M3 numbers as floats.
QLAB_AVX2 inline __m256 widen(const fp8_e4m3_t* codes) {
  const __m128i extended =
      _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  const __m128i moved = _mm_slli_epi16(extended, 7);
  return _mm256_cvtph_ps(_mm_and_si128(moved, _mm_set1_epi16(static_cast<short>(0xBF80))));
}

// E5M2 is the upper half of FP16.
/// Eight E5M2 numbers as floats.
QLAB_AVX2 inline __m256 widen(const fp8_e5m2_t* codes) {
  const __m128i extended =
      _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  return _mm256_cvtph_ps(_mm_slli_epi16(extended, 8));
}

/// Eight codes of BITS bits from code number d on, a multiple of 8, each lowest in its lane: what stands
/// above it are the codes behind it.
template <int BITS>
QLAB_AVX2 inline __m256i spread_codes(const std::uint8_t* row, std::int64_t d) {
  static_assert(BITS == 2 || BITS == 4);
  std::conditional_t<BITS == 4, std::uint32_t, std::uint16_t> word;
  std::memcpy(&word, row + d * BITS / 8, sizeof(word));
  const __m256i shifts =
      _mm256_setr_epi32(0, BITS, 2 * BITS, 3 * BITS, 4 * BITS, 5 * BITS, 6 * BITS, 7 * BITS);
  return _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(word)), shifts);
}

/// The same as floats.
template <int BITS>
QLAB_AVX2 inline __m256 codes_to_floats(const std::uint8_t* row, std::int64_t d) {
  const __m256i code8 =
      _mm256_and_si256(spread_codes<BITS>(row, d), _mm256_set1_epi32((1 << BITS) - 1));
  return _mm256_cvtepi32_ps(code8);
}

/// row[d] = scale · code + minimum, both of d's group of 32 channels.
template <int BITS>
QLAB_AVX2 inline void read_channel_groups(const std::uint8_t* codes, const half_t* scale,
                                          const half_t* minimum, std::int64_t D, float* row) {
  for (std::int64_t d = 0; d < D; d += 32) {
    const __m256 scale8 = _mm256_set1_ps(_cvtsh_ss(scale[d / 32].bits));
    const __m256 minimum8 = _mm256_set1_ps(_cvtsh_ss(minimum[d / 32].bits));
    // All values that 2 bits can have, twice: three bits choose, of which the upper may be any.
    const __m256 values = _mm256_fmadd_ps(scale8, _mm256_setr_ps(0, 1, 2, 3, 0, 1, 2, 3), minimum8);
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < 32; i += 8) {
      const __m256 value8 =
          BITS == 2 ? _mm256_permutevar8x32_ps(values, spread_codes<BITS>(codes, d + i))
                    : _mm256_fmadd_ps(scale8, codes_to_floats<BITS>(codes, d + i), minimum8);
      _mm256_storeu_ps(row + d + i, value8);
    }
  }
}

/// rows[t, d] = scale[d] · code + minimum[d] for 32 tokens, whose codes follow each other.
template <int BITS>
QLAB_AVX2 inline void read_token_group(const std::uint8_t* codes, const half_t* scale,
                                       const half_t* minimum, std::int64_t D, float* rows) {
  for (std::int64_t d = 0; d < D; d += 8) {
    const __m256 scale8 = widen(scale + d), minimum8 = widen(minimum + d);
#pragma GCC unroll 4
    for (std::int64_t t = 0; t < 32; ++t) {
      const __m256 code8 = codes_to_floats<BITS>(codes + t * (D * BITS / 8), d);
      _mm256_storeu_ps(rows + t * D + d, _mm256_fmadd_ps(scale8, code8, minimum8));
    }
  }
}

/// The value of 1 in what widen() returns: a power of two, applied to scores and outputs.
template <class Code>
constexpr float kUnit = std::is_same_v<Code, fp8_e4m3_t> ? 256 : 1;

/// Eight values, zeros in place of those past `count`; reads nothing past `count`.
template <class Code>
QLAB_AVX2 inline __m256 load(const Code* codes, std::int64_t count) {
  if (count >= 8) return widen(codes);
  Code padded[8] = {};
  std::memcpy(padded, codes, static_cast<std::size_t>(count) * sizeof(Code));
  return widen(padded);
}

/// Stores the first `count` of eight floats, 0 … 8.
QLAB_AVX2 inline void store(float* to, __m256 values, std::int64_t count) {
  if (count >= 8) return _mm256_storeu_ps(to, values);
  float padded[8];
  _mm256_storeu_ps(padded, values);
  std::memcpy(to, padded, static_cast<std::size_t>(count) * sizeof(float));
}

}  // namespace qlab
#endif
