// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sixteen codes of a cache as sixteen floats in a register.
///
/// Each widening is exact. What lies past `count` is never read and becomes 0. In units of kUnit, as
/// kv_codes_avx2.h.
#pragma once

#include <algorithm>

#include "04_kv_cache/kv_codes_avx2.h"

#if QLAB_X86

namespace qlab {

/// Lanes 0 … count - 1, all 16 from there on.
inline __mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFF : (1U << count) - 1);
}

/// Sixteen floats; here and below 0 where `lanes` has no bit.
QLAB_AVX512 inline __m512 load16(const float* x, __mmask16 lanes) {
  return _mm512_maskz_loadu_ps(lanes, x);
}
/// Sixteen FP16 numbers as floats.
QLAB_AVX512 inline __m512 load16(const half_t* codes, __mmask16 lanes) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, codes));
}
/// Sixteen INT8 codes as floats, without their scale.
QLAB_AVX512 inline __m512 load16(const std::int8_t* codes, __mmask16 lanes) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, codes)));
}
/// Sixteen E4M3 numbers as floats.
QLAB_AVX512 inline __m512 load16(const fp8_e4m3_t* codes, __mmask16 lanes) {
  const __m256i extended = _mm256_cvtepi8_epi16(_mm_maskz_loadu_epi8(lanes, codes));
  const __m256i moved = _mm256_slli_epi16(extended, 7);
  return _mm512_cvtph_ps(_mm256_and_si256(moved, _mm256_set1_epi16(static_cast<short>(0xBF80))));
}
/// Sixteen E5M2 numbers as floats.
QLAB_AVX512 inline __m512 load16(const fp8_e5m2_t* codes, __mmask16 lanes) {
  const __m256i extended = _mm256_cvtepu8_epi16(_mm_maskz_loadu_epi8(lanes, codes));
  return _mm512_cvtph_ps(_mm256_slli_epi16(extended, 8));
}

/// Half a group, codes 16 · half … 16 · half + 15 of the 32 that begin at `codes`, each lowest in its
/// lane: what stands above it are codes beside it.
template <int BITS>
QLAB_AVX512 inline __m512i spread_half_group(const std::uint8_t* codes, int half) {
  static_assert(BITS == 2 || BITS == 4);
  if constexpr (BITS == 2) {
    std::uint32_t word;
    std::memcpy(&word, codes + 4 * half, sizeof(word));
    const __m512i shifts =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_srlv_epi32(_mm512_set1_epi32(static_cast<int>(word)), shifts);
  } else {
    // All 16 bytes in each quarter of the register, of which a lane takes one: two lanes to a byte.
    const __m512i bytes =
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
    const __m512i of_quarter = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const __m512i byte = _mm512_add_epi32(of_quarter, _mm512_set1_epi32(8 * half));
    const __m512i nothing =
        _mm512_set1_epi32(static_cast<int>(0x80808000));  // zeros the upper bytes
    const __m512i shifts = _mm512_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4);
    return _mm512_srlv_epi32(_mm512_shuffle_epi8(bytes, _mm512_or_si512(byte, nothing)), shifts);
  }
}

/// Unpacks groups with a table in a register: four bits choose one of sixteen floats.
struct GroupsAvx512 {
  /// row[d] = scale · code + minimum, both of d's group of 32 channels.
  template <int BITS>
  QLAB_AVX512 static void channels(const std::uint8_t* codes, const half_t* scale,
                                   const half_t* minimum, std::int64_t D, float* row) {
    const __m512 four_bits = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512 two_bits = _mm512_setr_ps(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    const std::int64_t groups = D / 32;
    for (std::int64_t g0 = 0; g0 < groups; g0 += 16) {
      float scales[16], minima[16];  // of up to 16 groups, widened together
      const __mmask16 lanes = first_lanes(groups - g0);
      _mm512_storeu_ps(scales, load16(scale + g0, lanes));
      _mm512_storeu_ps(minima, load16(minimum + g0, lanes));
      for (std::int64_t g = g0; g < std::min(groups, g0 + 16); ++g) {
        // All values that codes of this group can have. The index is the lowest four bits of a lane:
        // with codes of 2 bits the upper two are the next code's, and any of them may be.
        const __m512 values =
            _mm512_fmadd_ps(_mm512_set1_ps(scales[g - g0]), BITS == 4 ? four_bits : two_bits,
                            _mm512_set1_ps(minima[g - g0]));
        const std::uint8_t* const group = codes + g * 4 * BITS;
        const __m512i low = spread_half_group<BITS>(group, 0);
        const __m512i high = spread_half_group<BITS>(group, 1);
        _mm512_storeu_ps(row + 32 * g, _mm512_permutexvar_ps(low, values));
        _mm512_storeu_ps(row + 32 * g + 16, _mm512_permutexvar_ps(high, values));
      }
    }
  }

  /// rows[t, d] = scale[d] · code + minimum[d] for 32 tokens, whose codes follow each other.
  template <int BITS>
  QLAB_AVX512 static void tokens(const std::uint8_t* codes, const half_t* scale,
                                 const half_t* minimum, std::int64_t D, float* rows) {
    const __m512i mask = _mm512_set1_epi32((1 << BITS) - 1);
    for (std::int64_t d = 0; d < D; d += 32) {
      const __m512 scale_low = load16(scale + d, 0xFFFF);
      const __m512 scale_high = load16(scale + d + 16, 0xFFFF);
      const __m512 minimum_low = load16(minimum + d, 0xFFFF);
      const __m512 minimum_high = load16(minimum + d + 16, 0xFFFF);
      for (std::int64_t t = 0; t < 32; ++t) {
        const std::uint8_t* const group = codes + (t * D + d) * BITS / 8;
        const __m512i low = _mm512_and_si512(spread_half_group<BITS>(group, 0), mask);
        const __m512i high = _mm512_and_si512(spread_half_group<BITS>(group, 1), mask);
        float* const row = rows + t * D + d;
        _mm512_storeu_ps(row, _mm512_fmadd_ps(scale_low, _mm512_cvtepi32_ps(low), minimum_low));
        _mm512_storeu_ps(row + 16,
                         _mm512_fmadd_ps(scale_high, _mm512_cvtepi32_ps(high), minimum_high));
      }
    }
  }
};

}  // namespace qlab
#endif
