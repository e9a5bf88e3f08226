// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise granularity: scales are compared exactly, dots exactly or within what their
/// few FP32 operations may round.
#include "02_int8_calibration/granularity.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/granularity_checks.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

/// Codes whose products differ from place to place: x in -9 … 9, w in -125 … 125.
std::pair<int, int> some_codes(std::int64_t k) {
  return {static_cast<int>(k * 7 % 19) - 9, static_cast<int>(k * 31 % 251) - 125};
}

TEST(Granularity, GivesEveryTokenItsOwnScale) {
  constexpr double kX[3][4] = {{1, -2, 0.5, 0}, {300, -508, 2, 1}, {0, 0, 0, 0}};
  check_token_scales("an outlier in row 1, zeros in row 2",
                     matrix_of(3, 4, [&](auto r, auto k) { return kX[r][k]; }).view());
}

TEST(Granularity, ForgetsTheRowBefore) {
  // Rows get quieter: a maximum that is carried along never shrinks.
  check_token_scales("each row half as loud as the one before",
                     matrix_of(6, 5, [](auto r, auto k) {
                       return std::ldexp(k == 3 ? -127 : 5, static_cast<int>(-r));
                     }).view());
  check_group_scales(
      "each group half as loud as the one before",
      matrix_of(2, 12,
                [](auto r, auto k) { return std::ldexp(127, static_cast<int>(-4 * r - k / 3)); })
          .view(),
      3);
}

TEST(Granularity, SearchesRowsAndNotColumns) {
  const auto element = [](auto r, auto k) { return static_cast<double>((r + 1) * 100 + k); };
  check_token_scales("x[r, k] = 100 · (r + 1) + k", matrix_of(3, 7, element).view());
  check_token_scales("x[r, k] = 100 · (r + 1) + k", matrix_of(7, 3, element).view());
}

TEST(Granularity, CutsRowsIntoGroups) {
  // Column k has magnitude k + 1, so the last column of a group sets its scale.
  const auto element = [](auto r, auto k) {
    return static_cast<double>((k + 1) * (k % 2 == 0 ? 1 : -1) * (r + 1));
  };
  check_group_scales("x[r, k] = ±(k + 1) · (r + 1)", matrix_of(3, 8, element).view(), 4);
  check_group_scales("x[r, k] = ±(k + 1) · (r + 1)", matrix_of(2, 96, element).view(), 32);
}

TEST(Granularity, GivesGroupsOfDifferentRowsTheirOwnScales) {
  check_group_scales("an outlier in row 1, column 5",
                     matrix_of(3, 12,
                               [](auto r, auto k) {
                                 return r == 1 && k == 5 ? 1000.0
                                                         : static_cast<double>(r + k % 3 + 1);
                               })
                         .view(),
                     4);
}

TEST(Granularity, GivesAShortLastGroupAScale) {
  const auto element = [](auto r, auto k) { return static_cast<double>(200 - k + r); };
  check_group_scales("4 groups, the last of 4 columns", matrix_of(2, 100, element).view(), 32);
  check_group_scales("3 groups, the last of 1 column", matrix_of(3, 9, element).view(), 4);
}

TEST(Granularity, TakesAnyGroupSize) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(3, 13);
  fill(x.view(), Values::kOutlierChannel, random);
  for (const std::int64_t group_size : {1, 2, 5, 12, 13, 14, 1000}) {
    check_group_scales("outlier channel, seed " + std::to_string(seed), x.view(), group_size);
    if (HasFailure()) return;
  }
}

TEST(Granularity, NeverGivesAPartALargerScaleThanTheWhole) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(4, 96);
  fill(x.view(), Values::kLogUniform, random);
  Guarded<float> fine(4, 12), coarse(4, 3), token(1, 4);
  exercise::group_scales(x.view(), 8, fine.view());
  exercise::group_scales(x.view(), 32, coarse.view());
  exercise::token_scales(x.view(), token.view().row(0, 0, 4));
  // The largest of a whole is the largest of its parts, exactly; so no part is above it.
  std::vector<Answer> answers;
  const auto largest = [](MatrixView<const float> scale, std::int64_t r, auto first, auto count) {
    return *std::max_element(scale.row(r) + first, scale.row(r) + first + count);
  };
  for (std::int64_t r = 0; r < 4; ++r) {
    const std::string row = " of row " + std::to_string(r);
    for (std::int64_t g = 0; g < 3; ++g) {
      answers.push_back(
          {"the largest of four scales of 8 columns, group " + std::to_string(g) + row,
           largest(fine.view(), r, 4 * g, 4), coarse.view()(r, g)});
    }
    answers.push_back({"the largest of three scales of 32 columns" + row,
                       largest(coarse.view(), r, 0, 3), token.view()(0, r)});
  }
  judge_answers("parts and wholes, seed " + std::to_string(seed), answers);
}

TEST(Granularity, MultipliesAndAddsByHand) {
  const auto ones = [](auto) { return std::pair{1, 1}; };
  const auto codes = [](auto k) { return std::pair{static_cast<int>(k) + 1, k < 2 ? 3 : -2}; };
  const auto powers = [](auto g) { return std::ldexp(1, static_cast<int>(g)); };
  check_dots("small enough to do by hand",
             {dot_of("ones, one scale of 1", 4, 4, 1, ones, powers),
              dot_of("ones, scales 1 and 2", 4, 2, 1, ones, powers),
              dot_of("ones, x_scale 0.5", 4, 4, 0.5F, ones, powers),
              dot_of("x = 1 2 3 4, w = 3 3 -2 -2, scales 1 and 2", 4, 2, 0.25F, codes, powers)},
             /*exact=*/true);
}

TEST(Granularity, UsesEveryScaleInItsOwnGroup) {
  // One loud group: 1024 in place of 1.
  const auto loud = [](std::int64_t which) {
    return [=](std::int64_t g) { return g == which ? 1024.0 : 1.0; };
  };
  std::vector<Dot> dots;
  for (const std::int64_t which : {0, 1, 2, 3}) {
    dots.push_back(dot_of("group " + std::to_string(which) + " has scale 1024, others 1", 32, 8,
                          0.125F, some_codes, loud(which)));
  }
  check_dots("one loud group", dots, /*exact=*/true);
}

TEST(Granularity, AddsTheShortLastGroup) {
  const auto powers = [](auto g) { return std::ldexp(1, static_cast<int>(g)); };
  check_dots("K is no multiple of the group",
             {dot_of("the last has 4", 100, 32, 1, some_codes, powers),
              dot_of("the last has 1", 9, 4, 1, some_codes, powers),
              dot_of("all in one short group", 5, 64, 1, some_codes, powers)},
             /*exact=*/true);
}

TEST(Granularity, SumsIntegersExactly) {
  const auto one = [](auto) { return 1.0; };
  const auto all = [](int x, int w) { return [=](auto) { return std::pair{x, w}; }; };
  // A float counts to 2²⁴ one by one, then in steps of 2 and 4; 4096 · 127² is nearly 2²⁶.
  const auto cancels = [](std::int64_t k) {
    return std::pair{k == 8192 ? 1 : 127, k < 4096 || k == 8192 ? 127 : -127};
  };
  check_dots("large codes",
             {dot_of("4096 times 127²", 4096, 4096, 1, all(127, 127), one),
              dot_of("4096 times 127², 4096 times -127², and 127", 8193, 8193, 1, cancels, one),
              dot_of("131071 times -128 · -128", kMostInt8Products, kMostInt8Products, 1,
                     all(-128, -128), [](auto) { return 0x1p-14; })},
             /*exact=*/true);
}

TEST(Granularity, AgreesWithTheOracleOnManyCodes) {
  const TestSeed seed;
  Random random(seed);
  std::vector<Dot> dots;
  for (const std::int64_t K : {1, 31, 100, 128, 4099}) {
    for (const std::int64_t group_size : {1, 7, 32, 128, 5000}) {
      dots.push_back(dot_of(
          "random", K, group_size, static_cast<float>(random.uniform(0.01, 1)),
          [&](auto) {
            return std::pair{static_cast<int>(random.below(256) - 128),
                             static_cast<int>(random.below(256) - 128)};
          },
          [&](auto) { return std::exp2(random.uniform(-6, 6)); }));
    }
  }
  check_dots("random codes and scales, seed " + std::to_string(seed), dots, /*exact=*/false);
}

TEST(Granularity, ConfinesOutliersToTheirGroups) {
  const TestSeed seed;
  Random random(seed);
  constexpr std::int64_t kRows = 256, kCols = 128, kGroup = 32;
  const auto loud = [](std::int64_t k) { return k == 5 || k == 77; };
  const auto quiet = [&](std::int64_t k) { return !loud(k); };
  const Operand<float> x =
      matrix_of(kRows, kCols, [&](auto, auto k) { return random.normal() * (loud(k) ? 20 : 1); });
  std::vector<float> token(kRows);
  Matrix<float> group(kRows, kCols / kGroup);
  exercise::token_scales(x.view(), token);
  exercise::group_scales(x.view(), kGroup, group.view());
  const double of_tensor = *std::max_element(token.begin(), token.end());
  const double per_tensor = decibels(
      x.view(), [&](auto, auto) { return of_tensor; }, quiet);
  const double per_token = decibels(
      x.view(), [&](auto r, auto) { return token[static_cast<std::size_t>(r)]; }, quiet);
  const double per_group = decibels(
      x.view(), [&](auto r, auto k) { return group(r, k / kGroup); }, quiet);
  // The golden file has other draws, so six deviations of a difference are allowed. The largest of 512
  // outliers deviates by 1 dB, up more than down. max(z², z'²) of the two in a token deviates by 1.7 from
  // its mean of 1 + 2/π: over 256 tokens 6.6 % or 0.28 dB, and 0.4 dB between two draws. A group holds
  // one outlier or none, and half of E z² is 5.1 dB under that mean, with no more chance in it.
  judge_answers("normal values, two channels of 128 times 20, seed " + std::to_string(seed),
                {{"dB of the other channels, per tensor", static_cast<float>(per_tensor),
                  golden_decibels("per tensor"), 6},
                 {"dB of the other channels, per token", static_cast<float>(per_token),
                  golden_decibels("per token"), 2.4},
                 {"dB gained by groups of 32 over tokens",
                  static_cast<float>(per_group - per_token), 5.1, 2.4}});
  std::ostringstream fact;
  fact.precision(3);
  fact << "With two loud channels of 128 the others keep " << per_tensor << " dB with one scale, "
       << per_token << " dB with a scale a token, " << per_group << " dB with one for 32 columns.";
  RecordProperty("fact", fact.str());
}

TEST(Granularity, ReadsNothingOutsideItsInputs) {
  RecordProperty("guards", "a read past the end, which ends the program and is no mutant's output");
  const Operand<float> x =
      matrix_of(3, 9, [](auto r, auto k) { return static_cast<double>(10 * r + k); });
  const Fenced<float> fenced(x.view());
  check_token_scales("memory ends behind x", fenced.view());
  for (const std::int64_t group_size : {2, 4, 9}) {
    check_group_scales("memory ends behind x", fenced.view(), group_size);
  }
  const std::vector<std::int8_t> codes(10, 3);
  const Fenced<std::int8_t> ends({codes.data(), 1, 10, 10});
  const std::vector<float> scales = {1, 1, 1};
  const Fenced<float> last_scale({scales.data(), 1, 3, 3});
  EXPECT_EQ(exercise::group_dot(ends.view().row(0, 0, 10), 1, ends.view().row(0, 0, 10),
                                last_scale.view().row(0, 0, 3), 4),
            90);
}

TEST(Granularity, RefusesWhatDoesNotFit) {
  RecordProperty("guards", "the checks above the regions, which are given");
  Matrix<float> x(2, 6), scale(2, 3);
  std::vector<float> three(3), two(2);
  const std::vector<std::int8_t> codes(6), five(5);
  x(1, 4) = std::numeric_limits<float>::quiet_NaN();
  expect_refused("x[1, 4] is NaN", "token_scales: x[1, 4] is nan",
                 [&] { exercise::token_scales(x.view(), two); });
  x(1, 4) = -std::numeric_limits<float>::infinity();
  expect_refused("x[1, 4] is infinite", "group_scales: x[1, 4] is -inf",
                 [&] { exercise::group_scales(x.view(), 2, scale.view()); });
  x(1, 4) = 1;
  expect_refused("3 scales for 2 rows", "token_scales: 3 scales for 2 rows",
                 [&] { exercise::token_scales(x.view(), three); });
  expect_refused("3 groups of 4 in 6 columns", "group_scales: scale is [2, 3], expected [2, 2]",
                 [&] { exercise::group_scales(x.view(), 4, scale.view()); });
  for (const std::int64_t group_size : {0, -1}) {
    expect_refused("a group without elements", "group_scales: group_size is ",
                   [&] { exercise::group_scales(x.view(), group_size, scale.view()); });
    expect_refused("a group without elements", "group_dot: group_size is ",
                   [&] { exercise::group_dot(codes, 1, codes, three, group_size); });
  }
  expect_refused("5 codes for 6", "group_dot: x has 6 codes and w has 5",
                 [&] { exercise::group_dot(codes, 1, five, three, 2); });
  expect_refused("2 scales for 3 groups", "group_dot: 2 scales for 3 groups",
                 [&] { exercise::group_dot(codes, 1, codes, two, 2); });
  const std::vector<std::int8_t> many(kMostInt8Products + 1);
  expect_refused("a sum that may overflow", "may overflow an int32", [&] {
    exercise::group_dot(many, 1, many, {two.data(), 1}, kMostInt8Products + 1);
  });
  check_token_scales("finite again", x.view());
}

}  // namespace
}  // namespace qlab::test
