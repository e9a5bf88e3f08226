// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise fp8_formats: codes are compared bit by bit, every NaN code counts as NaN.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "04_kv_cache/fp8_formats_checks.h"
#include "common/golden.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

/// Widens all 256 codes and compares with `expected`, which gives the value of a code.
template <class Widen, class Expected>
void check_values(Conversion way, const std::string& name, Widen widen, Expected expected_of) {
  Matrix<float> got(1, 256);
  Matrix<double> expected(1, 256);
  for (std::int64_t i = 0; i < 256; ++i) {
    const auto code = static_cast<std::uint8_t>(i);
    const float value = widen(code);
    got(0, i) = static_cast<float>(number(value));
    expected(0, i) = static_cast<float>(number(expected_of(code)));
    if (code == 0x80 && !std::signbit(value)) reject("code 0x80", "-0 has lost its sign");
  }
  judge({.name = name,
         .place = [=](auto, auto i) { return "code " + code_text(way, static_cast<double>(i)); },
         .value = number_name},
        got.view(), expected.view(), exactly());
}

float widen_e4m3(std::uint8_t code) { return exercise::from_e4m3({code}); }
float widen_e5m2(std::uint8_t code) { return exercise::from_e5m2({code}); }

TEST(Fp8Formats, WidensEveryCode) {
  check_values(kE4m3, "every E4M3 code widened", widen_e4m3, e4m3_value_ref);
  check_values(kE5m2, "every E5M2 code widened", widen_e5m2, e5m2_value_ref);
}

TEST(Fp8Formats, NarrowsEveryCodeToItself) {
  for (const Conversion way : kAllConversions) {
    std::vector<CodeCase> cases;
    for (int i = 0; i < 256; ++i) {
      const auto code = static_cast<std::uint8_t>(i);
      const double value = way.value_ref(code);
      if (std::isinf(value)) continue;  // it saturates, or not
      const float x = way.e4m3 ? widen_e4m3(code) : widen_e5m2(code);
      if (number(x) != number(value)) {
        reject("code " + code_text(way, code), "it was widened to " + number_name(number(x)));
        return;
      }
      cases.push_back({x, comparable(way, code)});
    }
    check_codes(way, "the values of all codes", cases);
  }
}

TEST(Fp8Formats, RoundsToTheNearest) {
  for (const Conversion way : kAllConversions) {
    // A quarter and three quarters of each step from 1 to 8: no tie, only cutting off goes wrong.
    std::vector<float> values = {1.2F, 0.1F, 1.0F / 3, 3.14159F, 10, 100, 300};
    for (std::uint8_t code = way.code_ref(1); code < way.code_ref(8); ++code) {
      const double below = way.value_ref(code), step = way.value_ref(code + 1) - below;
      values.push_back(static_cast<float>(below + step / 4));
      values.push_back(static_cast<float>(below + 3 * step / 4));
    }
    check_codes(way, "a quarter or three quarters of a step", signed_values(values));
  }
}

TEST(Fp8Formats, RoundsEveryTieToEven) {
  for (const Conversion way : kAllConversions) {
    std::vector<float> values;
    for (std::uint8_t code = 0; code < way.largest(); ++code) {
      const auto middle = static_cast<float>((way.value_ref(code) + way.value_ref(code + 1)) / 2);
      values.insert(values.end(),
                    {middle, std::nextafter(middle, 0.0F), std::nextafter(middle, 1e9F)});
    }
    check_codes(way, "half-way between two codes, and a float's step on either side",
                signed_values(values));
  }
}

TEST(Fp8Formats, KeepsSubnormalsAndTheSignOfZero) {
  for (const Conversion way : kAllConversions) {
    const auto least = static_cast<float>(way.value_ref(1));
    std::vector<float> values = {0, 0x1p-149F, 1e-38F, 6e-8F, least / 4, least / 2, least};
    for (int eighths = 5; eighths < 80; eighths += 3) {
      values.push_back(static_cast<float>(eighths) / 8 * least);
    }
    check_codes(way, "steps of the smallest number", signed_values(values));
  }
}

TEST(Fp8Formats, SaturatesAtTheLargestNumber) {
  check_codes(kE4m3, "about 448",
              signed_values({415.9F, 432, 447, 448, 449, 463.99F, 464, 465, 480, 512, 1000, 65504,
                             1e5F, 3e38F, INFINITY}));
  check_codes(kE5m2, "about 57344",
              signed_values(
                  {49152, 53248, 57344, 57345, 61439, 61440, 65504, 65536, 1e5F, 3e38F, INFINITY}));
}

TEST(Fp8Formats, OverflowsToNanInE4m3) {
  check_codes(kE4m3Plain, "about 448",
              signed_values({432, 448, 449, 463.99F, 464, 464.01F, 465, 480, 512, 1000, 65504,
                             3e38F, INFINITY}));
}

TEST(Fp8Formats, OverflowsToInfinityInE5m2) {
  check_codes(kE5m2Plain, "about 57344",
              signed_values(
                  {53248, 57344, 57345, 61439, 61440, 61441, 65504, 65536, 1e5F, 3e38F, INFINITY}));
}

TEST(Fp8Formats, KeepsNan) {
  for (const Conversion way : kAllConversions) {
    check_codes(way, "NaN with small and large payloads, both signs",
                std::vector<float>{NAN, from_bits(0x7F80'0001), from_bits(0xFF80'0001),
                                   from_bits(0x7FA0'0000), from_bits(0xFFC0'0000),
                                   from_bits(0x7FFF'FFFF), from_bits(0xFFFF'FFFF)});
  }
}

TEST(Fp8Formats, RoundsOnce) {
  for (const Conversion way : kAllConversions) {
    std::vector<CodeCase> cases;
    for (const auto& row : read_golden("double_rounding.csv", 5)) {
      if (way.e4m3 != (row[1] == "e4m3")) continue;
      cases.push_back({from_bits(static_cast<std::uint32_t>(std::stoul(row[0], nullptr, 16))),
                       std::stod(row[2])});  // stod reads 0x39
    }
    check_codes(way, "values that another code comes out of by way of FP16", cases);
  }
}

TEST(Fp8Formats, MatchesTheGoldenCodes) {
  for (const Conversion way : kAllConversions) {
    const std::size_t column = 3 + (way.e4m3 ? 0 : 2) + (way.saturate ? 0 : 1);
    std::vector<CodeCase> cases;
    for (const auto& row : read_golden("formats.csv", 9)) {
      const std::string& golden = row[column];
      cases.push_back({from_bits(static_cast<std::uint32_t>(std::stoul(row[0], nullptr, 16))),
                       golden == "nan" ? kNanCode : std::stod(golden)});
    }
    check_codes(way, "the golden codes", cases);
  }
  const auto codes = read_golden("fp8_codes.csv", 3);
  const auto value = [&](std::size_t column) {
    return [&codes, column](std::uint8_t code) { return std::stod(codes[code][column]); };
  };
  check_values(kE4m3, "the golden values of E4M3", widen_e4m3, value(1));
  check_values(kE5m2, "the golden values of E5M2", widen_e5m2, value(2));
}

TEST(Fp8Formats, AgreesWithTheOracleOnEveryFp16Value) {
  std::vector<float> values;
  for (int code = 0; code < 65536; ++code) {
    values.push_back(to_float(half_t{static_cast<std::uint16_t>(code)}));
  }
  for (const Conversion way : kAllConversions) check_codes(way, "every FP16 value", values);
}

TEST(Fp8Formats, IsMonotone) {
  const TestSeed seed;
  Random random(seed);
  std::vector<float> values(20'000);
  for (float& x : values) {
    const auto exponent = static_cast<int>(random.below(32)) - 18;
    x = static_cast<float>(std::ldexp(random.normal(), exponent));
  }
  std::ranges::sort(values);
  const auto n = static_cast<std::int64_t>(values.size());
  for (const Conversion way : {kE4m3, kE5m2}) {
    Matrix<float> got(1, n);
    Matrix<double> expected(1, n);
    double largest = -1e30;  // a value must be no less than those of all smaller x
    for (std::int64_t i = 0; i < n; ++i) {
      const std::uint8_t code = way.code(values[static_cast<std::size_t>(i)]);
      got(0, i) = way.e4m3 ? exercise::from_e4m3({code}) : exercise::from_e5m2({code});
      largest = expected(0, i) = std::max<double>(largest, got(0, i));
    }
    const auto place = [&](auto, auto i) {
      return float_text(values[static_cast<std::size_t>(i)]);
    };
    judge({.name = way.name() + ": random x in rising order, no value under the one before, seed " +
                   std::to_string(seed),
           .place = place},
          got.view(), expected.view(), exactly());
  }
}

TEST(Fp8Formats, ShiftsTheExponentWhenTheScaleIsAPowerOfTwo) {
  const TestSeed seed;
  Random random(seed);
  for (const Conversion way : kAllConversions) {
    std::vector<CodeCase> cases;
    for (int i = 0; i < 1000; ++i) {
      // From 1 to 2, so that nothing is subnormal before or after, and nothing overflows.
      const auto x = static_cast<float>(random.uniform(1, 1.875));
      const int shift = static_cast<int>(random.below(14)) - 6;
      const int code = way.code_ref(x) + (shift << way.mantissa_bits());
      cases.push_back({std::ldexp(x, shift), static_cast<double>(code)});
    }
    check_codes(way, "2^k · x has the mantissa of x, seed " + std::to_string(seed), cases);
  }
}

/// The mean of |x̂ - x| over values x that are divided by `scale` before they become codes.
double mean_error(Conversion way, const std::vector<float>& values, float scale) {
  double sum = 0;
  for (const float x : values) {
    const std::uint8_t code = way.code(x / scale);
    const float value = way.e4m3 ? exercise::from_e4m3({code}) : exercise::from_e5m2({code});
    sum += std::abs(double{value} * scale - x);
  }
  return sum / static_cast<double>(values.size());
}

TEST(Fp8Formats, LosesTwiceAsMuchInE5m2WhateverTheScale) {
  const TestSeed seed;
  Random random(seed);
  std::vector<float> values(100'000);
  float absmax = 0;
  for (float& x : values) {
    x = static_cast<float>(random.normal());
    absmax = std::max(absmax, std::abs(x));
  }
  const double plain = mean_error(kE4m3, values, 1);
  const double scaled = mean_error(kE4m3, values, absmax / 448);
  const double coarse = mean_error(kE5m2, values, 1);
  // A mantissa bit fewer doubles every step; a mean of 100,000 leaves a percent or two of chance.
  EXPECT_NEAR(coarse / plain, 2, 0.06) << "E5M2's mean error over E4M3's";
  // A step is between 2⁻⁴ and 2⁻³ of its value: where a scale puts the values decides no more.
  EXPECT_TRUE(scaled / plain > 0.5 && scaled / plain < 2) << scaled / plain;
  std::ostringstream fact;
  fact.precision(3);
  fact << "On 100,000 normal values E4M3 is off by " << plain << " on average with scale 1, by "
       << scaled << " with scale absmax/448, and E5M2 by " << coarse << ".";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
