// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise smoothquant: factors against logarithms in long double, folds against one
/// rounding, and products that a fold must not change.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/smoothquant_checks.h"
#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kAlphas[] = {0, 0.25, 0.5, 0.85, 1};

TEST(Smoothquant, MatchesPaperAndPencil) {
  // Activations to 16 and weights to 1/4 meet at 2 with factor 8.
  const std::vector<float> activation = {16, 16, 4, 1, 0.25F};
  constexpr double kWeight[] = {0.25, 4, 4, 16, 0.0625};
  const Consumers one = Consumers(5, {1}).set([&](auto, auto, auto k) { return kWeight[k]; });
  for (const double alpha : {0.5, 0.0, 1.0}) {
    check_factors("powers of two", activation, one, alpha);
  }
}

TEST(Smoothquant, TakesTheLargestWeightOfAllConsumers) {
  // In channel k the largest weight is row 1 of consumer k % 3, negative in every other channel.
  const Consumers qkv = Consumers(7, {4, 2, 3}).set([](auto i, auto n, auto k) {
    const double size = static_cast<std::int64_t>(i) == k % 3 && n == 1 ? 3 : 0.25;
    return (k % 2 == 0 ? size : -size) * static_cast<double>(k + 1);
  });
  for (const double alpha : {0.0, 0.5}) {
    check_factors("q, k and v", std::vector<float>(7, 2), qkv, alpha);
  }
}

TEST(Smoothquant, SharesTheDifficultyAsAlphaSays) {
  const TestSeed seed;
  Random random(seed);
  std::vector<float> activation;
  for (int k = 0; k < 65; ++k) {
    activation.push_back(static_cast<float>(std::exp2(random.uniform(-8, 8))));
  }
  const Consumers two =
      Consumers(65, {5, 9}).set([&](auto, auto, auto) { return random.normal() / 8; });
  for (const double alpha : kAlphas) {
    check_factors("14 octaves, seed " + std::to_string(seed), activation, two, alpha);
  }
}

TEST(Smoothquant, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/smoothquant.txt");
  std::string comment;
  std::int64_t K = 0;
  std::getline(file, comment);
  file >> K;
  std::vector<float> activation(std::size_t(K), 0);
  Consumers consumers(K, {1});
  for (float& x : activation) file >> x;
  for (std::int64_t k = 0; k < K; ++k) file >> consumers.weights[0].view()(0, k);
  for (int i = 0; i < 4; ++i) {
    double alpha = 0;
    Matrix<double> expected(1, K);
    file >> alpha;
    for (std::int64_t k = 0; k < K; ++k) file >> expected(0, k);
    judge({.name = "golden, alpha " + text_of(alpha)},
          row_of(exercise::smoothing_factors(activation, consumers.read(), alpha)).view(),
          expected.view(), relative(expected.view(), kFactorError));
  }
  ASSERT_TRUE(file) << "smoothquant.txt ends early";
}

TEST(Smoothquant, LeavesADeadChannelAlone) {
  // Channel 1 was never active, channel 2 has no weights, channel 3 neither.
  const std::vector<float> activation = {2, 0, 3, 0};
  const Consumers consumers =
      Consumers(4, {2}).set([](auto, auto, auto k) { return k < 2 ? 0.5 : 0; });
  for (const double alpha : kAlphas) check_factors("dead channels", activation, consumers, alpha);
}

TEST(Smoothquant, KeepsFactorsAwayFromZero) {
  const std::vector<float> activation = {1e-30F, 1e-4F, 1e-6F, 1};
  constexpr double kWeight[] = {1, 1e7, 1e-9, 1e-9};
  const Consumers one = Consumers(4, {1}).set([&](auto, auto, auto k) { return kWeight[k]; });
  for (const double alpha : kAlphas) check_factors("tiny channels", activation, one, alpha);
}

TEST(Smoothquant, FoldsBothSidesOfEveryConsumer) {
  // Powers of two: every quotient and product is exact.
  const Consumers qkv = [] {
    Consumers c = Consumers(6, {3, 2, 2}).set([](auto i, auto n, auto k) {
      return static_cast<double>(10 * static_cast<std::int64_t>(i) + 3 * n - k) + 0.5;
    });
    c.gain = {1, 1.5F, -2, 0.75F, 3, 0};
    return c;
  }();
  check_fold("q, k and v", {2, 0.25F, 1, 8, 0x1p-10F, 4}, qkv, /*exact=*/true);
  check_fold("one consumer", {2, 4}, Consumers(2, {1}).set([](auto, auto, auto) { return 3; }),
             /*exact=*/true);
}

TEST(Smoothquant, RoundsOnceWhenItFolds) {
  const TestSeed seed;
  Random random(seed);
  Consumers two = Consumers(33, {7, 5}).set([&](auto, auto, auto) { return random.normal(); });
  std::vector<float> factor;
  for (float& g : two.gain) g = static_cast<float>(random.uniform(0.5, 2));
  for (int k = 0; k < 33; ++k) {
    factor.push_back(static_cast<float>(std::exp2(random.uniform(-9, 9))));
  }
  check_fold("random factors, seed " + std::to_string(seed), factor, two, /*exact=*/false);
}

TEST(Smoothquant, EvensOutBothSides) {
  // Of activations to a and weights to w, a / factor = (a·w)^(1 - alpha) and w · factor =
  // (a·w)^alpha: 1 on one side at the ends of alpha, equal in the middle. The gain stands for the
  // activations.
  const TestSeed seed;
  Random random(seed);
  Consumers two = Consumers(20, {6, 4}).set([&](auto, auto, auto) { return random.normal(); });
  for (float& a : two.gain) a = static_cast<float>(std::exp2(random.uniform(-3, 6)));
  for (const double alpha : {0.0, 0.5, 1.0}) {
    Consumers folded = two;
    exercise::fold_smoothing(exercise::smoothing_factors(two.gain, two.read(), alpha), folded.gain,
                             folded.write());
    Matrix<float> got(2, 20);
    Matrix<double> expected(2, 20);
    for (std::int64_t k = 0; k < 20; ++k) {
      const double product = two.gain[std::size_t(k)] * two.absmax(k);
      got(0, k) = folded.gain[std::size_t(k)];
      got(1, k) = static_cast<float>(folded.absmax(k));
      expected(0, k) = std::pow(product, 1 - alpha);
      expected(1, k) = std::pow(product, alpha);
    }
    judge({.name = "\"maxima after the fold\", alpha " + text_of(alpha),
           .place =
               [](auto side, auto k) {
                 return std::string(side == 0 ? "activations" : "weights") + " of channel " +
                        std::to_string(k);
               }},
          got.view(), expected.view(),
          // The factor rounds once, the fold twice at most.
          relative(expected.view(), 3 * 0x1p-24 + 0x1p-44));
  }
}

TEST(Smoothquant, ChangesNoProduct) {
  const TestSeed seed;
  Random random(seed);
  Matrix<float> x(5, 48);
  fill(x.view(), Values::kNormal, random);
  Consumers c = Consumers(48, {6}).set([&](auto, auto, auto) { return random.normal(); });
  for (std::size_t k = 3; k < 48; k += 16) c.gain[k] = 60;
  std::vector<float> activation(48, 0);
  raise_column_absmax(normed(x.view(), c).view(), activation);
  Matrix<double> abs_sum(5, 6);
  const Matrix<double> expected = product(x.view(), c, &abs_sum);
  for (const double alpha : kAlphas) {
    Consumers folded = c;
    exercise::fold_smoothing(exercise::smoothing_factors(activation, c.read(), alpha), folded.gain,
                             folded.write());
    const Matrix<double> y = product(x.view(), folded, nullptr);
    Matrix<float> got(5, 6);
    std::copy_n(y.data(), 30, got.data());
    // Roundings of a term: the norm's output before and after, the gain twice, the weight; and the
    // one of `got`.
    judge({.name = "\"what the consumer computes\", alpha " + text_of(alpha)}, got.view(),
          expected.view(), [&](auto m, auto n) {
            return (5 * 0x1p-24 + 0x1p-44) * abs_sum(m, n) + 0x1p-24 * std::abs(expected(m, n));
          });
  }
}

TEST(Smoothquant, ReadsNothingOutsideItsInputs) {
  const Consumers two = Consumers(11, {3, 5}).set([](auto, auto n, auto k) {
    return static_cast<double>(n + 1) / static_cast<double>(k + 1);
  });
  const Fenced<float> first(two.weights[0].view()), second(two.weights[1].view());
  const std::vector<float> activation(11, 4);
  const Fenced<float> maxima({activation.data(), 1, 11, 11});
  const MatrixView<const float> consumers[] = {first.view(), second.view()};
  Matrix<double> expected(1, 11);
  for (std::int64_t k = 0; k < 11; ++k) expected(0, k) = factor_ref(4, two.absmax(k), 0.5);
  judge({.name = "\"memory ends behind the inputs\", alpha 0.5"},
        row_of(exercise::smoothing_factors({maxima.data(), 11}, consumers, 0.5)).view(),
        expected.view(), relative(expected.view(), kFactorError));
}

TEST(Smoothquant, RefusesWhatHasNoFactor) {
  const Consumers good = Consumers(3, {2, 2}).set(
      [](auto i, auto, auto k) { return static_cast<double>(k + 1) * (i == 0 ? 1 : 4); });
  check_factors("accepted", {1, 2, 3}, good, 0.5);
  const auto ask = [&](std::vector<float> maxima, const Consumers& c, double alpha) {
    return [=] { exercise::smoothing_factors(maxima, c.read(), alpha); };
  };
  Consumers bad = good;
  bad.weights[1].view()(1, 2) = kNan;
  check_refusals("factors",
                 {{"alpha -0.1", "alpha is -0.1", ask({1, 2, 3}, good, -0.1)},
                  {"alpha 1.1", "alpha is 1.1", ask({1, 2, 3}, good, 1.1)},
                  {"alpha NaN", "alpha is ", ask({1, 2, 3}, good, kNan)},
                  {"a maximum < 0", "[1] is -2", ask({1, -2, 3}, good, 0.5)},
                  {"a maximum NaN", "[2] is nan", ask({1, 2, kNan}, good, 0.5)},
                  {"infinity", "[0] is inf", ask({kInfinity, 2, 3}, good, 0.5)},
                  {"2 maxima", "0 has 3 columns", ask({1, 2}, good, 0.5)},
                  {"a weight NaN", "consumer 1 holds nan at [1, 2]", ask({1, 2, 3}, bad, 0.5)},
                  {"nobody reads", "no consumer", ask({1}, Consumers(1, {}), 0.5)}});
}

TEST(Smoothquant, RefusesAFoldBeforeItChangesAnything) {
  const Consumers good = Consumers(3, {2, 2}).set([](auto, auto n, auto k) { return n + k + 1; });
  check_fold("accepted", {2, 4, 8}, good, /*exact=*/true);
  Consumers c = good;
  const auto fold = [&](std::vector<float> factor) {
    return [&c, factor] { exercise::fold_smoothing(factor, c.gain, c.write()); };
  };
  check_refusals("folds", {{"2 factors", "gain has 3 elements, factor 2", fold({2, 4})},
                           {"factor 0", "factor[1] is 0", fold({2, 0, 8})},
                           {"factor < 0", "factor[2] is -8", fold({2, 4, -8})},
                           {"factor NaN", "factor[0] is nan", fold({kNan, 4, 8})},
                           {"factor infinity", "factor[2] is inf", fold({2, 4, kInfinity})}});
  c.weights.emplace_back(1, 2);
  check_refusals("folds", {{"a narrow consumer", "consumer 2 has 2 columns", fold({2, 4, 8})}});
  c.weights.pop_back();
  bool same = c.gain == good.gain;
  for (std::size_t i = 0; i < 2; ++i) {
    const MatrixView<const float> kept = c.read()[i], was = good.read()[i];
    for (std::int64_t n = 0; n < 2; ++n)
      same &= std::equal(was.row(n), was.row(n) + 3, kept.row(n));
  }
  if (!same) reject("\"folds\"", "a call that was refused has changed the gain or a weight");
}

TEST(Smoothquant, MakesInt8Better) {
  const TestSeed seed;
  Random random(seed);
  Matrix<float> x(16, 256);
  fill(x.view(), Values::kNormal, random);
  Consumers c = Consumers(256, {32}).set([&](auto, auto, auto) { return random.normal(); });
  for (const std::size_t k : {9, 77, 78, 200}) c.gain[k] = 60;
  std::vector<float> activation(256, 0);
  raise_column_absmax(normed(x.view(), c).view(), activation);
  check_factors("four channels 60 times as large", activation, c, 0.5);
  Consumers folded = c;
  exercise::fold_smoothing(exercise::smoothing_factors(activation, c.read(), 0.5), folded.gain,
                           folded.write());
  const Matrix<double> exact = product(x.view(), c, nullptr);
  const double before = int8_error(x.view(), c, exact);
  const double after = int8_error(x.view(), folded, exact);
  EXPECT_LT(after * 2, before) << "root mean square errors after and before the fold";
  std::ostringstream fact;
  fact.precision(2);
  fact << "Four of 256 channels are 60 times as large as the others: in INT8, activations with one "
       << "scale, the product is off by " << 100 * before << " % (root mean square) before your "
       << "fold and by " << 100 * after << " % after it.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
