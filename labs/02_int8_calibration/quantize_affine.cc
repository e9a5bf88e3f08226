// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_affine: your turn. Replace each todo() with your code, then run `./lab check quantize_affine`.
#include "02_int8_calibration/quantize_affine.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qlab::exercise {
namespace {

// value    lo ………… 0 ………………… hi         scale = (hi - lo) / 255: 256 codes, 255 steps
// code   -128 … zero_point … 127         real 0 is a code, so zeros come back as zeros
constexpr float kSmallestNormal = std::numeric_limits<float>::min();  // 2⁻¹²⁶

void check_parameters(const char* operation, AffineScale p) {
  QLAB_CHECK(std::isnormal(p.scale) && p.scale > 0, operation, ": scale is ", p.scale,
             "; it must be a normal number above 0, as affine_scale gives it");
  QLAB_CHECK(p.zero_point >= -128 && p.zero_point <= 127, operation, ": zero_point is ",
             p.zero_point, "; it is a code, so it lies in -128 … 127");
}

void check_lengths(const char* operation, std::size_t values, std::size_t codes) {
  QLAB_CHECK(values == codes, operation, ": x has ", values, " values and codes has ", codes,
             "; they must be equally long");
}

}  // namespace

AffineScale affine_scale(std::span<const float> x) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    QLAB_CHECK(std::isfinite(x[i]), "affine_scale: x[", i, "] is ", x[i],
               "; a scale needs finite values");
  }
  float lo = 0, hi = 0;
  // TODO [quantize_affine_range] Find the range that the codes must cover
  // Set `lo` and `hi` to the smallest and the largest value. The range must hold 0 as well, also
  // when all values lie on one side of it.
  todo("quantize_affine_range");
  QLAB_CHECK(std::isfinite(hi - lo), "affine_scale: the range from ", lo, " to ", hi,
             " is wider than FP32 can say; scale the values down");
  float scale = 1;
  std::int32_t zero_point = -128;
  // TODO [quantize_affine_scale] Choose the scale and the zero point
  // Set `scale` so that hi - lo takes 255 steps, and `zero_point` to the whole number nearest to
  // -128 - lo / scale. Both are right already for lo == hi. No scale is below kSmallestNormal.
  todo("quantize_affine_scale");
  return {.scale = scale, .zero_point = zero_point};
}

void quantize_affine(std::span<const float> x, AffineScale parameters,
                     std::span<std::int8_t> codes) {
  check_lengths("quantize_affine", x.size(), codes.size());
  check_parameters("quantize_affine", parameters);
  for (std::size_t i = 0; i < x.size(); ++i) {
    QLAB_CHECK(!std::isnan(x[i]), "quantize_affine: x[", i,
               "] is nan, which no code stands for; mend what computed it");
  }
  const float scale = parameters.scale;
  const auto zero_point = static_cast<float>(parameters.zero_point);
  // TODO [quantize_affine_codes] Round every value to its code
  // Write codes[i], in -128 … 127: the whole number nearest to x[i] / scale, ties to even, then the
  // zero point added. A value may be 1e30 times the scale, or infinite.
  todo("quantize_affine_codes");
}

void dequantize_affine(std::span<const std::int8_t> codes, AffineScale parameters,
                       std::span<float> x) {
  check_lengths("dequantize_affine", x.size(), codes.size());
  check_parameters("dequantize_affine", parameters);
  const auto [scale, zero_point] = parameters;
  // TODO [quantize_affine_values] Give every code its value
  // Write x[i], what codes[i] stands for, with a single rounding.
  todo("quantize_affine_values");
}

}  // namespace qlab::exercise
