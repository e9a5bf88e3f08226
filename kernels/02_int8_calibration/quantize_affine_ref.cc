// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of quantize_affine: 256 tries a value, and 256 for the zero point.
#include <cmath>

#include "02_int8_calibration/quantize_affine.h"

namespace qlab {
namespace {

/// Of -128 … 127 the code whose distance to `zero`, counted in steps, is nearest to `steps`; of two
/// equally near, the one at an even distance. From far away all distances round to one number, so
/// what lies outside is told by its sign.
std::int32_t nearest_code(double steps, std::int32_t zero) {
  if (std::fabs(steps) > 512) return steps > 0 ? 127 : -128;
  std::int32_t best = -128;
  for (std::int32_t code = -127; code <= 127; ++code) {
    const double error = std::fabs(steps - (code - zero));
    const double best_error = std::fabs(steps - (best - zero));
    if (error < best_error || (error == best_error && (code - zero) % 2 == 0)) best = code;
  }
  return best;
}

}  // namespace

AffineScale affine_scale_ref(std::span<const float> x) {
  double lo = 0, hi = 0;
  for (const float value : x) {
    if (value < lo) lo = value;
    if (value > hi) hi = value;
  }
  if (lo == hi) return {.scale = 1, .zero_point = -128};
  // The contract's roundings to FP32, one after the other. Rounding twice is harmless: a double has
  // more than twice a float's bits, and two.
  const double range = static_cast<float>(hi - lo);
  const auto scale = static_cast<float>(std::fmax(range / 255, 0x1p-126));
  const double steps_to_lo = static_cast<float>(lo / scale);
  return {.scale = scale,
          .zero_point = nearest_code(static_cast<float>(-128 - steps_to_lo), /*zero=*/0)};
}

std::int32_t affine_code_ref(float x, AffineScale parameters) {
  const float quotient = x / parameters.scale;  // the contract's one rounding before the code's
  return nearest_code(quotient, parameters.zero_point);
}

}  // namespace qlab
