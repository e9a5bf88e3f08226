// SPDX-License-Identifier: Apache-2.0
/// \file
/// A number of FP16 as the sum of two of BF16, exactly: how FP16 meets a unit that knows BF16 alone.
///
///     FP16   s eeeee mmmmmmmmmm            11 significant bits
///     BF16   s eeeeeeee mmmmmmm            the upper 8 of them, then the lower 3, whose exponent is lower
///
/// The range of BF16 is wider: both parts of the least subnormal number of FP16, 2⁻²⁴, are normal.
#pragma once

#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>

#include <cstdint>

#include "common/formats.h"

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {

/// The upper halves of two floats a lane: of `even` in the lower half of the lane, of `odd` in the upper.
QLAB_AVX512 inline __m512i bf16_pairs(__m512 even, __m512 odd) {
  return _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(even), 16),
                         _mm512_and_si512(_mm512_castps_si512(odd), _mm512_set1_epi32(-65536)));
}

/// What a float of 11 significant bits loses when it is cut to BF16: 3 bits.
QLAB_AVX512 inline __m512 rest_of_bf16(__m512 x) {
  const __m512i upper = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(-65536));
  return _mm512_sub_ps(x, _mm512_castsi512_ps(upper));
}

/// Pairs of FP16 numbers, widened, as pairs of their upper parts and of the rest; 64 bytes each.
QLAB_AVX512 inline void split_pairs(__m512 even, __m512 odd, void* upper, void* rest) {
  _mm512_storeu_si512(upper, bf16_pairs(even, odd));
  _mm512_storeu_si512(rest, bf16_pairs(rest_of_bf16(even), rest_of_bf16(odd)));
}

/// The first `count` of 32 FP16 numbers, zeros behind them.
QLAB_AVX512 inline __m512i load_halves(const half_t* from, std::int64_t count) {
  const auto valid = static_cast<__mmask32>(count >= 32 ? ~0U : (1U << count) - 1);
  return _mm512_maskz_loadu_epi16(valid, from);
}

/// 32 FP16 numbers, in their order, as upper parts and rest; 64 bytes each.
QLAB_AVX512 inline void split_halves(__m512i halves, void* upper, void* rest) {
  const __m512 even = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(halves));
  const __m512 odd = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(halves, 16)));
  split_pairs(even, odd, upper, rest);
}

}  // namespace qlab
#endif
