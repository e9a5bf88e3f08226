// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the comparator: it takes no wrong number for a right one, and says which are wrong.
#include "support/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "support/problems.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// One value against one, both as [1, 1].
std::int64_t wrong(float got, double expected, double allowed) {
  return compare({&got, 1, 1, 1}, {&expected, 1, 1, 1},
                 [=](std::int64_t, std::int64_t) { return allowed; })
      .wrong;
}

TEST(Compare, AllowsTheToleranceAndNoMore) {
  EXPECT_EQ(wrong(1.5F, 1.25, 0.25), 0);
  EXPECT_EQ(wrong(1.5F, 1.25, 0.2499999), 1);
  EXPECT_EQ(wrong(-1.5F, 1.5, 0.25), 1);
}

TEST(Compare, LooksAtDoublesNotFloats) { EXPECT_EQ(wrong(1.0F, 1 + 0x1p-40, 0), 1); }

TEST(Compare, TakesNoNanForRight) {
  EXPECT_EQ(wrong(kNan, 0, 1e30), 1);
  EXPECT_EQ(wrong(0, kNan, 1e30), 1);
  EXPECT_EQ(wrong(kNan, kNan, 1e30), 1);
  EXPECT_EQ(wrong(0, 0, kNan), 1);
}

TEST(Compare, TakesNoInfinityForRight) {
  EXPECT_EQ(wrong(kInfinity, 3e38, 1e30), 1);
  EXPECT_EQ(wrong(kInfinity, kInfinity, 1e30), 1);
  EXPECT_EQ(wrong(kInfinity, 1, kInfinity), 1);
  EXPECT_EQ(wrong(1, 1, kInfinity), 1);
}

TEST(Compare, TakesMinusZeroForZero) { EXPECT_EQ(wrong(-0.0F, 0.0, 0), 0); }

TEST(Compare, LooksAtEveryElementAndSaysWhichAreWrong) {
  for (std::int64_t r = 0; r < 3; ++r) {
    for (std::int64_t c = 0; c < 5; ++c) {
      Operand<float> got(3, 5);
      Matrix<double> expected(3, 5);
      Random unused(1);
      fill(got.view(), Values::kOneHot, unused);
      for (std::int64_t i = 0; i < 3; ++i) expected(i, i) = 1;
      got.view()(r, c) += 8;
      const Comparison comparison = compare(got.view(), expected.view(), exactly());
      EXPECT_EQ(comparison.wrong, 1);
      EXPECT_EQ(comparison.row, r);
      EXPECT_EQ(comparison.col, c);
      EXPECT_EQ(comparison.got - comparison.expected, 8);
    }
  }
}

TEST(Compare, DescribesAWrongTail) {
  Matrix<float> got(4, 6);
  Matrix<double> expected(4, 6);
  for (std::int64_t r = 0; r < 4; ++r) expected(r, 4) = expected(r, 5) = 2.5;
  const std::string text = describe(compare(got.view(), expected.view(), exactly()));
  EXPECT_THAT(text, HasSubstr("first bad: [0, 4] of [4, 6]: expected 2.5  got 0  allowed ±0"));
  EXPECT_THAT(text,
              HasSubstr("8 of 24 values wrong: every one of columns 4 … 5; all of them are 0"));
}

TEST(Compare, DescribesScatteredNans) {
  Matrix<float> got(4, 6);
  got(1, 0) = got(2, 5) = kNan;
  const std::string text = describe(compare(got.view(), Matrix<double>(4, 6).view(), exactly()));
  EXPECT_THAT(text, HasSubstr("2 of 24 values wrong: some of rows 1 … 2; all of them are NaN"));
}

TEST(Compare, RefusesAnotherShape) {
  const Matrix<float> got(2, 3);
  const Matrix<double> expected(3, 2);
  EXPECT_THAT([&] { compare(got.view(), expected.view(), exactly()); },
              testing::ThrowsMessage<ContractError>(HasSubstr("[2, 3], expected [3, 2]")));
}

TEST(Compare, DerivesTheToleranceOfADotProduct) {
  const double abs_sum = 3;
  EXPECT_EQ(dot_product({&abs_sum, 1, 1, 1}, 16)(0, 0), 8 * 0x1p-24 * 3);
  EXPECT_EQ(dot_product({&abs_sum, 1, 1, 1}, 16, 0x1p-24)(0, 0), 9 * 0x1p-24 * 3);
  const double value = -3;
  EXPECT_EQ(relative({&value, 1, 1, 1}, 0x1p-20)(0, 0), 3 * 0x1p-20);
}

}  // namespace
}  // namespace qlab::test
