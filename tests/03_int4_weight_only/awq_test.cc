// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of awq_scales: the search against losses made elsewhere, what scales promise, refusals.
#include "03_int4_weight_only/awq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "03_int4_weight_only/awq_problem.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

AwqScales search(std::initializer_list<MatrixView<const float>> consumers,
                 MatrixView<const float> X, std::int64_t group_size, int threads = 1) {
  ThreadPool pool(threads);
  return awq_scales(std::vector(consumers), X, group_size, {pool});
}

/// √ of the mean over tokens and outputs of (Σ |x| · |w|)²: what FP32 rounding is relative to.
double root_mean_square_of_sums(MatrixView<const float> weight, MatrixView<const float> X) {
  double squares = 0;
  for (std::int64_t t = 0; t < X.rows(); ++t) {
    for (std::int64_t n = 0; n < weight.rows(); ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < X.cols(); ++k) sum += std::abs(double{X(t, k)} * weight(n, k));
      squares += sum * sum;
    }
  }
  return std::sqrt(squares / static_cast<double>(X.rows() * weight.rows()));
}

/// The root of a loss is the length of a vector of outputs Σ x · d, d = ŵ - w, so it is off by no
/// more than what rounding adds to that vector. FP32 rounds ŵ twice and the scale once, d once and
/// the sum K times. |d| ≤ |w|, for 0 has a code and none is nearer than the nearest; so |ŵ| ≤ 2|w|.
double root_tolerance(MatrixView<const float> weight, MatrixView<const float> X) {
  return 0x1p-24 * static_cast<double>(X.cols() + 8) * root_mean_square_of_sums(weight, X);
}

/// (max power · min power) is 1 after scaling, and the powers are those of the mean magnitudes.
void expect_scales_of(MatrixView<const float> X, const AwqScales& got) {
  std::vector<double> power;
  for (std::int64_t k = 0; k < X.cols(); ++k) {
    double sum = 0;
    for (std::int64_t t = 0; t < X.rows(); ++t) sum += std::abs(X(t, k));
    power.push_back(std::max(std::pow(sum / static_cast<double>(X.rows()), got.ratio), 1e-4));
  }
  const double middle =
      std::sqrt(*std::ranges::max_element(power) * *std::ranges::min_element(power));
  for (std::size_t k = 0; k < power.size(); ++k) {
    EXPECT_NEAR(got.scale[k], power[k] / middle, power[k] / middle * 0x1p-23) << "channel " << k;
  }
}

TEST(AwqScales, MatchesASearchMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/03_int4_weight_only/golden/awq.txt");
  std::string comment;
  std::int64_t N = 0, K = 0, tokens = 0, group_size = 0;
  std::getline(file, comment);
  file >> N >> K >> tokens >> group_size;
  Matrix<float> weight(N, K), X(tokens, K);
  for (std::int64_t i = 0; i < N * K; ++i) file >> weight.data()[i];
  for (std::int64_t i = 0; i < tokens * K; ++i) file >> X.data()[i];
  const AwqScales got = search({weight.view()}, X.view(), group_size);
  ASSERT_EQ(got.losses.size(), std::size_t{kAwqRatios});
  const double tolerance = root_tolerance(weight.view(), X.view());
  for (int i = 0; i < kAwqRatios; ++i) {
    double loss = 0;
    file >> loss;
    EXPECT_NEAR(std::sqrt(got.losses[std::size_t(i)]), std::sqrt(loss), tolerance) << "ratio " << i;
  }
  int best = 0;
  file >> best;
  EXPECT_EQ(got.ratio, best / 20.0);
  for (std::size_t k = 0; k < std::size_t(K); ++k) {
    double scale = 0;
    file >> scale;
    EXPECT_NEAR(got.scale[k], scale, scale * 0x1p-23) << "channel " << k;
  }
  ASSERT_TRUE(file) << "awq.txt ends early";
}

TEST(AwqScales, StartsFromPlainRounding) {
  const TestSeed seed;
  Random random(seed);
  const Matrix<float> q = random_matrix(5, 33, Values::kNormal, random),
                      v = random_matrix(3, 33, Values::kNormal, random),
                      X = random_matrix(17, 33, Values::kOutlierChannel, random);
  const AwqScales got = search({q.view(), v.view()}, X.view(), 8);
  double sum = 0, tolerance = 0;
  for (const Matrix<float>* const weight : {&q, &v}) {
    const Matrix<double> back = rounded(weight->view(), 8);
    for (std::int64_t t = 0; t < 17; ++t) {
      for (std::int64_t n = 0; n < weight->rows(); ++n) {
        double y = 0;
        for (std::int64_t k = 0; k < 33; ++k) y += X(t, k) * (back(n, k) - (*weight)(n, k));
        sum += y * y;
      }
    }
    tolerance += root_tolerance(weight->view(), X.view());
  }
  EXPECT_NEAR(std::sqrt(got.losses[0]), std::sqrt(sum / (17 * 8)), tolerance);
}

TEST(AwqScales, ChoosesTheLeastLossOfItsTable) {
  const TestSeed seed;
  Random random(seed);
  for (const Values values : {Values::kNormal, Values::kLogUniform, Values::kOutlierChannel}) {
    const Matrix<float> weight = random_matrix(9, 41, Values::kNormal, random),
                        X = random_matrix(23, 41, values, random);
    const AwqScales got = search({weight.view()}, X.view(), 16);
    const auto least = std::ranges::min_element(got.losses);
    EXPECT_EQ(got.ratio, static_cast<double>(least - got.losses.begin()) / 20);
    EXPECT_LE(*least, got.losses[0]);
    expect_scales_of(X.view(), got);
  }
}

TEST(AwqScales, TakesTheFirstOfEqualLosses) {
  // With equal channels every ratio scales by 1; with no activation at all nothing is lost.
  const TestSeed seed;
  Random random(seed);
  const Matrix<float> weight = random_matrix(5, 24, Values::kNormal, random);
  Matrix<float> X(6, 24);
  for (const float magnitude : {3.0F, 0.0F}) {
    for (std::int64_t i = 0; i < 6 * 24; ++i) {
      X.data()[i] = random.below(2) == 0 ? magnitude : -magnitude;
    }
    const AwqScales got = search({weight.view()}, X.view(), 8);
    EXPECT_THAT(got.losses, testing::Each(got.losses[0]));
    EXPECT_EQ(got.ratio, 0);
    EXPECT_THAT(got.scale, testing::Each(1));
  }
}

TEST(AwqScales, RoundsALoudChannelFiner) {
  const TestSeed seed;
  Random random(seed);
  const Matrix<float> weight = random_matrix(64, 32, Values::kNormal, random),
                      X = random_matrix(64, 32, Values::kOutlierChannel, random);
  const AwqScales got = search({weight.view()}, X.view(), 32);
  EXPECT_GT(got.ratio, 0);
  EXPECT_LT(got.losses[std::size_t(std::lround(got.ratio * 20))], got.losses[0] / 2);
  EXPECT_EQ(std::ranges::max_element(got.scale) - got.scale.begin(), 16);
  Matrix<float> scaled = weight;
  for (std::int64_t i = 0; i < 64 * 32; ++i) scaled.data()[i] *= got.scale[std::size_t(i % 32)];
  const Matrix<double> plain = rounded(weight.view(), 32), awq = rounded(scaled.view(), 32);
  double plain_error = 0, awq_error = 0;
  for (std::int64_t n = 0; n < 64; ++n) {
    plain_error += std::abs(plain(n, 16) - weight(n, 16));
    awq_error += std::abs(awq(n, 16) / got.scale[16] - weight(n, 16));
  }
  EXPECT_LT(awq_error, plain_error / 2);
}

TEST(AwqScales, GivesTheSameOnAnyNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  const Matrix<float> gate = random_matrix(37, 65, Values::kNormal, random),
                      up = random_matrix(41, 65, Values::kLogUniform, random),
                      X = random_matrix(29, 65, Values::kOutlierChannel, random);
  const AwqScales one = search({gate.view(), up.view()}, X.view(), 32);
  for (const int threads : {2, 3}) {
    const AwqScales more = search({gate.view(), up.view()}, X.view(), 32, threads);
    EXPECT_EQ(more.ratio, one.ratio);
    EXPECT_EQ(more.scale, one.scale);
    EXPECT_EQ(more.losses, one.losses);
  }
}

TEST(AwqScales, RefusesWhatItCannotSearch) {
  Matrix<float> weight(3, 8), X(4, 8);
  expect_refused("X is [0, 8]", [&] { search({weight.view()}, X.view().rows_from(0, 0), 4); });
  expect_refused("no consumer has an output", [&] { search({}, X.view(), 4); });
  const Matrix<float> narrow(3, 7);
  expect_refused("consumer 1 has 7 columns, X 8", [&] {
    search({weight.view(), narrow.view()}, X.view(), 4);
  });
  expect_refused("group_size is 0", [&] { search({weight.view()}, X.view(), 0); });
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    Matrix<float> sick = X;
    sick(2, 5) = bad;
    expect_refused("X[2, 5] is ", [&] { search({weight.view()}, sick.view(), 4); });
    sick = weight;
    sick(1, 7) = bad;
    expect_refused("consumer 1, weight[1, 7] is ", [&] {
      search({weight.view(), sick.view()}, X.view(), 4);
    });
  }
  weight(2, 1) = 1e30F;
  expect_refused("overflows FP16", [&] { search({weight.view()}, X.view(), 4); });
  for (std::int64_t k = 0; k < 8; ++k) weight(2, k) = 300 * static_cast<float>(k);
  for (std::int64_t i = 0; i < 32; ++i) X.data()[i] = 3e38F;
  expect_refused("the outputs overflow FP32", [&] { search({weight.view()}, X.view(), 4); });
}

}  // namespace
}  // namespace qlab::test
