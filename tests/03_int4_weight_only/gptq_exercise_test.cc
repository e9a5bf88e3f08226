// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise gptq: sums and damping by hand, codes against numbers made elsewhere and a
/// reference that inverts the Hessian anew in every step, and what GPTQ is for.
#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/gptq_checks.h"
#include "03_int4_weight_only/gptq_golden.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr GptqOptions kWays[] = {{.act_order = false, .static_groups = false},
                                 {.act_order = false, .static_groups = true},
                                 {.act_order = true, .static_groups = false},
                                 {.act_order = true, .static_groups = true}};
GptqOptions in_groups(GptqOptions options, std::int64_t group_size) {
  options.group_size = group_size;
  return options;
}

Matrix<double> matrix(std::int64_t rows, std::int64_t cols, const std::vector<double>& values) {
  Matrix<double> out(rows, cols);
  std::ranges::copy(values, out.data());
  return out;
}

/// The Hessian of X, judged; the sum of T exact products may round T times.
void check_hessian(const std::string& what, MatrixView<const double> X,
                   MatrixView<const double> expected, bool exact) {
  Guarded<double> H(X.cols(), X.cols());
  exercise::hessian(X, H.view());
  const testing::AssertionResult whole = H.written_exactly();
  if (!whole) reject("\"" + what + "\"", std::string("H: ") + whole.message());
  judge(
      {.name = "\"" + what + "\", " + std::to_string(X.rows()) + " tokens",
       .place = [](auto i,
                   auto j) { return "H[" + std::to_string(i) + ", " + std::to_string(j) + "]"; }},
      as_floats(H.view()).view(), expected, exact ? exactly() : [&](auto i, auto j) {
        const double sum = std::sqrt(expected(i, i) * expected(j, j));  // ≥ 2 / T · Σ|x||y|
        return (static_cast<double>(X.rows() + 3) * 0x1p-53 + 0x1p-24) * sum;
      });
}

TEST(Gptq, SumsTheHessianOverTheTokens) {
  const Matrix<double> X = matrix(4, 3, {1, 2, 0, -1, 0, 3, 2, -2, 1, 0, 4, -5});
  check_hessian("integers", X.view(),
                matrix(3, 3, {3, -1, -0.5, -1, 12, -11, -0.5, -11, 17.5}).view(), /*exact=*/true);
  const TestSeed seed;
  for (const std::int64_t T : {1, 5, 40}) {
    const GptqProblem p(1, 9, T, seed);
    check_hessian("channels that move together", widened(p.X.view()).view(), p.H.view(),
                  /*exact=*/false);
  }
}

TEST(Gptq, MakesTheHessianInvertible) {
  // Channels 1 and 3 were never active: the diagonal becomes 4, 1, 6, 1, 4, 2, and its mean is 3.
  constexpr double kDiagonal[] = {4, 0, 6, 0, 4, 2};
  Guarded<double> H(6, 6), W(2, 6);
  Matrix<double> expected_H(6, 6), expected_W(2, 6);
  for (std::int64_t i = 0; i < 6; ++i) {
    for (std::int64_t j = 0; j < 6; ++j) {
      const bool dead = kDiagonal[i] == 0 || kDiagonal[j] == 0;
      H.view()(i, j) = expected_H(i, j) =
          i == j ? kDiagonal[i] : (dead ? 0 : static_cast<double>(i + j) / 8);
    }
    if (kDiagonal[i] == 0) expected_H(i, i) = 1;
    expected_H(i, i) += 0.25 * 3;
    for (std::int64_t n = 0; n < 2; ++n) {
      W.view()(n, i) = static_cast<double>(10 * n + i + 1);
      expected_W(n, i) = kDiagonal[i] == 0 ? 0 : W.view()(n, i);
    }
  }
  exercise::damp(H.view(), W.view(), 0.25);
  const auto at = [](const char* operand) {
    return [operand](auto i, auto j) {
      return operand + ("[" + std::to_string(i) + ", ") + std::to_string(j) + "]";
    };
  };
  judge({.name = "\"two dead channels\", damping 0.25", .place = at("H")},
        as_floats(H.view()).view(), expected_H.view(), exactly());
  judge({.name = "\"two dead channels\", damping 0.25", .place = at("weight")},
        as_floats(W.view()).view(), expected_W.view(), exactly());
  for (const auto& outside : {H.untouched_outside(), W.untouched_outside()}) {
    if (!outside) reject("\"two dead channels\"", outside.message());
  }
}

TEST(Gptq, MatchesNumbersMadeElsewhere) {
  const GptqGolden golden;
  for (const GptqGolden::Expected& expected : golden.cases) {
    if (expected.fp16_scales) continue;  // these are for the kernel
    check_rounded("golden", golden.W.view(), golden.H.view(), expected.options, expected);
  }
}

TEST(Gptq, AgreesWithInvertingAnewInEveryStep) {
  const TestSeed seed;
  std::uint64_t problem = seed;
  for (const auto& [N, K, group_size] :
       {GemmShape{1, 1, 1}, {3, 2, 1}, {5, 24, 8}, {7, 30, 30}, {2, 21, 7}}) {
    for (const GptqOptions& way : kWays) {
      const GptqProblem p(N, K, 2 * K, ++problem);
      check_against_reference("channels that move together, seed " + std::to_string(seed),
                              widened(p.W.view()).view(), p.H.view(), in_groups(way, group_size));
    }
  }
}

TEST(Gptq, IsRoundingToNearestWhereChannelsAreIndependent) {
  const TestSeed seed;
  Random random(seed);
  const GptqProblem p(5, 24, 24, seed);
  const Matrix<double> W = widened(p.W.view());
  Matrix<double> H(24, 24);
  double mean = 0;
  for (std::int64_t k = 0; k < 24; ++k) {
    H(k, k) = std::exp2(random.uniform(-4, 4));
    mean += H(k, k) / 24;
  }
  GptqReference expected = rounded_to_nearest(W.view(), 8);
  expected.squared_error = output_error_of(W.view(), expected.real, damped(H.view(), 0.01).view());
  for (const GptqOptions& way : {kWays[0], kWays[1], kWays[3]}) {
    check_rounded("no channel knows of another", W.view(), H.view(), in_groups(way, 8), expected);
  }
}

TEST(Gptq, ReturnsTheErrorOfTheOutput) {
  // Whatever the codes are: Σ error² is tr(Δ H Δᵀ) with the damped H.
  const TestSeed seed;
  std::uint64_t problem = seed;
  Matrix<float> got(1, 4);
  Matrix<double> expected(1, 4);
  for (std::int64_t i = 0; i < 4; ++i) {
    const GptqProblem p(6, 32, 64, ++problem);
    const Matrix<double> W = widened(p.W.view());
    const Rounded r = rounded("identity", W.view(), p.H.view(), in_groups(kWays[i], 8));
    got(0, i) = static_cast<float>(r.squared_error);
    expected(0, i) = output_error_of(W.view(), real_of(r), damped(p.H.view(), 0.01).view());
  }
  judge({.name = "\"returned error against that of the output\"",
         .place = [](auto, auto i) { return "32 channels" + way_text(in_groups(kWays[i], 8)); }},
        got.view(), expected.view(), relative(expected.view(), update_error(32)));
}

TEST(Gptq, WorksWithFewerTokensThanChannels) {
  const TestSeed seed;
  for (const std::int64_t T : {1, 6}) {
    const GptqProblem p(4, 16, T, seed);
    check_against_reference(std::to_string(T) + " tokens for 16 channels",
                            widened(p.W.view()).view(), p.H.view(), {.group_size = 8});
  }
}

TEST(Gptq, GivesDeadChannelsZero) {
  const TestSeed seed;
  GptqProblem p(4, 16, 40, seed);
  for (std::int64_t t = 0; t < 40; ++t) p.X(t, 0) = p.X(t, 11) = 0;
  for (std::int64_t n = 0; n < 4; ++n) p.W(n, 11) = 3;  // would stretch the grid of its group
  const Matrix<double> H = hessian_of(p.X.view()), W = widened(p.W.view());
  for (const GptqOptions& way : kWays) {
    check_against_reference("channels 0 and 11 dead", W.view(), H.view(), in_groups(way, 8));
  }
}

TEST(Gptq, ReadsNothingOutsideItsInputs) {
  const GptqGolden golden;
  const Fenced<double> X(golden.X.view()), W(golden.W.view()), H(golden.H.view());
  check_hessian("memory ends behind X", X.view(), golden.H.view(), /*exact=*/false);
  check_rounded("memory ends behind the inputs", W.view(), H.view(), golden.cases[1].options,
                golden.cases[1]);
}

TEST(Gptq, RefusesWhatHasNoAnswer) {
  const Matrix<double> X = matrix(2, 2, {1, 0, 1, 2}), none(0, 2);
  check_hessian("accepted", X.view(), matrix(2, 2, {2, 2, 2, 4}).view(), /*exact=*/true);
  const auto sum = [](Matrix<double> inputs, std::int64_t K) {
    return [=] {
      Matrix<double> H(K, K);
      exercise::hessian(inputs.view(), H.view());
    };
  };
  const GptqProblem good(2, 4, 16, 1);
  const Matrix<double> W = widened(good.W.view());
  check_against_reference("accepted", W.view(), good.H.view(), {.group_size = 2});
  const auto with = [&](auto change) {
    return [=] {
      Matrix<double> weight = W, H = good.H;
      GptqOptions options{.group_size = 2};
      change(weight, H, options);
      Rounded(weight.view(), H.view(), options, false);
    };
  };
  check_refusals(
      "refusals",
      {{"no token", "X has no token", sum(none, 2)},
       {"H too large", "H is [3, 3], expected [2, 2]", sum(X, 3)},
       {"an input NaN", "X[1, 0] is nan", sum(matrix(2, 2, {1, 0, kNan, 2}), 2)},
       {"a group of 3", "group_size 3 does not divide K = 4",
        with([](auto&, auto&, auto& o) { o.group_size = 3; })},
       {"H too narrow", "hessian is [4, 3], expected [4, 4]",
        with([](auto&, auto& H, auto&) { H = Matrix<double>(4, 3); })},
       {"H infinite", "hessian[3, 0] is -inf",
        with([](auto&, auto& H, auto&) { H(3, 0) = -kInfinity; })},
       {"a weight NaN", "weight[1, 2] is nan", with([](auto& w, auto&, auto&) { w(1, 2) = kNan; })},
       {"a negative diagonal", "not positive definite with damping 0.01",
        with([](auto&, auto& H, auto&) { H(2, 2) = -1; })}});
}

TEST(Gptq, TradesErrorOfWeightsForErrorOfOutputs) {
  // Not in every case, since each rounding is greedy: 32 layers whose seeds were fixed beforehand.
  double output[2] = {}, weights[2] = {}, sum = 0, squares = 0;  // of rounding to nearest, of GPTQ
  for (std::uint64_t seed = 1; seed <= 32; ++seed) {
    const GptqProblem p(4, 32, 96, seed);
    const Matrix<double> W = widened(p.W.view());
    Matrix<double> one(32, 32);
    for (std::int64_t k = 0; k < 32; ++k) one(k, k) = 1;
    const Matrix<double> real[2] = {rounded_to_nearest(W.view(), 16).real,
                                    real_of(rounded("layer " + std::to_string(seed), W.view(),
                                                    p.H.view(), {.group_size = 16}))};
    double of_output[2];
    for (int i = 0; i < 2; ++i) {
      of_output[i] = output_error_of(W.view(), real[i], p.H.view());
      output[i] += of_output[i];
      weights[i] += output_error_of(W.view(), real[i], one.view());
    }
    const double gain = std::log(of_output[0] / of_output[1]);
    sum += gain;
    squares += gain * gain;
  }
  const double mean = sum / 32, deviation = std::sqrt((squares - 32 * mean * mean) / 31);
  if (!(mean > 4 * deviation / std::sqrt(32))) {
    reject("\"32 layers whose channels move together\"",
           "the output error should fall clearly; it is " + text_of(output[1] / output[0]) +
               " times that of rounding to nearest");
  }
  std::ostringstream fact;
  fact.precision(2);
  fact << "Where channels move together, your output error is " << 100 * output[1] / output[0]
       << " % of what rounding to nearest makes, though the squared error of your weights is "
       << weights[1] / weights[0] << " times as large.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
