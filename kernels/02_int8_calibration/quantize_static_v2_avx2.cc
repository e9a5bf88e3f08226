// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_static, rung 2: eight values at a time.
///
/// Idea    vector division, clamp and conversion; vcvtps2dq rounds ties to even by itself
/// Before  rung 1 calls nearbyint for every value
/// Needs   avx2
#include <algorithm>
#include <atomic>
#include <cmath>

#include "02_int8_calibration/quantize_static.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

/// False if there was a NaN. The clamp is needed: vcvtps2dq answers INT_MIN to all that is too large,
/// 1e30 among it, and the packs, which saturate, stop at -128.
QLAB_AVX2 bool round_row(const float* x, float scale, std::int64_t count, std::int8_t* codes) {
  const __m256 scale8 = _mm256_set1_ps(scale);
  const __m256 least8 = _mm256_set1_ps(-127);
  const __m256 most8 = _mm256_set1_ps(127);
  __m256 ordered8 = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 x8 = _mm256_loadu_ps(x + i);
    const __m256 number8 = _mm256_cmp_ps(x8, x8, _CMP_ORD_Q);
    __m256 quotient8 = _mm256_div_ps(x8, scale8);
    quotient8 = _mm256_max_ps(_mm256_min_ps(quotient8, most8), least8);
    const __m256i code8 = _mm256_cvtps_epi32(_mm256_and_ps(quotient8, number8));  // NaN: bits of 0
    const __m128i code16 =
        _mm_packs_epi32(_mm256_castsi256_si128(code8), _mm256_extracti128_si256(code8, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(codes + i), _mm_packs_epi16(code16, code16));
    ordered8 = _mm256_and_ps(ordered8, number8);
  }
  bool ordered = _mm256_movemask_ps(ordered8) == 0xFF;
  for (; i < count; ++i) {
    const bool number = !std::isnan(x[i]);
    const float quotient = number ? std::clamp(x[i] / scale, -127.0F, 127.0F) : 0;
    codes[i] = static_cast<std::int8_t>(std::nearbyint(quotient));
    ordered = ordered && number;
  }
  return ordered;
}

}  // namespace

bool quantize_static_v2_avx2(MatrixView<const float> x, float scale, MatrixView<std::int8_t> codes,
                             ThreadPool& threads) {
  std::atomic<bool> ordered = true;
  threads.run(x.rows(), [&](std::int64_t r) {
    if (!round_row(x.row(r), scale, x.cols(), codes.row(r))) ordered = false;
  });
  return ordered;
}

}  // namespace qlab
#endif
