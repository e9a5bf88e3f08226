// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of fp8_formats: it looks at every code and takes the nearest. Near a tie the
/// differences of a float and a code are exact in double.
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "04_kv_cache/fp8_formats.h"

namespace qlab {
namespace {

struct Definition {
  int mantissa_bits, bias;
  int largest;   // the code of the largest number
  int overflow;  // the code of what is too large, when it does not saturate: NaN or infinity
};
constexpr Definition kE4m3{3, 7, 0x7E, 0x7F}, kE5m2{2, 15, 0x7B, 0x7C};

/// The values of all codes without a sign, as if numbers went on above the largest.
std::array<double, 128> magnitudes_of(Definition f) {
  std::array<double, 128> values;
  for (int code = 0; code < 128; ++code) {
    const int exponent = code >> f.mantissa_bits;
    const double fraction = (code % (1 << f.mantissa_bits)) / std::ldexp(1, f.mantissa_bits);
    values[static_cast<std::size_t>(code)] = exponent == 0
                                                 ? std::ldexp(fraction, 1 - f.bias)
                                                 : std::ldexp(1 + fraction, exponent - f.bias);
  }
  return values;
}
const std::array<double, 128> kE4m3Values = magnitudes_of(kE4m3);
const std::array<double, 128> kE5m2Values = magnitudes_of(kE5m2);

double value_of(Definition f, const std::array<double, 128>& values, std::uint8_t code) {
  const int magnitude = code % 128;
  const double sign = code < 128 ? 1 : -1;
  if (magnitude <= f.largest) return sign * values[static_cast<std::size_t>(magnitude)];
  const bool infinity = magnitude == 0x7C;  // E5M2's: in E4M3 only 0x7F is above the largest
  return infinity ? sign * std::numeric_limits<double>::infinity()
                  : std::numeric_limits<double>::quiet_NaN();
}

std::uint8_t code_of(Definition f, const std::array<double, 128>& values, double x, bool saturate) {
  const int sign = std::signbit(x) ? 0x80 : 0;
  if (std::isnan(x)) return static_cast<std::uint8_t>(sign | 0x7F);
  // The number that would follow the largest takes part: what is nearest to it overflows. Past it
  // everything does, and differences would be too coarse to say so.
  const auto codes = static_cast<std::size_t>(f.largest) + 2;
  const double magnitude = std::abs(x);
  std::size_t nearest = magnitude < values[codes - 1] ? 0 : codes - 1;
  for (std::size_t code = 0; code < codes && magnitude < values[codes - 1]; ++code) {
    const double old_error = std::abs(magnitude - values[nearest]);
    const double error = std::abs(magnitude - values[code]);
    if (error < old_error || (error == old_error && code % 2 == 0)) nearest = code;
  }
  auto code = static_cast<int>(nearest);
  if (code > f.largest) code = saturate ? f.largest : f.overflow;
  return static_cast<std::uint8_t>(sign | code);
}

}  // namespace

double e4m3_value_ref(std::uint8_t code) { return value_of(kE4m3, kE4m3Values, code); }
double e5m2_value_ref(std::uint8_t code) { return value_of(kE5m2, kE5m2Values, code); }
std::uint8_t e4m3_code_ref(double x, bool saturate) {
  return code_of(kE4m3, kE4m3Values, x, saturate);
}
std::uint8_t e5m2_code_ref(double x, bool saturate) {
  return code_of(kE5m2, kE5m2Values, x, saturate);
}

}  // namespace qlab
