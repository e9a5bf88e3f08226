// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the narrow floats: every code, every tie, a sample of all exponents, and golden data.
/// All 2³² floats are gone through in formats_exhaustive_test.
#include "common/formats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/format_reference.h"
#include "common/golden.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

static_assert(from_float<half_t>(0.1F).bits == 0x2E66 && to_float(half_t{0x3C00}) == 1,
              "constants of kernels are converted by the compiler");

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

template <class Format>
Format code(std::uint32_t bits) {
  return {static_cast<decltype(Format::bits)>(bits)};
}

template <class Format>
class Formats : public testing::Test {
 protected:
  using Reference = FormatReference<Format>;
  static constexpr FormatDefinition definition = Reference::definition;

  /// from_float and from_float_nosat give the code the reference gives, for x and for -x.
  void expect_nearest(float x) const {
    const std::uint32_t nearest = reference.nearest(std::abs(x));
    const bool overflow = nearest > definition.largest;
    const std::uint32_t sign = std::signbit(x) ? Reference::sign : 0;
    ASSERT_EQ(from_float_nosat<Format>(x).bits, sign | nearest) << x;  // E4M3: 0x7F, which is NaN
    ASSERT_EQ(from_float<Format>(x).bits,
              sign | (overflow && definition.saturates ? definition.largest : nearest))
        << x;
  }

  const Reference reference;
};

using All = testing::Types<half_t, bf16_t, fp8_e4m3_t, fp8_e5m2_t>;
TYPED_TEST_SUITE(Formats, All);

TYPED_TEST(Formats, WidenEveryCodeToItsValue) {
  const std::uint32_t sign = this->reference.sign, largest = this->definition.largest;
  for (std::uint32_t c = 0; c < 2 * sign; ++c) {
    const float wide = to_float(code<TypeParam>(c));
    const std::uint32_t magnitude = c % sign;
    if (magnitude > largest) {
      const bool infinite = this->definition.has_infinity && magnitude == largest + 1;
      ASSERT_TRUE(infinite ? std::isinf(wide) : std::isnan(wide)) << c;
    } else {
      ASSERT_EQ(std::abs(double{wide}), this->reference.values()[magnitude]) << c;
    }
    ASSERT_EQ(std::signbit(wide), c >= sign) << c;
  }
}

TYPED_TEST(Formats, GetEveryCodeBack) {
  for (std::uint32_t c = 0; c < 2 * this->reference.sign; ++c) {
    const float wide = to_float(code<TypeParam>(c));
    if (std::isnan(wide)) {
      ASSERT_TRUE(std::isnan(to_float(from_float<TypeParam>(wide)))) << c;
    } else {
      ASSERT_EQ(from_float_nosat<TypeParam>(wide).bits, c);
      if (!std::isinf(wide)) {
        ASSERT_EQ(from_float<TypeParam>(wide).bits, c);
      }
    }
  }
}

TYPED_TEST(Formats, RoundEveryTieToEvenAndItsNeighboursToTheNearest) {
  const std::vector<double>& values = this->reference.values();
  for (std::uint32_t c = 0; c + 1 < values.size(); ++c) {
    const auto tie = static_cast<float>(values[c] / 2 + values[c + 1] / 2);
    ASSERT_EQ(tie - values[c], values[c + 1] - tie) << "the tie is a float";
    const bool overflow = c == this->definition.largest && this->definition.saturates;
    const std::uint32_t above = overflow ? c : c + 1;
    ASSERT_EQ(from_float<TypeParam>(tie).bits, c % 2 == 0 ? c : above) << tie;
    ASSERT_EQ(from_float<TypeParam>(std::nextafter(tie, 0.0F)).bits, c) << tie;
    ASSERT_EQ(from_float<TypeParam>(std::nextafter(tie, kInfinity)).bits, above) << tie;
    for (const float x : {tie, std::nextafter(tie, 0.0F), std::nextafter(tie, kInfinity)}) {
      ASSERT_EQ(from_float<TypeParam>(-x).bits,
                from_float<TypeParam>(x).bits | this->reference.sign);
    }
  }
}

TYPED_TEST(Formats, GiveTheNearestCodeForFloatsOfEveryExponent) {
  // Every sign, exponent and upper 11 mantissa bits: FP16 keeps 10 and the tie is the next. Of the
  // rest it matters only whether any bit is set.
  const TestSeed seed;
  Random random(seed);
  for (std::uint32_t upper = 0; upper < 1u << 20; ++upper) {
    const auto lower = static_cast<std::uint32_t>(1 + random.below(0xFFF));
    for (const float x : {from_bits(upper << 12), from_bits(upper << 12 | lower)}) {
      if (!std::isnan(x)) {
        ASSERT_NO_FATAL_FAILURE(this->expect_nearest(x));
      }
    }
  }
}

TYPED_TEST(Formats, GrowWithTheFloat) {
  // Steps of less than 2¹² floats meet every code of every format on their way.
  const TestSeed seed;
  Random random(seed);
  float before = 0;
  for (std::uint32_t bits = 0; bits <= 0x7F7F'FFFF;
       bits += static_cast<std::uint32_t>(1 + random.below(1 << 12))) {
    const float now = to_float(from_float<TypeParam>(from_bits(bits)));
    ASSERT_GE(now, before) << from_bits(bits);
    before = now;
  }
}

TYPED_TEST(Formats, KeepNanWhateverItsPayload) {
  for (int bit = 0; bit < 23; ++bit) {
    for (const std::uint32_t infinity : {0x7F80'0000u, 0xFF80'0000u}) {
      const float nan = from_bits(infinity | 1u << bit);
      EXPECT_TRUE(std::isnan(to_float(from_float<TypeParam>(nan)))) << bit;
      EXPECT_TRUE(std::isnan(to_float(from_float_nosat<TypeParam>(nan)))) << bit;
    }
  }
}

TYPED_TEST(Formats, EndAtInfinityOrSaturate) {
  const float end = to_float(from_float<TypeParam>(kInfinity));
  const float largest = to_float(code<TypeParam>(this->definition.largest));
  EXPECT_EQ(end, this->definition.saturates ? largest : kInfinity);
  EXPECT_EQ(to_float(from_float<TypeParam>(-kInfinity)), -end);
  EXPECT_EQ(to_float(from_float<TypeParam>(std::numeric_limits<float>::max())), end);
  const float plain = to_float(from_float_nosat<TypeParam>(kInfinity));
  EXPECT_TRUE(this->definition.has_infinity ? plain == kInfinity : std::isnan(plain)) << plain;
}

TEST(Half, HoldsEveryIntegerTo2048) {
  for (int i = -2048; i <= 2048; ++i) {
    const auto x = static_cast<float>(i);
    EXPECT_EQ(to_float(from_float<half_t>(x)), x);
  }
  EXPECT_EQ(to_float(from_float<half_t>(2049)), 2048) << "and no further";
}

TEST(Bf16, IsTheUpperHalfOfAFloat) {
  for (std::uint32_t upper = 0; upper < 1u << 16; ++upper) {
    const float x = from_bits(upper << 16);
    if (!std::isnan(x)) {
      EXPECT_EQ(from_float<bf16_t>(x).bits, upper);
    }
  }
}

TEST(E5m2, IsTheUpperHalfOfAHalf) {
  for (std::uint32_t c = 0; c < 256; ++c) {
    const float x = to_float(code<fp8_e5m2_t>(c));
    if (!std::isnan(x)) {
      EXPECT_EQ(x, to_float(code<half_t>(c << 8)));
    }
  }
}

// --- golden data, see golden/README.md ---

template <class Format>
void expect_code(const std::string& golden, Format got) {
  if (golden == "nan") {
    EXPECT_TRUE(std::isnan(to_float(got))) << int{got.bits};
  } else {
    EXPECT_EQ(got.bits, std::stoul(golden, nullptr, 16));
  }
}

TEST(FormatsGolden, NarrowsAsExactRationalsDo) {
  const std::vector<std::vector<std::string>> rows = read_golden("formats.csv", 9);
  EXPECT_EQ(rows.size(), 163u);
  for (const std::vector<std::string>& row : rows) {
    SCOPED_TRACE(row[0] + " " + row[8]);
    const float x = from_bits(static_cast<std::uint32_t>(std::stoul(row[0], nullptr, 16)));
    expect_code(row[1], from_float<half_t>(x));
    expect_code(row[2], from_float<bf16_t>(x));
    expect_code(row[3], from_float<fp8_e4m3_t>(x));
    expect_code(row[4], from_float_nosat<fp8_e4m3_t>(x));
    expect_code(row[5], from_float<fp8_e5m2_t>(x));
    expect_code(row[6], from_float_nosat<fp8_e5m2_t>(x));
  }
}

TEST(FormatsGolden, WidensEveryFp8Code) {
  const std::vector<std::vector<std::string>> rows = read_golden("fp8_codes.csv", 3);
  EXPECT_EQ(rows.size(), 256u);
  for (std::uint32_t c = 0; c < rows.size(); ++c) {
    const float got[] = {to_float(code<fp8_e4m3_t>(c)), to_float(code<fp8_e5m2_t>(c))};
    for (std::size_t format = 0; format < 2; ++format) {
      const double golden = std::stod(rows[c][1 + format]);
      EXPECT_TRUE(std::isnan(golden) ? std::isnan(got[format]) : got[format] == golden) << c;
    }
  }
}

/// The direct code, and the one that rounding twice gives.
template <class Format>
void expect_double_rounding(const std::vector<std::string>& row, float x) {
  expect_code(row[2], from_float<Format>(x));
  expect_code(row[3], from_float<Format>(to_float(from_float<half_t>(x))));
  expect_code(row[4], from_float<Format>(to_float(from_float<bf16_t>(x))));
}

TEST(FormatsGolden, RoundsOnceNotTwice) {
  const std::vector<std::vector<std::string>> rows = read_golden("double_rounding.csv", 5);
  EXPECT_EQ(rows.size(), 8u);
  for (const std::vector<std::string>& row : rows) {
    SCOPED_TRACE(row[0]);
    const float x = from_bits(static_cast<std::uint32_t>(std::stoul(row[0], nullptr, 16)));
    if (row[1] == "e4m3") expect_double_rounding<fp8_e4m3_t>(row, x);
    if (row[1] == "e5m2") expect_double_rounding<fp8_e5m2_t>(row, x);
  }
}

}  // namespace
}  // namespace qlab::test
