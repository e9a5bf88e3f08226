// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of smoothquant: factors against numbers made elsewhere and their defining property,
/// products that a fold must not change, refusals.
#include "02_int8_calibration/smoothquant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "common/matrix.h"
#include "support/compare.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> column_absmax(MatrixView<const float> x) {
  std::vector<float> absmax(std::size_t(x.cols()), 0);
  raise_column_absmax(x, absmax);
  return absmax;
}

template <class Call>
void expect_refused(const std::string& sentence, Call call) {
  EXPECT_THAT(call, testing::ThrowsMessage<ContractError>(testing::HasSubstr(sentence)));
}

TEST(Smoothquant, RaisesColumnMaximaBatchAfterBatch) {
  const float first[] = {1, -5, 0, 2, 3, 0}, second[] = {-7, 4, -0.0F};
  std::vector<float> absmax(3, 0);
  raise_column_absmax({first, 2, 3, 3}, absmax);
  EXPECT_THAT(absmax, testing::ElementsAre(2, 5, 0));
  raise_column_absmax({second, 1, 3, 3}, absmax);
  EXPECT_THAT(absmax, testing::ElementsAre(7, 5, 0));
  raise_column_absmax({second, 0, 3, 3}, absmax);
  EXPECT_THAT(absmax, testing::ElementsAre(7, 5, 0));
}

TEST(Smoothquant, RefusesMaximaOfWhatIsNotFinite) {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    Operand<float> x(3, 5);
    for (std::int64_t m = 0; m < 3; ++m) std::fill_n(x.view().row(m), 5, 1.0F);
    x.view()(2, 4) = kNan;
    x.view()(1, 3) = bad;
    expect_refused("raise_column_absmax: x[1, 3] is ", [&] { column_absmax(x.view()); });
  }
  std::vector<float> absmax(4);
  const Matrix<float> x(2, 3);
  expect_refused("x has 3 columns, absmax 4 elements",
                 [&] { raise_column_absmax(x.view(), absmax); });
}

TEST(Smoothquant, MatchesFactorsMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/smoothquant.txt");
  std::string comment;
  std::size_t K = 0;
  std::getline(file, comment);
  file >> K;
  std::vector<float> activation(K), weight(K);
  for (float& x : activation) file >> x;
  for (float& w : weight) file >> w;
  for (int i = 0; i < 4; ++i) {
    double alpha = 0, factor = 0;
    file >> alpha;
    const std::vector<float> got = smoothing_factors(activation, weight, alpha);
    for (std::size_t k = 0; k < K; ++k) {
      file >> factor;
      // Rounded once to FP32; two powers and a quotient in double are off by far less than 2⁻⁵⁰.
      EXPECT_TRUE(std::abs(got[k] - factor) <= factor * (0x1p-24 + 0x1p-50))
          << "alpha " << alpha << ", factor[" << k << "]: " << got[k] << ", expected " << factor;
    }
  }
  ASSERT_TRUE(file) << "smoothquant.txt ends early";
}

TEST(Smoothquant, GivesTheFactorsOfItsDefinition) {
  const std::vector<float> activation = {4, 4, 4, 0, 0, 1, 1e-30F, 9};
  const std::vector<float> weight = {1, 16, 0.25, 5, 0, 0, 1e30F, 1e-5F};
  EXPECT_THAT(smoothing_factors(activation, weight, 1),
              testing::ElementsAre(4, 4, 4, 1, 1, 1, 1e-5F, 9));
  EXPECT_THAT(smoothing_factors(activation, weight, 0),
              testing::ElementsAre(1, 0.0625F, 4, 1, 1, 1e5F, 1e-5F, 1e5F));
  EXPECT_THAT(smoothing_factors(activation, weight, 0.5),
              testing::ElementsAre(2, 0.5F, 4, 1, 1, std::sqrt(1e5F), 1e-5F,
                                   testing::FloatEq(3 * std::sqrt(1e5F))));
}

TEST(Smoothquant, HoldsTheLargestFloats) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (const double alpha : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const std::vector<float> factor =
        smoothing_factors(std::vector{kLargest, 1.0F}, std::vector{0.0F, kLargest}, alpha);
    EXPECT_TRUE(std::isfinite(factor[0]) && factor[0] > 0) << alpha;
    EXPECT_EQ(factor[1], alpha == 1 ? 1 : 1e-5F) << alpha;
  }
}

TEST(Smoothquant, EvensOutWhatItFolds) {
  // Alpha 0: every column of the weights ends at 1; alpha 1: every channel of the activations; 0.5:
  // both ends meet. Each maximum is rounded twice, by its factor and by the fold.
  const TestSeed seed;
  Random random(seed);
  Matrix<float> x(17, 33), w(9, 33);
  fill(x.view(), Values::kOutlierChannel, random);
  fill(w.view(), Values::kNormal, random);
  for (const double alpha : {0.0, 0.5, 1.0}) {
    const std::vector<float> before = column_absmax(x.view());
    const std::vector<float> factor = smoothing_factors(before, column_absmax(w.view()), alpha);
    Matrix<float> folded = w;
    std::vector<float> activation = before;  // as the gain of a norm that puts out its maxima
    const MatrixView<float> consumers[] = {folded.view()};
    fold_smoothing(factor, activation, consumers);
    const std::vector<float> weight = column_absmax(folded.view());
    for (std::size_t k = 0; k < factor.size(); ++k) {
      const float one_side = alpha == 1 ? 1 : weight[k],
                  other_side = alpha == 0 ? 1 : activation[k];
      EXPECT_NEAR(one_side, other_side, one_side * 0x1p-22) << "alpha " << alpha << ", " << k;
    }
  }
}

/// Σ (x · gain) · w in double, the norm's output rounded to FP32.
Matrix<double> product(MatrixView<const float> x, const std::vector<float>& gain,
                       MatrixView<const float> w, Matrix<double>* abs_sum = nullptr) {
  Matrix<double> y(x.rows(), w.rows());
  for (std::int64_t m = 0; m < x.rows(); ++m) {
    for (std::int64_t n = 0; n < w.rows(); ++n) {
      for (std::int64_t k = 0; k < x.cols(); ++k) {
        const double term = double{x(m, k) * gain[std::size_t(k)]} * w(n, k);
        y(m, n) += term;
        if (abs_sum != nullptr) (*abs_sum)(m, n) += std::abs(term);
      }
    }
  }
  return y;
}

TEST(Smoothquant, LeavesTheProductOfEveryConsumer) {
  // With factors that are powers of two nothing rounds. Others round the gain, the norm's output
  // (once before, once after) and the weight: four times 2⁻²⁴ of every term, and a little of that.
  const TestSeed seed;
  Random random(seed);
  for (const bool powers_of_two : {true, false}) {
    Matrix<float> x(7, 21), q(5, 21), v(3, 21);
    std::vector<float> gain, factor;
    fill(x.view(), Values::kNormal, random);
    for (const auto w : {q.view(), v.view()}) fill(w, Values::kNormal, random);
    for (int k = 0; k < 21; ++k) {
      gain.push_back(static_cast<float>(random.uniform(0.5, 2)));
      const double exponent = random.uniform(-10, 10);
      factor.push_back(
          static_cast<float>(std::exp2(powers_of_two ? std::nearbyint(exponent) : exponent)));
    }
    Matrix<float> folded_q = q, folded_v = v;
    std::vector<float> folded_gain = gain;
    const MatrixView<float> consumers[] = {folded_q.view(), folded_v.view()};
    fold_smoothing(factor, folded_gain, consumers);
    for (const auto& [before, after] : {std::pair{&q, &folded_q}, {&v, &folded_v}}) {
      Matrix<double> abs_sum(7, before->rows());
      const Matrix<double> expected = product(x.view(), gain, before->view(), &abs_sum);
      const Matrix<double> got = product(x.view(), folded_gain, after->view());
      for (std::int64_t i = 0; i < 7 * before->rows(); ++i) {
        const double allowed = powers_of_two ? 0 : (4 * 0x1p-24 + 0x1p-44) * abs_sum.data()[i];
        ASSERT_TRUE(std::abs(got.data()[i] - expected.data()[i]) <= allowed) << i;
      }
    }
  }
}

TEST(Smoothquant, RefusesWhatHasNoFactor) {
  const std::vector<float> two = {1, 2}, three = {1, 2, 3};
  expect_refused("2 maxima of activations, 3 of weights",
                 [&] { smoothing_factors(two, three, 0.5); });
  for (const double alpha : {-0.01, 1.01, double{kNan}, double{kInfinity}}) {
    expect_refused("smoothing_factors: alpha is ", [&] { smoothing_factors(two, two, alpha); });
  }
  for (const float bad : {-1.0F, kNan, kInfinity, -kInfinity}) {
    const std::vector<float> maxima = {1, bad, kNan};
    expect_refused("activation_absmax[1] is ", [&] { smoothing_factors(maxima, three, 0.5); });
    expect_refused("weight_absmax[1] is ", [&] { smoothing_factors(three, maxima, 0.5); });
  }
  EXPECT_THAT(smoothing_factors({}, {}, 0.5), testing::IsEmpty());
}

TEST(Smoothquant, RefusesAFoldBeforeItChangesAnything) {
  Matrix<float> good(2, 3), bad(2, 4);
  for (std::int64_t i = 0; i < 6; ++i) good.data()[i] = 1;
  std::vector<float> factor = {2, 2, 2}, gain = {1, 1, 1};
  const auto fold = [&](std::initializer_list<MatrixView<float>> consumers) {
    return [&, consumers = std::vector(consumers)] { fold_smoothing(factor, gain, consumers); };
  };
  expect_refused("consumer 1 has 4 columns, factor 3 elements", fold({good.view(), bad.view()}));
  for (const float wrong : {0.0F, -1.0F, kNan, kInfinity}) {
    factor[2] = wrong;
    expect_refused("fold_smoothing: factor[2] is ", fold({good.view()}));
  }
  factor = {2, 2};
  expect_refused("gain has 3 elements, factor 2", fold({good.view()}));
  EXPECT_THAT(gain, testing::Each(1));
  EXPECT_THAT(std::vector(good.data(), good.data() + 6), testing::Each(1));
}

}  // namespace
}  // namespace qlab::test
