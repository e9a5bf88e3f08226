// SPDX-License-Identifier: Apache-2.0
/// \file
/// FormatReference: a narrow format as the list of its values, in double, and rounding as a search.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "common/formats.h"

namespace qlab::test {

/// Repeated here from the definitions, not taken from FormatLayout, which is under test.
struct FormatDefinition {
  int exponent_bits, mantissa_bits;
  std::uint32_t largest;  // the code of the largest number
  bool has_infinity;
  bool saturates;  // from_float, that is; from_float_nosat never does
};

template <class Format>
inline constexpr FormatDefinition kDefinition{};
template <>
inline constexpr FormatDefinition kDefinition<half_t>{5, 10, 0x7BFF, true, false};
template <>
inline constexpr FormatDefinition kDefinition<bf16_t>{8, 7, 0x7F7F, true, false};
template <>
inline constexpr FormatDefinition kDefinition<fp8_e4m3_t>{4, 3, 0x7E, false, true};
template <>
inline constexpr FormatDefinition kDefinition<fp8_e5m2_t>{5, 2, 0x7B, true, true};

template <class Format>
class FormatReference {
 public:
  static constexpr FormatDefinition definition = kDefinition<Format>;
  static constexpr std::uint32_t sign = 1u << (definition.exponent_bits + definition.mantissa_bits);

  FormatReference() {
    for (std::uint32_t code = 0; code <= definition.largest + 1; ++code) {
      values_.push_back(value_by_definition(code));
    }
  }

  /// The value of each code without a sign, and the one that would follow the largest if exponents
  /// went on: overflow is to round to that one.
  const std::vector<double>& values() const { return values_; }

  /// The code nearest to x ≥ 0 (not NaN), ties to even; largest + 1 for overflow.
  std::uint32_t nearest(double x) const {
    if (x >= values_.back()) return definition.largest + 1;
    const auto above = std::ranges::upper_bound(values_, x);
    const auto below = static_cast<std::uint32_t>(above - values_.begin()) - 1;
    const double from_below = x - values_[below], to_above = *above - x;  // exact
    if (from_below != to_above) return below + (to_above < from_below);
    return below + below % 2;
  }

 private:
  static double value_by_definition(std::uint32_t code) {
    const int bias = (1 << (definition.exponent_bits - 1)) - 1;
    const auto exponent = static_cast<int>(code >> definition.mantissa_bits);
    const double fraction =
        std::ldexp(code & ((1u << definition.mantissa_bits) - 1), -definition.mantissa_bits);
    return exponent == 0 ? std::ldexp(fraction, 1 - bias)
                         : std::ldexp(1 + fraction, exponent - bias);
  }

  std::vector<double> values_;
};

}  // namespace qlab::test
