// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_symmetric: the largest magnitude, the scale, the codes, and the way back.
///
/// Bottleneck   nearbyint, a call for every value; a vector unit does eight in one instruction
/// Teaches      round to even, clamp before narrowing, and the two cases in which a scale goes wrong
/// Leaves out   SIMD, threads and strided rows (quantize_rows, quantize_static)
#include "02_int8_calibration/quantize_symmetric.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qlab::exercise {
namespace {

// code     -127 … -1 0 1 … 127        -128 is not used: -code and |code| stay in range, and both
// value    scale · code               ends of the range, ±absmax, have a code of their own
constexpr float kSmallestNormal = std::numeric_limits<float>::min();  // 2⁻¹²⁶

void check_scale(const char* operation, float scale) {
  QLAB_CHECK(std::isnormal(scale) && scale > 0, operation, ": scale is ", scale,
             "; it must be a normal number above 0, as symmetric_scale gives it");
}

void check_lengths(const char* operation, std::size_t values, std::size_t codes) {
  QLAB_CHECK(values == codes, operation, ": x has ", values, " values and codes has ", codes,
             "; they must be equally long");
}

}  // namespace

float symmetric_scale(std::span<const float> x) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    QLAB_CHECK(std::isfinite(x[i]), "symmetric_scale: x[", i, "] is ", x[i],
               "; a scale needs finite values");
  }
  float absmax = 0;
  // BEGIN SOLUTION [quantize_symmetric_absmax] Find the largest magnitude
  // Set `absmax` to the largest |x[i]|. It stays 0 when there are only zeros, or no values.

  // Magnitudes, not values: a row may be all negative, and its most negative value sets the range.
  for (const float value : x) {
    absmax = std::max(absmax, std::fabs(value));
  }
  // END SOLUTION [quantize_symmetric_absmax]
  float scale = 1;
  // BEGIN SOLUTION [quantize_symmetric_scale] Choose the scale
  // Set `scale` so that `absmax` gets the code 127; it is 1 already, for zeros. No scale may be
  // below kSmallestNormal, so tiny values use less of their range.

  // Any scale would do for zeros, but 0 / 127 would not: 0 / 0 is NaN. 127 steps reach from 0 to
  // absmax, so divide by 127; the 256 codes have nothing to do with it.
  if (absmax > 0) {
    scale = std::max(absmax / 127, kSmallestNormal);
  }
  // END SOLUTION [quantize_symmetric_scale]
  return scale;
}

void quantize_symmetric(std::span<const float> x, float scale, std::span<std::int8_t> codes) {
  check_lengths("quantize_symmetric", x.size(), codes.size());
  check_scale("quantize_symmetric", scale);
  for (std::size_t i = 0; i < x.size(); ++i) {
    QLAB_CHECK(!std::isnan(x[i]), "quantize_symmetric: x[", i,
               "] is nan, which no code stands for; mend what computed it");
  }
  // BEGIN SOLUTION [quantize_symmetric_codes] Round every value to its code
  // Write codes[i], the whole number nearest to x[i] / scale, ties to even, in -127 … 127. A value
  // may be 1e30 times the scale, or infinite.

  for (std::size_t i = 0; i < x.size(); ++i) {
    // nearbyint rounds ties to even; round() would push every tie away from 0. Clamp while it is a
    // float: an integer has no room for 1e30, and a narrow one keeps the low bits of 300, which are
    // 44.
    const float code = std::clamp(std::nearbyint(x[i] / scale), -127.0F, 127.0F);
    codes[i] = static_cast<std::int8_t>(code);
  }
  // END SOLUTION [quantize_symmetric_codes]
}

void dequantize_symmetric(std::span<const std::int8_t> codes, float scale, std::span<float> x) {
  check_lengths("dequantize_symmetric", x.size(), codes.size());
  check_scale("dequantize_symmetric", scale);
  // BEGIN SOLUTION [quantize_symmetric_values] Give every code its value
  // Write x[i], what codes[i] stands for.

  // The only rounding here is that of the product: every code is a float exactly.
  for (std::size_t i = 0; i < codes.size(); ++i) {
    x[i] = scale * static_cast<float>(codes[i]);
  }
  // END SOLUTION [quantize_symmetric_values]
}

}  // namespace qlab::exercise
