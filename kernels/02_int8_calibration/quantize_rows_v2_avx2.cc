// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows, rung 2: eight values at a time.
///
/// Idea    vector maximum, division and conversion; vcvtps2dq rounds ties to even by itself
/// Before  rung 1 calls nearbyint for every value
/// Needs   avx2
#include <algorithm>
#include <bit>
#include <cmath>

#include "02_int8_calibration/quantize_rows.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

/// The largest magnitude, found on the bits: see rung 1.
QLAB_AVX2 float absmax(const float* x, std::int64_t count) {
  const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
  __m256i largest8 = _mm256_setzero_si256();
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
    largest8 = _mm256_max_epi32(largest8, _mm256_and_si256(bits, magnitude));
  }
  alignas(32) std::int32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), largest8);
  std::int32_t largest = *std::max_element(lanes, lanes + 8);
  for (; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<std::int32_t>(x[i]) & 0x7FFFFFFF);
  }
  return std::bit_cast<float>(largest);
}

/// No clamp: see rung 1.
QLAB_AVX2 void round_row(const float* x, float scale, std::int64_t count, std::int8_t* codes) {
  const __m256 scale8 = _mm256_set1_ps(scale);
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256i code8 = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x + i), scale8));
    const __m128i code16 =
        _mm_packs_epi32(_mm256_castsi256_si128(code8), _mm256_extracti128_si256(code8, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(codes + i), _mm_packs_epi16(code16, code16));
  }
  for (; i < count; ++i) codes[i] = static_cast<std::int8_t>(std::nearbyint(x[i] / scale));
}

}  // namespace

void quantize_rows_v2_avx2(MatrixView<const float> x, Granularity granularity,
                           MatrixView<std::int8_t> codes, float* scale, ThreadPool& threads) {
  if (granularity == Granularity::kPerTensor) {
    threads.run(x.rows(), [&](std::int64_t r) { scale[r] = absmax(x.row(r), x.cols()); });
    std::fill_n(scale, x.rows(), int8_scale(absmax(scale, x.rows())));
  }
  threads.run(x.rows(), [&](std::int64_t r) {
    if (granularity == Granularity::kPerRow) scale[r] = int8_scale(absmax(x.row(r), x.cols()));
    if (std::isfinite(scale[r])) round_row(x.row(r), scale[r], x.cols(), codes.row(r));
  });
}

}  // namespace qlab
#endif
