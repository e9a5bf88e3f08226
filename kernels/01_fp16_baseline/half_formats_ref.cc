// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of half_formats: a value is a whole number of steps, and the step depends on the
/// binade. It shares nothing with common/formats.h, which works on bits.
#include <algorithm>
#include <cmath>
#include <limits>

#include "01_fp16_baseline/half_formats.h"

namespace qlab {
namespace {

struct Format {
  int exponent_bits, mantissa_bits;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};
constexpr Format kHalf{5, 10}, kBf16{8, 7};

double value_of(Format f, int code) {
  const int fields = f.exponent_bits + f.mantissa_bits;
  const double sign = (code >> fields & 1) != 0 ? -1 : 1;
  const int exponent = code >> f.mantissa_bits & ((1 << f.exponent_bits) - 1);
  const int mantissa = code & ((1 << f.mantissa_bits) - 1);
  if (exponent == (1 << f.exponent_bits) - 1) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - f.bias() - f.mantissa_bits);
  return sign *
         std::ldexp((1 << f.mantissa_bits) + mantissa, exponent - f.bias() - f.mantissa_bits);
}

std::uint16_t code_of(Format f, double x) {
  const int top = ((1 << f.exponent_bits) - 1) << f.mantissa_bits;  // infinity
  const int sign = std::signbit(x) ? 1 << (f.exponent_bits + f.mantissa_bits) : 0;
  if (std::isnan(x)) return static_cast<std::uint16_t>(sign | top | 1);
  const double magnitude = std::abs(x);
  if (std::isinf(x)) return static_cast<std::uint16_t>(sign | top);
  // The binade of x, no lower than the one that the subnormals share with the smallest normals.
  const int lowest = 1 - f.bias();
  const int binade = magnitude == 0 ? lowest : std::max(std::ilogb(magnitude), lowest);
  // In double the division is exact and nearbyint rounds ties to even. All steps below this binade
  // are counted by its exponent field, so the sum carries where rounding reaches the next binade.
  const auto steps =
      static_cast<int>(std::nearbyint(std::ldexp(magnitude, f.mantissa_bits - binade)));
  const int code = ((binade - lowest) << f.mantissa_bits) + steps;
  return static_cast<std::uint16_t>(sign | std::min(code, top));
}

}  // namespace

double half_value_ref(std::uint16_t code) { return value_of(kHalf, code); }
std::uint16_t half_code_ref(double x) { return code_of(kHalf, x); }
std::uint16_t bf16_code_ref(double x) { return code_of(kBf16, x); }

}  // namespace qlab
