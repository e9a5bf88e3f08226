// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of fp8_formats put their questions: values in a list, in one of four conversions,
/// and codes told by bits and value.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "04_kv_cache/fp8_formats.h"
#include "common/matrix.h"
#include "support/exercise.h"

namespace qlab::test {

/// One of the four ways from FP32 to a code.
struct Conversion {
  bool e4m3, saturate;

  int mantissa_bits() const { return e4m3 ? 3 : 2; }
  std::uint8_t largest() const { return e4m3 ? 0x7E : 0x7B; }
  std::string name() const {
    return std::string(e4m3 ? "to_e4m3" : "to_e5m2") +
           (saturate ? ", saturating" : ", not saturating");
  }
  std::uint8_t code(float x) const {
    return e4m3 ? exercise::to_e4m3(x, saturate).bits : exercise::to_e5m2(x, saturate).bits;
  }
  std::uint8_t code_ref(double x) const {
    return e4m3 ? e4m3_code_ref(x, saturate) : e5m2_code_ref(x, saturate);
  }
  double value_ref(std::uint8_t code) const {
    return e4m3 ? e4m3_value_ref(code) : e5m2_value_ref(code);
  }
};

inline constexpr Conversion kE4m3{true, true}, kE4m3Plain{true, false};
inline constexpr Conversion kE5m2{false, true}, kE5m2Plain{false, false};
inline constexpr Conversion kAllConversions[] = {kE4m3, kE4m3Plain, kE5m2, kE5m2Plain};

inline constexpr double kNanCode = 0x7F;  // stands for each of them

/// The code as a number to compare.
inline double comparable(Conversion way, std::uint8_t code) {
  return std::isnan(way.value_ref(code)) ? kNanCode : code;
}

/// "0x39  0 0111 001 = 1.125".
inline std::string code_text(Conversion way, double comparable_code) {
  if (comparable_code == kNanCode) return "NaN";
  const auto code = static_cast<std::uint8_t>(comparable_code);
  std::ostringstream out;
  out << "0x" << std::uppercase << std::hex << (code >> 4) << (code & 0xF) << "  " << std::dec;
  for (int bit = 7; bit >= 0; --bit) {
    out << (code >> bit & 1);
    if (bit == 7 || bit == way.mantissa_bits()) out << ' ';
  }
  out.precision(9);
  out << " = " << way.value_ref(code);
  return out.str();
}

/// "x = 0.1 (0x3DCCCCCD)".
inline std::string float_text(float x) {
  std::ostringstream out;
  out.precision(9);
  out << "x = " << x << " (0x" << std::uppercase << std::hex << std::bit_cast<std::uint32_t>(x)
      << ")";
  return out.str();
}

inline float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

/// One conversion, and the code that belongs there as comparable() gives it.
struct CodeCase {
  float x;
  double expected;
};

inline void check_codes(Conversion way, const std::string& name,
                        const std::vector<CodeCase>& cases) {
  const auto n = static_cast<std::int64_t>(cases.size());
  const auto at = [&](std::int64_t i) { return cases[static_cast<std::size_t>(i)]; };
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(comparable(way, way.code(at(i).x)));
    expected(0, i) = at(i).expected;
  }
  judge({.name = way.name() + ": " + name,
         .place = [&](auto, auto i) { return float_text(at(i).x); },
         .value = [=](double code) { return code_text(way, code); }},
        got.view(), expected.view(), exactly());
}

/// Converts all inputs and compares each code with the oracle's.
inline void check_codes(Conversion way, const std::string& name, const std::vector<float>& inputs) {
  std::vector<CodeCase> cases;
  for (const float x : inputs) cases.push_back({x, comparable(way, way.code_ref(x))});
  check_codes(way, name, cases);
}

/// "inf" and "NaN" by name: judge() takes only numbers, so these two are numbers that no code has.
inline double number(double value) {
  return std::isnan(value) ? 1e30 : std::isinf(value) ? std::copysign(1e20, value) : value;
}
inline std::string number_name(double number) {
  if (std::abs(number) > 1e25) return "NaN";
  if (std::abs(number) > 1e19) return number < 0 ? "-inf" : "inf";
  std::ostringstream out;
  out.precision(9);
  out << number;
  return out.str();
}

/// Both signs of each.
inline std::vector<float> signed_values(std::vector<float> values) {
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  return values;
}

}  // namespace qlab::test
