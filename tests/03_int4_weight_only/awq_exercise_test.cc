// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise awq: means and scales against long double, losses against double, the
/// search against its own table and one made elsewhere.
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/awq_checks.h"
#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

std::string seeded(const std::string& what, const TestSeed& seed) {
  return what + ", seed " + std::to_string(seed);
}

AwqProblem random_problem(std::int64_t tokens, std::int64_t N, std::int64_t K, std::int64_t group,
                          Random& random) {
  AwqProblem p(tokens, N, K, group);
  fill(p.X.view(), Values::kOutlierChannel, random);
  fill(p.weight.view(), Values::kNormal, random);
  return p;
}

TEST(Awq, MeasuresTheMeanMagnitude) {
  Operand<float> X(4, 5);  // positive, negative, mixed, one token that shouts, silence
  constexpr float kX[4][5] = {
      {1, -1, 2, 0.5F, 0}, {2, -2, -2, 60, 0}, {3, -3, 2, 0.5F, 0}, {6, -6, -2, -1, 0}};
  for (std::int64_t t = 0; t < 4; ++t) std::copy_n(kX[t], 5, X.view().row(t));
  check_mean("by hand", X.view());
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t tokens : {1, 2, 7, 300}) {
    Operand<float> many(tokens, 33);
    fill(many.view(), Values::kLogUniform, random);
    check_mean(seeded("log-uniform", seed), many.view());
  }
}

TEST(Awq, ScalesByAPowerOfTheMean) {
  for (const double ratio : {0.0, 0.5, 1.0}) {
    check_scale("powers of four", {4, 1, 16, 0.25F}, ratio);
    check_scale("one channel", {9}, ratio);
  }
  const TestSeed seed;
  Random random(seed);
  std::vector<float> mean;
  for (int k = 0; k < 65; ++k) mean.push_back(static_cast<float>(std::exp2(random.uniform(-8, 6))));
  for (int i = 0; i < kAwqRatios; ++i) check_scale(seeded("14 octaves", seed), mean, i / 20.0);
}

TEST(Awq, GivesNoChannelScaleZero) {
  for (const double ratio : {0.0, 0.05, 0.5, 0.95}) {
    check_scale("a silent channel", {2, 0, 3}, ratio);
    check_scale("hardly a sound", {1, 1e-6F, 1e-30F, 4}, ratio);
    check_scale("silence", {0, 0}, ratio);
  }
}

TEST(Awq, SquaresWhatTheOutputIsOffBy) {
  // -7 … 8 lie on codes. ½ rounds to 0, so token 0 is off by -½ · 4, token 1 by nothing, in the
  // first of two outputs: the loss is (-2)² / 4.
  AwqProblem p(2, 2, 16, 16);
  for (std::int64_t k = 0; k < 16; ++k) {
    p.weight.view()(0, k) = p.weight.view()(1, k) = static_cast<float>(k - 7);
    p.X.view()(0, k) = p.X.view()(1, k) = 1;
  }
  check_loss("all weights on codes", p, std::vector<float>(16, 1));
  p.weight.view()(0, 9) = 0.5F;
  p.X.view()(0, 9) = 4;
  p.X.view()(1, 9) = 0;
  check_loss("one weight off by a half", p, std::vector<float>(16, 1));
  // A second weight off by as much the other way: token 1 hears only that one, token 0 both.
  p.weight.view()(0, 3) = -0.5F;
  check_loss("two errors that cancel in part", p, std::vector<float>(16, 1));
}

TEST(Awq, UndoesTheScaleBehindTheRounding) {
  // Weights on codes once they are scaled: nothing is lost, and nothing may seem to be.
  AwqProblem p(3, 2, 16, 16);
  std::vector<float> scale;
  for (std::int64_t k = 0; k < 16; ++k) {
    scale.push_back(k % 2 == 0 ? 0.5F : 4);
    for (std::int64_t n = 0; n < 2; ++n) {
      p.weight.view()(n, k) = static_cast<float>(n == 0 ? k - 7 : 8 - k) / scale.back();
    }
    for (std::int64_t t = 0; t < 3; ++t) p.X.view()(t, k) = static_cast<float>(t + k + 1);
  }
  check_loss("on codes after scaling", p, scale);
  p.weight.view()(1, 5) = 0.0625F;  // 4 · 1/16 = ¼ rounds to 0
  check_loss("on codes after scaling but one", p, scale);
}

TEST(Awq, LosesWhatDoubleSaysItLoses) {
  const TestSeed seed;
  Random random(seed);
  struct Shape {
    std::int64_t tokens, N, K, group;
  };
  for (const Shape& s : {Shape{1, 1, 1, 1}, {5, 3, 16, 8}, {3, 7, 33, 8}, {2, 5, 19, 64}}) {
    const AwqProblem p = random_problem(s.tokens, s.N, s.K, s.group, random);
    std::vector<float> scale;
    for (std::int64_t k = 0; k < s.K; ++k) {
      scale.push_back(static_cast<float>(std::exp2(random.uniform(-2, 2))));
    }
    check_loss(seeded("random scales", seed), p, scale);
    check_loss(seeded("scales of 1", seed), p, std::vector<float>(std::size_t(s.K), 1));
  }
}

TEST(Awq, MatchesASearchMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/03_int4_weight_only/golden/awq.txt");
  std::string comment;
  std::int64_t N = 0, K = 0, tokens = 0, group_size = 0;
  std::getline(file, comment);
  file >> N >> K >> tokens >> group_size;
  AwqProblem p(tokens, N, K, group_size);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) file >> p.weight.view()(n, k);
  }
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t k = 0; k < K; ++k) file >> p.X.view()(t, k);
  }
  const LossRef size =
      loss_ref(p.weight.view(), p.X.view(), std::vector<float>(std::size_t(K), 1), group_size);
  const AwqScales found =
      exercise::awq(p.X.view(), group_size, p.gain.view().row(0, 0, K), p.weight.view());
  Matrix<float> losses(1, kAwqRatios);
  Matrix<double> expected(1, kAwqRatios), best(1, 1), scales(1, K);
  for (int i = 0; i < kAwqRatios; ++i) {
    losses(0, i) = static_cast<float>(found.losses[std::size_t(i)]);
    file >> expected(0, i);
  }
  file >> best(0, 0);
  for (std::int64_t k = 0; k < K; ++k) file >> scales(0, k);
  ASSERT_TRUE(file) << "awq.txt ends early";
  judge({.name = "golden",
         .place = [](auto, auto i) { return "the loss at ratio " + text_of(double(i) / 20); }},
        losses.view(), expected.view(), [&](auto, auto i) {
          return LossRef{.loss = expected(0, i), .size = size.size}.allowed(K);
        });
  judge({.name = "golden", .place = [](auto, auto) { return "20 · the best ratio"; }},
        row_of({static_cast<float>(found.ratio * 20)}).view(), best.view(), exactly());
  // A mean rounds, and the scale.
  judge({.name = "golden, scales of the best ratio"}, row_of(found.scale).view(), scales.view(),
        relative(scales.view(), 2 * 0x1p-24 + 0x1p-44));
}

TEST(Awq, ChoosesTheLeastLossAndFoldsIt) {
  const TestSeed seed;
  Random random(seed);
  for (const Values values : {Values::kNormal, Values::kLogUniform, Values::kOutlierChannel}) {
    AwqProblem p = random_problem(13, 6, 41, 16, random);
    fill(p.X.view(), values, random);
    check_search(seeded("random", seed), p);
  }
}

TEST(Awq, ScalesNothingWhereNothingIsWon) {
  // All channels are equally loud, or silent: every ratio gives scales of 1, and the first is plain
  // rounding.
  const TestSeed seed;
  Random random(seed);
  for (const float magnitude : {3.0F, 0.0F}) {
    AwqProblem p = random_problem(5, 4, 20, 8, random);
    for (std::int64_t t = 0; t < 5; ++t) {
      for (std::int64_t k = 0; k < 20; ++k) {
        p.X.view()(t, k) = random.below(2) == 0 ? magnitude : -magnitude;
      }
    }
    check_search(seeded("all magnitudes " + text_of(magnitude), seed), p);
  }
}

TEST(Awq, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  const AwqProblem p = random_problem(5, 3, 21, 8, random);
  const Fenced<float> X(p.X.view()), weight(p.weight.view());
  check_mean(seeded("memory ends behind X", seed), X.view());
  const std::vector<float> scale = exercise::awq_scale(exercise::awq_mean(X.view()), 0.5);
  const Fenced<float> fenced_scale({scale.data(), 1, 21, 21});
  const LossRef ref = loss_ref(p.weight.view(), p.X.view(), scale, 8);
  Matrix<double> expected(1, 1);
  expected(0, 0) = ref.loss;
  judge({.name = "\"memory ends behind each input\", the loss"},
        row_of({static_cast<float>(
                   exercise::awq_loss(weight.view(), X.view(), {fenced_scale.data(), 21}, 8))})
            .view(),
        expected.view(), [&](auto, auto) { return ref.allowed(21); });
}

TEST(Awq, RefusesWhatItCannotSearch) {
  constexpr float kBad[] = {kNan, kInfinity, -kInfinity};
  const TestSeed seed;
  Random random(seed);
  const AwqProblem good = random_problem(4, 3, 8, 4, random);
  check_search("accepted", good);
  const auto mean_of = [](const Operand<float>& X, std::int64_t tokens) {
    return [=] { exercise::awq_mean(X.view().rows_from(0, tokens)); };
  };
  const auto scale_of = [](std::vector<float> mean, double ratio) {
    return [=] { exercise::awq_scale(mean, ratio); };
  };
  const auto loss_of = [&](const AwqProblem& p, std::vector<float> scale, std::int64_t group) {
    return [=] { exercise::awq_loss(p.weight.view(), p.X.view(), scale, group); };
  };
  check_refusals("means and scales",
                 {{"no token", "X is [0, 8]; give at least one token", mean_of(good.X, 0)},
                  {"no channel", "no channel", scale_of({}, 0.5)},
                  {"ratio -0.1", "ratio is -0.1", scale_of({1, 2}, -0.1)},
                  {"ratio 1.1", "ratio is 1.1", scale_of({1, 2}, 1.1)},
                  {"ratio NaN", "ratio is nan", scale_of({1, 2}, kNan)},
                  {"a mean < 0", "mean[1] is -2", scale_of({1, -2}, 0.5)},
                  {"a mean of NaN", "mean[0] is nan", scale_of({kNan, 2}, 0.5)}});
  const std::vector<float> ones(8, 1), seven(7, 1);
  std::vector<float> zero = ones;
  zero[6] = 0;
  check_refusals("losses", {{"7 scales", "scale has 7 elements, weight 8", loss_of(good, seven, 4)},
                            {"scale 0", "scale[6] is 0", loss_of(good, zero, 4)},
                            {"groups of 0", "group_size is 0", loss_of(good, ones, 0)}});
  for (const float bad : kBad) {
    AwqProblem sick = good;
    sick.X.view()(2, 5) = bad;
    check_refusals("a token that is not finite",
                   {{"mean", "awq: X[2, 5] is ", mean_of(sick.X, 4)},
                    {"loss", "awq: X[2, 5] is ", loss_of(sick, ones, 4)}});
    sick = good;
    sick.weight.view()(1, 7) = bad;
    check_refusals("a weight that is not finite",
                   {{"loss", "weight[1, 7] is ", loss_of(sick, ones, 4)}});
  }
  AwqProblem p = good;
  std::vector<float> gain(7, 1);
  check_refusals("searches", {{"7 gains", "gain has 7 elements, weight 8",
                               [&] { exercise::awq(p.X.view(), 4, gain, p.weight.view()); }}});
}

TEST(Awq, SparesTwoStrongChannels) {
  const TestSeed seed;
  Random random(seed);
  AwqProblem p = random_problem(64, 32, 128, 32, random);
  fill(p.X.view(), Values::kNormal, random);
  for (std::int64_t t = 0; t < 64; ++t) {
    p.X.view()(t, 9) *= 30;
    p.X.view()(t, 77) *= 15;
  }
  const AwqScales found =
      check_search(seeded("two of 128 channels are 30 and 15 times as loud", seed), p);
  double power = 0;
  for (std::int64_t t = 0; t < 64; ++t) {
    for (std::int64_t n = 0; n < 32; ++n) {
      double y = 0;
      for (std::int64_t k = 0; k < 128; ++k) y += double{p.X.view()(t, k)} * p.weight.view()(n, k);
      power += y * y / (64 * 32);
    }
  }
  const double plain = std::sqrt(found.losses[0] / power);
  const double best = std::sqrt(*std::ranges::min_element(found.losses) / power);
  // How much is gained depends on the draw, and no bound follows from the definition: check_search has
  // judged every loss and the choice, and the gain is told, not tested.
  std::ostringstream fact;
  fact.precision(2);
  fact
      << "Two of 128 channels are 30 and 15 times as loud as the others: rounded to 4 bits as they "
      << "are, the weights put the output off by " << 100 * plain
      << " % (root mean square); with your scales at ratio " << found.ratio << ", by " << 100 * best
      << " %.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
