// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise half_formats: codes are compared bit by bit, every NaN code counts as NaN.
#include <bit>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <vector>

#include "01_fp16_baseline/half_formats.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/exercise.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

enum class Format { kHalf, kBf16 };

constexpr double kNanCode = 0x7FFF;  // stands for each of them

double comparable(Format format, std::uint16_t code) {
  const int infinity = format == Format::kHalf ? 0x7C00 : 0x7F80;
  return (code & 0x7FFF) > infinity ? kNanCode : code;
}

/// "0x3C01  0 01111 0000000001 = 1.00097656".
std::string code_text(Format format, double comparable_code) {
  if (comparable_code == kNanCode) return "NaN";
  const auto code = static_cast<std::uint16_t>(comparable_code);
  std::ostringstream out;
  out << "0x" << std::uppercase << std::hex;
  for (int nibble = 12; nibble >= 0; nibble -= 4) out << (code >> nibble & 0xF);
  out << "  " << std::dec;
  const int mantissa_bits = format == Format::kHalf ? 10 : 7;
  for (int bit = 15; bit >= 0; --bit) {
    out << (code >> bit & 1);
    if (bit == 15 || bit == mantissa_bits) out << ' ';
  }
  out.precision(9);
  const double value = format == Format::kHalf
                           ? half_value_ref(code)
                           : double{std::bit_cast<float>(std::uint32_t{code} << 16)};
  out << " = " << value;
  return out.str();
}

std::string float_text(float x) {
  std::ostringstream out;
  out.precision(9);
  out << "x = " << x << " (0x" << std::uppercase << std::hex << std::bit_cast<std::uint32_t>(x)
      << ")";
  return out.str();
}

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

/// Converts all inputs and compares each code with the oracle's.
void check_codes(Format format, const std::string& name, const std::vector<float>& inputs) {
  const auto n = static_cast<std::int64_t>(inputs.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    const float x = inputs[static_cast<std::size_t>(i)];
    const bool half = format == Format::kHalf;
    const std::uint16_t code =
        half ? exercise::half_from_float(x).bits : exercise::bf16_from_float(x).bits;
    got(0, i) = static_cast<float>(comparable(format, code));
    expected(0, i) = comparable(format, half ? half_code_ref(x) : bf16_code_ref(x));
  }
  judge({.name = std::string(format == Format::kHalf ? "FP16, " : "BF16, ") + name,
         .place = [&](auto, auto i) { return float_text(inputs[static_cast<std::size_t>(i)]); },
         .value = [=](double code) { return code_text(format, code); }},
        got.view(), expected.view(), exactly());
}

/// Both signs of each.
std::vector<float> signed_values(std::vector<float> values) {
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  return values;
}

TEST(HalfFormats, WidensEveryFp16Code) {
  constexpr std::int64_t kCodes = 65536;
  Matrix<float> got(1, kCodes);
  Matrix<double> expected(1, kCodes);
  // NaN and infinity become numbers that no FP16 code has, so that all 65,536 can be compared.
  const auto number = [](double x) {
    return std::isnan(x) ? 1e30 : std::isinf(x) ? std::copysign(1e20, x) : x;
  };
  for (std::int64_t i = 0; i < kCodes; ++i) {
    const auto code = static_cast<std::uint16_t>(i);
    const float value = exercise::float_from_half({code});
    got(0, i) = static_cast<float>(number(value));
    expected(0, i) = static_cast<float>(number(half_value_ref(code)));
    if (code == 0x8000 && !std::signbit(value)) reject("code 0x8000", "-0 has lost its sign");
  }
  judge({.name = "every FP16 code widened",
         .place = [](auto,
                     auto i) { return "code " + code_text(Format::kHalf, static_cast<double>(i)); },
         .value = [](double value) -> std::string {
           std::ostringstream out;
           out.precision(9);
           if (std::abs(value) < 1e19)
             out << value;
           else if (std::abs(value) > 1e25)
             out << "NaN";
           else
             out << (value < 0 ? "-inf" : "inf");
           return out.str();
         }},
        got.view(), expected.view(), exactly());
}

TEST(HalfFormats, RoundsToTheNearest) {
  // A quarter and three quarters of a step: no tie, so only cutting off can go wrong.
  std::vector<float> values = {0.1F, 1.0F / 3, 3.14159F, 1000.125F, 1 + 3 * 0x1p-12F};
  for (int i = 0; i < 64; ++i) {
    values.push_back((1 + static_cast<float>(i) * 0x1p-10F) + 0x1p-12F);
    values.push_back((1 + static_cast<float>(i) * 0x1p-10F) + 3 * 0x1p-12F);
  }
  check_codes(Format::kHalf, "a quarter or three quarters of a step", signed_values(values));
}

TEST(HalfFormats, RoundsTiesToEven) {
  std::vector<float> values;
  for (int n = 0; n < 64; ++n) {
    values.push_back(1 + (static_cast<float>(n) + 0.5F) * 0x1p-10F);
    values.push_back((1 + (static_cast<float>(n) + 0.5F) * 0x1p-10F) * 512);
  }
  check_codes(Format::kHalf, "ties between two codes", signed_values(values));
}

TEST(HalfFormats, CarriesIntoTheExponent) {
  std::vector<float> values = {2 - 0x1p-12F, 1.9999F};
  for (int e = -13; e < 15; ++e) values.push_back(std::ldexp(2 - 0x1p-12F, e));
  values.push_back(0x1p-14F - 0x1p-26F);  // the largest subnormal, rounded up: the smallest normal
  check_codes(Format::kHalf, "just under a power of two", signed_values(values));
}

TEST(HalfFormats, KeepsSubnormals) {
  std::vector<float> values = {6e-8F, 0x1p-24F, 0x1p-15F, 0x1p-14F, 0x1p-14F - 0x1p-24F, 1e-5F};
  for (int n = 1; n < 1024; n += 3) values.push_back((static_cast<float>(n) + 0.25F) * 0x1p-24F);
  check_codes(Format::kHalf, "below 2^-14", signed_values(values));
}

TEST(HalfFormats, RoundsSubnormalTiesToEven) {
  std::vector<float> values = {0x1p-25F, 0x1p-25F * (1 + 0x1p-23F), 3 * 0x1p-25F, 0x1.8p-25F};
  for (int n = 0; n < 64; ++n) values.push_back((static_cast<float>(n) + 0.5F) * 0x1p-24F);
  check_codes(Format::kHalf, "ties below 2^-14", signed_values(values));
}

TEST(HalfFormats, KeepsTheSignOfZero) {
  const std::vector<float> values = {0.0F, -0.0F, 1e-9F, -1e-9F, 0x1p-149F, -0x1p-149F, -1e-38F};
  check_codes(Format::kHalf, "zeros, and what rounds to zero", values);
}

TEST(HalfFormats, OverflowsToInfinity) {
  const std::vector<float> values = {65504, 65519.99F, 65520, 65536, 1e5F, 3e38F, INFINITY};
  check_codes(Format::kHalf, "at and past the largest value", signed_values(values));
}

TEST(HalfFormats, KeepsNan) {
  const std::vector<float> values = {NAN, from_bits(0x7F80'0001), from_bits(0xFF80'0001),
                                     from_bits(0x7FC0'0000), from_bits(0x7FFF'FFFF)};
  check_codes(Format::kHalf, "NaN with small and large payloads", values);
  check_codes(Format::kBf16, "NaN with small and large payloads", values);
}

TEST(HalfFormats, RoundsBf16TiesToEven) {
  std::vector<float> values = {256 + 1, 1.0F / 3, from_bits(0x3F80'8001), 65504};
  for (std::uint32_t n = 0; n < 64; ++n) values.push_back(from_bits(0x3F80'8000 + (n << 16)));
  check_codes(Format::kBf16, "ties, and just past one", signed_values(values));
}

TEST(HalfFormats, OverflowsBf16ToInfinityAndKeepsItsSmallest) {
  const std::vector<float> values = {from_bits(0x7F7F'7FFF),
                                     from_bits(0x7F7F'8000),
                                     INFINITY,
                                     0x1p-133F,
                                     0x1p-134F,
                                     0x1.8p-134F,
                                     0.0F};
  check_codes(Format::kBf16, "the ends of the range", signed_values(values));
}

TEST(HalfFormats, MatchesTheGoldenCodes) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/common/golden/formats.csv");
  ASSERT_TRUE(file) << "tests/common/golden/formats.csv cannot be read";
  std::string line;
  std::getline(file, line);
  int rows = 0;
  for (; std::getline(file, line); ++rows) {
    std::istringstream cells(line);
    std::string bits, half, bf16;
    for (std::string* cell : {&bits, &half, &bf16}) std::getline(cells, *cell, ',');
    const std::string what = line.substr(line.rfind(',') + 1);
    const float x = from_bits(static_cast<std::uint32_t>(std::stoul(bits, nullptr, 16)));
    const auto check = [&](Format format, const std::string& golden, std::uint16_t code) {
      const double expected = golden == "nan" ? kNanCode : std::stoi(golden, nullptr, 16);
      const double got = comparable(format, code);
      if (got == expected) return;
      reject("golden, " + what, "first bad: " + float_text(x) + "\nexpected   " +
                                    code_text(format, expected) + "\ngot        " +
                                    code_text(format, got));
    };
    check(Format::kHalf, half, exercise::half_from_float(x).bits);
    check(Format::kBf16, bf16, exercise::bf16_from_float(x).bits);
    if (HasFailure()) return;  // one is enough to read
  }
  EXPECT_EQ(rows, 163);
}

TEST(HalfFormats, AgreesWithTheOracleOnRandomBits) {
  const TestSeed seed;
  Random random(seed);
  std::vector<float> values(100'000);
  for (float& x : values) x = from_bits(static_cast<std::uint32_t>(random.bits() >> 32));
  // Most patterns are far outside FP16's range: as many again inside it.
  for (std::size_t i = 0; i < 50'000; ++i) values[i] = static_cast<float>(random.normal());
  check_codes(Format::kHalf, "random values, seed " + std::to_string(seed), values);
  check_codes(Format::kBf16, "random values, seed " + std::to_string(seed), values);
}

TEST(HalfFormats, LosesEightTimesAsMuchInBf16) {
  const TestSeed seed;
  Random random(seed);
  double half_error = 0, bf16_error = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto x = static_cast<float>(0.02 * random.normal());  // as a layer's weights
    if (std::abs(x) < 0x1p-14F) continue;  // FP16's subnormals are another story
    const double half = exercise::float_from_half(exercise::half_from_float(x));
    const auto bf16 = std::uint32_t{exercise::bf16_from_float(x).bits} << 16;
    half_error += std::abs(half - x);
    bf16_error += std::abs(std::bit_cast<float>(bf16) - x);
  }
  const double ratio = bf16_error / half_error;
  // 2⁻⁸ against 2⁻¹¹; the mean over a binade leaves a percent or two of chance.
  EXPECT_NEAR(ratio, 8, 0.25) << "BF16's mean error over FP16's";
  std::ostringstream fact;
  fact.precision(3);
  fact << "BF16's mean error is " << ratio << " times FP16's on 100,000 normal weights.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
