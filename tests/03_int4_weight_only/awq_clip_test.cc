// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of awq_clip: its bounds against brute force in double, by hand where nothing is lost, and
/// refusals.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "03_int4_weight_only/awq.h"
#include "03_int4_weight_only/awq_problem.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

void clip(MatrixView<float> weight, MatrixView<const float> X, std::int64_t group_size,
          int threads = 1) {
  ThreadPool pool(threads);
  awq_clip(weight, X, group_size, {pool});
}

/// The squared errors of the ten bounds of one group, in double.
std::vector<double> errors_of_bounds(std::span<const float> group, MatrixView<const float> X,
                                     std::vector<std::vector<float>>& clipped) {
  float absmax = 0;
  for (const float w : group) absmax = std::max(absmax, std::abs(w));
  std::vector<double> errors;
  for (int i = 0; i < 10; ++i) {
    const float bound = absmax * (1 - static_cast<float>(i) / 20);
    clipped.emplace_back();
    for (const float w : group) clipped.back().push_back(std::clamp(w, -bound, bound));
    const std::int64_t count = std::ssize(group);
    const Matrix<double> back = rounded({clipped.back().data(), 1, count, count}, count);
    double sum = 0;
    for (std::int64_t t = 0; t < X.rows(); ++t) {
      double y = 0;
      for (std::int64_t k = 0; k < count; ++k) y += X(t, k) * (back(0, k) - group[std::size_t(k)]);
      sum += y * y;
    }
    errors.push_back(sum);
  }
  return errors;
}

TEST(AwqClip, TakesTheBoundOfLeastError) {
  // Which of two bounds wins may hang on rounding, so the error of what came is compared, not the
  // bound. Sums of 32 products of this size round to far less than a thousandth of it.
  const TestSeed seed;
  Random random(seed);
  Operand<float> weight(24, 77), X(19, 77);
  fill(weight.view(), Values::kNormal, random);
  fill(X.view(), Values::kOutlierChannel, random);
  const Operand<float> before = weight;
  clip(weight.view(), X.view(), 32);
  int changed = 0;
  for (std::int64_t n = 0; n < 24; ++n) {
    for (std::int64_t first = 0; first < 77; first += 32) {
      const std::int64_t count = std::min<std::int64_t>(32, 77 - first);
      const std::span<const float> group = before.view().row(n, first, count);
      std::vector<std::vector<float>> clipped;
      const std::vector<double> errors = errors_of_bounds(
          group, {X.view().row(0) + first, 19, count, X.view().row_stride()}, clipped);
      const std::span<const float> now = weight.view().row(n, first, count);
      const auto found = std::ranges::find_if(
          clipped, [&](const auto& candidate) { return std::ranges::equal(candidate, now); });
      ASSERT_NE(found, clipped.end()) << "row " << n << " from " << first << ": none of the bounds";
      EXPECT_LE(errors[std::size_t(found - clipped.begin())],
                *std::ranges::min_element(errors) * 1.001);
      changed += found != clipped.begin();
    }
    EXPECT_TRUE(std::isnan(weight.view().row(n)[77])) << "wrote behind row " << n;
  }
  EXPECT_GT(changed, 10);
}

TEST(AwqClip, ClipsWhatNobodyListensTo) {
  // -7 … 7 lie on codes as soon as the range is -7 … 8. The widest weight, 10, meets a silent
  // channel, so 80 % of it loses nothing, and every other bound does.
  Matrix<float> weight(1, 16), X(2, 16);
  for (std::int64_t k = 0; k < 15; ++k) {
    weight(0, k) = static_cast<float>(k - 7);
    X(0, k) = X(1, k) = 1 + static_cast<float>(k);
  }
  weight(0, 15) = 10;
  Matrix<float> expected = weight;
  expected(0, 15) = 8;
  clip(weight.view(), X.view(), 16);
  EXPECT_TRUE(std::equal(weight.data(), weight.data() + 16, expected.data())) << weight(0, 15);
}

TEST(AwqClip, KeepsWhatNeedsNoClip) {
  // Nothing can beat an error of 0, and the widest of equals is taken.
  Matrix<float> weight(3, 16), X(4, 16);
  for (std::int64_t i = 0; i < 48; ++i) weight.data()[i] = static_cast<float>(i % 16 - 7);
  for (std::int64_t i = 0; i < 64; ++i) X.data()[i] = static_cast<float>(i % 5);
  Matrix<float> now = weight;
  clip(now.view(), X.view(), 16);
  EXPECT_TRUE(std::equal(now.data(), now.data() + 48, weight.data()));

  // No activation: every bound loses nothing. And a scale that FP16 just holds has no smaller one.
  const TestSeed seed;
  Random random(seed);
  const Matrix<float> silent(4, 16);
  fill(weight.view(), Values::kNormal, random);
  now = weight;
  clip(now.view(), silent.view(), 16);
  EXPECT_TRUE(std::equal(now.data(), now.data() + 48, weight.data()));
  for (std::int64_t i = 0; i < 48; ++i) weight.data()[i] = i % 16 == 0 ? 15 * 0x1p-24F : 0;
  now = weight;
  clip(now.view(), X.view(), 16);
  EXPECT_TRUE(std::equal(now.data(), now.data() + 48, weight.data()));
}

TEST(AwqClip, LooksAtFewTokensAndTheSameOnAnyNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  const Matrix<float> weight = random_matrix(11, 40, Values::kNormal, random),
                      few = random_matrix(500, 40, Values::kOutlierChannel, random);
  Matrix<float> many(1000, 40), expected = weight;  // 1000 are thinned out to every second
  for (std::int64_t t = 0; t < 1000; ++t) {
    if (t % 2 == 0) {
      std::copy_n(few.view().row(t / 2), 40, many.view().row(t));
    } else {
      std::fill_n(many.view().row(t), 40, 1e6F * static_cast<float>(random.normal()));
    }
  }
  clip(expected.view(), few.view(), 16);
  for (const int threads : {1, 2, 3}) {
    Matrix<float> now = weight;
    clip(now.view(), many.view(), 16, threads);
    EXPECT_TRUE(std::equal(now.data(), now.data() + 11 * 40, expected.data())) << threads;
  }
}

TEST(AwqClip, RefusesBeforeItChangesAnything) {
  const TestSeed seed;
  Random random(seed);
  const Matrix<float> weight = random_matrix(3, 8, Values::kNormal, random),
                      X = random_matrix(4, 8, Values::kOutlierChannel, random), wide(4, 9);
  const auto refuses = [&](const std::string& words, const Matrix<float>& w,
                           MatrixView<const float> x, std::int64_t group_size) {
    Matrix<float> now = w;
    expect_refused(words, [&] { clip(now.view(), x, group_size); });
    EXPECT_EQ(std::memcmp(now.data(), w.data(), w.bytes()), 0) << words;
  };
  refuses("X has no token", weight, X.view().rows_from(0, 0), 4);
  refuses("awq_clip: X is [4, 9], expected [4, 8]", weight, wide.view(), 4);
  refuses("group_size is 0", weight, X.view(), 0);
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    Matrix<float> sick = X;
    sick(3, 7) = bad;
    refuses("awq_clip: X[3, 7] is ", weight, sick.view(), 4);
    sick = weight;
    sick(2, 6) = bad;
    refuses("weight[2, 6] is ", sick, X.view(), 4);
  }
}

}  // namespace
}  // namespace qlab::test
