// SPDX-License-Identifier: Apache-2.0
/// \file
/// mean_squared_error: the error of one threshold, at a speed that allows a search over 100 of them.
///
/// A code has 7 bits and a scale 24, so their product is exact in double. The squares go to eight
/// sums in turn: that is the order in which vectors of eight add, so that both paths agree bit for
/// bit.
#include <algorithm>
#include <cmath>

#include "02_int8_calibration/calibrate.h"
#include "02_int8_calibration/calibrate_parts.h"
#include "02_int8_calibration/quantize_rows.h"
#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>
#endif

namespace qlab {
namespace {

constexpr std::size_t kLanes = 8;

/// Signs change nothing: the range is symmetric. An infinite quotient clips like any other.
double squared_error(float x, float scale) {
  const float magnitude = std::abs(x);
  const float code = std::nearbyint(std::min(magnitude / scale, 127.0F));
  const double error = double{magnitude} - double{scale} * double{code};
  return error * error;
}

void add_scalar(std::span<const float> x, float scale, double* sums) {
  for (std::size_t i = 0; i < x.size(); ++i) sums[i % kLanes] += squared_error(x[i], scale);
}

#if QLAB_X86
/// Adds as many samples as fill whole vectors and returns their number.
QLAB_AVX2 std::size_t add_avx2(std::span<const float> x, float scale, double* sums) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  const __m256 scale8 = _mm256_set1_ps(scale);
  const __m256d scale4 = _mm256_set1_pd(scale);
  __m256d low_sum = _mm256_setzero_pd();   // lanes 0 … 3
  __m256d high_sum = _mm256_setzero_pd();  // lanes 4 … 7
  std::size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    const __m256 magnitude = _mm256_andnot_ps(sign, _mm256_loadu_ps(&x[i]));
    const __m256 quotient = _mm256_min_ps(_mm256_div_ps(magnitude, scale8), _mm256_set1_ps(127));
    const __m256 code = _mm256_round_ps(quotient, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256d low = _mm256_fnmadd_pd(scale4, _mm256_cvtps_pd(_mm256_castps256_ps128(code)),
                                         _mm256_cvtps_pd(_mm256_castps256_ps128(magnitude)));
    const __m256d high = _mm256_fnmadd_pd(scale4, _mm256_cvtps_pd(_mm256_extractf128_ps(code, 1)),
                                          _mm256_cvtps_pd(_mm256_extractf128_ps(magnitude, 1)));
    low_sum = _mm256_add_pd(low_sum, _mm256_mul_pd(low, low));
    high_sum = _mm256_add_pd(high_sum, _mm256_mul_pd(high, high));
  }
  _mm256_storeu_pd(sums, low_sum);
  _mm256_storeu_pd(sums + 4, high_sum);
  return i;
}
#endif

}  // namespace

double mean_squared_error(std::span<const float> samples, float threshold) {
  QLAB_CHECK(threshold >= 0 && std::isfinite(threshold), "mean_squared_error: threshold is ",
             threshold, "; it must be finite and not below 0");
  const float scale = int8_scale(threshold);
  double sums[kLanes] = {};
  std::size_t done = 0;
#if QLAB_X86
  static const bool has_avx2 = best_isa() >= Isa::kAvx2;
  if (has_avx2) done = add_avx2(samples, scale, sums);
#endif
  add_scalar(samples.subspan(done), scale, sums);

  double sum = 0;
  for (const double lane : sums) sum += lane;
  // The squares of finite floats cannot overflow a double, so only a bad sample ends here.
  if (samples.empty() || !std::isfinite(sum)) largest_magnitude("mean_squared_error", samples);
  return sum / static_cast<double>(samples.size());
}

}  // namespace qlab
