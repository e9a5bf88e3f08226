// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_symmetric: your turn. Replace each todo() with your code, then run `./lab check quantize_symmetric`.
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
  // TODO [quantize_symmetric_absmax] Find the largest magnitude
  // Set `absmax` to the largest |x[i]|. It stays 0 when there are only zeros, or no values.
  todo("quantize_symmetric_absmax");
  float scale = 1;
  // TODO [quantize_symmetric_scale] Choose the scale
  // Set `scale` so that `absmax` gets the code 127; it is 1 already, for zeros. No scale may be
  // below kSmallestNormal, so tiny values use less of their range.
  todo("quantize_symmetric_scale");
  return scale;
}

void quantize_symmetric(std::span<const float> x, float scale, std::span<std::int8_t> codes) {
  check_lengths("quantize_symmetric", x.size(), codes.size());
  check_scale("quantize_symmetric", scale);
  for (std::size_t i = 0; i < x.size(); ++i) {
    QLAB_CHECK(!std::isnan(x[i]), "quantize_symmetric: x[", i,
               "] is nan, which no code stands for; mend what computed it");
  }
  // TODO [quantize_symmetric_codes] Round every value to its code
  // Write codes[i], the whole number nearest to x[i] / scale, ties to even, in -127 … 127. A value
  // may be 1e30 times the scale, or infinite.
  todo("quantize_symmetric_codes");
}

void dequantize_symmetric(std::span<const std::int8_t> codes, float scale, std::span<float> x) {
  check_lengths("dequantize_symmetric", x.size(), codes.size());
  check_scale("dequantize_symmetric", scale);
  // TODO [quantize_symmetric_values] Give every code its value
  // Write x[i], what codes[i] stands for.
  todo("quantize_symmetric_values");
}

}  // namespace qlab::exercise
