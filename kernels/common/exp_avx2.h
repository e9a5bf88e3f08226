// SPDX-License-Identifier: Apache-2.0
/// \file
/// exp_avx2: e^x of eight floats at once, for a softmax.
#pragma once

#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {

/// e^x for x ≤ 88, within 2 units in the last place; exactly 1 at 0, 0 below ln(2⁻¹²⁶) = -87.3 and
/// at -infinity. NaN stays NaN.
///
/// x = n · ln 2 + r with n whole and |r| ≤ ln 2 / 2, so e^x = 2ⁿ · e^r. The Taylor series of e^r up
/// to r⁷ / 7! leaves at most 0.347⁸ / 8! = 5.2e-9, a tenth of a unit of 2⁻²⁴. Rounding adds half a
/// unit in the last step, and under one in r and in the steps before, whose errors r shrinks.
QLAB_AVX2 inline __m256 exp_avx2(__m256 x) {
  const __m256 least = _mm256_set1_ps(-87.33654F);
  const __m256 clamped = _mm256_max_ps(least, x);  // gives x, the second operand, if that is NaN

  // ln 2 in two parts: n · 355/512 is exact, so r loses nothing where x and n · ln 2 cancel.
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(clamped, _mm256_set1_ps(1.44269504F)),  // 1 / ln 2
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(355.0F / 512), clamped);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4F), r);  // ln 2 - 355/512

  __m256 series = _mm256_set1_ps(1.0F / 5040);
  series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(1.0F / 720));
  series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(1.0F / 120));
  series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(1.0F / 24));
  series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(1.0F / 6));
  series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(1.0F / 2));
  series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(1.0F));
  series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(1.0F));

  // 2ⁿ is a float whose exponent field holds n + 127: 1 … 254 for the n that occur.
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  const __m256 power = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  const __m256 counts = _mm256_cmp_ps(x, least, _CMP_NLT_UQ);  // true for NaN, which must stay
  return _mm256_and_ps(counts, _mm256_mul_ps(series, power));
}

}  // namespace qlab
#endif
