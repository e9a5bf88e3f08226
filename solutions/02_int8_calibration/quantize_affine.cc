// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_affine: the range, its scale and zero point, the codes, and the way back.
///
/// Bottleneck   nearbyint, a call for every value; a vector unit does eight in one instruction
/// Teaches      why 0 belongs to every range, and in which order to round, shift and clamp
/// Leaves out   SIMD and threads; one pair of parameters a row, a group or a token (granularity)
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
  // BEGIN SOLUTION [quantize_affine_range] Find the range that the codes must cover
  // Set `lo` and `hi` to the smallest and the largest value. The range must hold 0 as well, also
  // when all values lie on one side of it.

  // Both start at 0, so 0 is inside without another line. It must be: padding, ReLU and pruning
  // make zeros, and a zero point outside -128 … 127 would be no code.
  for (const float value : x) {
    lo = std::min(lo, value);
    hi = std::max(hi, value);
  }
  // END SOLUTION [quantize_affine_range]
  QLAB_CHECK(std::isfinite(hi - lo), "affine_scale: the range from ", lo, " to ", hi,
             " is wider than FP32 can say; scale the values down");
  float scale = 1;
  std::int32_t zero_point = -128;
  // BEGIN SOLUTION [quantize_affine_scale] Choose the scale and the zero point
  // Set `scale` so that hi - lo takes 255 steps, and `zero_point` to the whole number nearest to
  // -128 - lo / scale. Both are right already for lo == hi. No scale is below kSmallestNormal.

  // lo should get the code -128, so 0 gets one that lies -lo / scale steps higher. That is no whole
  // number in general; rounding it moves the range by half a step at most, and buys an exact 0.
  // No clamp: 0 is in the range, so this is between -128 and 127 but for what rounding takes away.
  if (lo < hi) {
    scale = std::max((hi - lo) / 255, kSmallestNormal);
    zero_point = static_cast<std::int32_t>(std::nearbyint(-128 - lo / scale));
  }
  // END SOLUTION [quantize_affine_scale]
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
  // BEGIN SOLUTION [quantize_affine_codes] Round every value to its code
  // Write codes[i], in -128 … 127: the whole number nearest to x[i] / scale, ties to even, then the
  // zero point added. A value may be 1e30 times the scale, or infinite.

  // Rounding comes first: x / scale + zero_point would be rounded twice, and its ties would go to
  // another side for an odd zero point. Then shift, then clamp, all in float; narrow last.
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float steps = std::nearbyint(x[i] / scale);
    codes[i] = static_cast<std::int8_t>(std::clamp(steps + zero_point, -128.0F, 127.0F));
  }
  // END SOLUTION [quantize_affine_codes]
}

void dequantize_affine(std::span<const std::int8_t> codes, AffineScale parameters,
                       std::span<float> x) {
  check_lengths("dequantize_affine", x.size(), codes.size());
  check_parameters("dequantize_affine", parameters);
  const auto [scale, zero_point] = parameters;
  // BEGIN SOLUTION [quantize_affine_values] Give every code its value
  // Write x[i], what codes[i] stands for, with a single rounding.

  // The difference is a whole number of -255 … 255 and exact, so only the product rounds. As
  // scale · code - scale · zero_point three operations would.
  for (std::size_t i = 0; i < codes.size(); ++i) {
    x[i] = scale * static_cast<float>(codes[i] - zero_point);
  }
  // END SOLUTION [quantize_affine_values]
}

}  // namespace qlab::exercise
