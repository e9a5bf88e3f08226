// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of gptq where it has little to go by: dead channels, too few tokens, groups of zeros,
/// Hessians that are none; and of the sum that makes a Hessian.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "03_int4_weight_only/gptq.h"
#include "03_int4_weight_only/gptq_golden.h"
#include "03_int4_weight_only/gptq_problem.h"
#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

GptqWeights gptq(MatrixView<const float> W, MatrixView<const double> H,
                 const GptqOptions& options) {
  ThreadPool pool(2);
  return quantize_int4_gptq(W, H, options, "model.layers.3.mlp.up_proj", {pool});
}

Matrix<double> hessian(MatrixView<const float> X, int threads = 2) {
  ThreadPool pool(threads);
  Hessian sum(X.cols());
  sum.add(X, {pool});
  return sum.value();
}

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const ContractError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Hessian, IsTwiceTheMeanOfOuterProducts) {
  // Integers: every sum is exact, and so is the factor 2 / 4.
  Operand<float> X(4, 3);
  constexpr float kX[4][3] = {{1, 2, 0}, {-1, 0, 3}, {2, -2, 1}, {0, 4, -5}};
  for (std::int64_t t = 0; t < 4; ++t) std::copy_n(kX[t], 3, X.view().row(t));
  const Matrix<double> H = hessian(X.view());
  EXPECT_THAT(std::vector(H.data(), H.data() + 9),
              testing::ElementsAre(3, -1, -0.5, -1, 12, -11, -0.5, -11, 17.5));
}

TEST(Hessian, AgreesWithLongDouble) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t K : {1, 3, 4, 5, 33, 70}) {
    for (const std::int64_t T : {1, 2, 127, 128, 300}) {
      Operand<float> X(T, K);
      fill(X.view(), Values::kNormal, random);
      const Matrix<double> H = hessian(Fenced<float>(X.view()).view());
      const Matrix<double> expected = hessian_of(X.view());
      for (std::int64_t i = 0; i < K; ++i) {
        for (std::int64_t j = 0; j < K; ++j) {
          // Products are exact. Σ|x||y| is at most the geometric mean of Σx² and Σy²; the factor
          // rounds once, and so does the product with it.
          const double sum = std::sqrt(expected(i, i) * expected(j, j));
          ASSERT_NEAR(H(i, j), expected(i, j), static_cast<double>(T + 3) * 0x1p-53 * sum)
              << "T=" << T << " K=" << K << " [" << i << ", " << j << "]";
          ASSERT_EQ(H(i, j), H(j, i));
        }
      }
    }
  }
}

TEST(Hessian, DoesNotFeelBatchesOrThreads) {
  const TestSeed seed;
  Random random(seed);
  Matrix<float> X(301, 45);
  fill(X.view(), Values::kLogUniform, random);
  const Matrix<double> expected = hessian(X.view(), 1);
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    Hessian sum(45);
    std::int64_t first = 0;
    for (const std::int64_t tokens : {1, 0, 129, 100, 71}) {
      sum.add(X.view().rows_from(first, tokens), {pool});
      first += tokens;
    }
    EXPECT_EQ(sum.tokens(), 301);
    const Matrix<double> got = sum.value();
    EXPECT_TRUE(std::equal(got.data(), got.data() + 45 * 45, expected.data()));
  }
}

TEST(Hessian, RefusesWhatItCannotSum) {
  ThreadPool pool(1);
  Hessian sum(3);
  EXPECT_THAT(refusal([&] { (void)sum.value(); }), HasSubstr("Hessian: no token was added"));
  Matrix<float> X(4, 3), wide(1, 4);
  EXPECT_THAT(refusal([&] { sum.add(wide.view(), {pool}); }),
              HasSubstr("X has 4 columns, the layer reads 3 channels"));
  sum.add(X.view(), {pool});
  X(0, 0) = 1;
  X(2, 1) = -HUGE_VALF;
  X(3, 0) = std::nanf("");
  EXPECT_THAT(refusal([&] { sum.add(X.view(), {pool}); }), HasSubstr("X[2, 1] is -inf"));
  EXPECT_EQ(sum.tokens(), 4) << "what is refused leaves no trace";
  EXPECT_EQ(sum.value()(0, 0), 0);
}

TEST(Gptq, GivesDeadColumnsZero) {
  const TestSeed seed;
  GptqProblem p(5, 24, 60, seed);
  for (std::int64_t t = 0; t < 60; ++t) p.X(t, 0) = p.X(t, 13) = 0;
  for (std::int64_t n = 0; n < 5; ++n) p.W(n, 13) = 100;  // must not stretch the range either
  const Matrix<double> H = hessian(p.X.view());
  for (const bool act_order : {false, true}) {
    for (const bool static_groups : {false, true}) {
      const GptqWeights got =
          gptq(p.W.view(), H.view(),
               {.group_size = 8, .act_order = act_order, .static_groups = static_groups});
      for (std::int64_t n = 0; n < 5; ++n) {
        for (const std::int64_t k : {0, 13}) {
          EXPECT_EQ(got.weights.view().code(n, k), got.weights.zero_point(n, got.group[k]));
        }
        for (std::int64_t g = 0; g < 3; ++g) EXPECT_LT(to_float(got.weights.scale(n, g)), 1);
      }
      EXPECT_TRUE(std::isfinite(got.output_error));
    }
  }
  const Matrix<double> nothing(24, 24);
  const GptqWeights got = gptq(p.W.view(), nothing.view(), {.group_size = 8});
  EXPECT_EQ(got.output_error, 0) << "a layer that never saw an input becomes 0";
}

TEST(Gptq, TakesMoreDampingWhereTheHessianNeedsIt) {
  // 8 tokens for 24 channels: H is singular, and 10⁻¹⁷ of its diagonal is lost in rounding.
  const TestSeed seed;
  const GptqProblem p(3, 24, 8, seed);
  EXPECT_EQ(gptq(p.W.view(), p.H.view(), {.group_size = 8}).damping, 0.01);
  const double needed = gptq(p.W.view(), p.H.view(), {.group_size = 8, .damping = 1e-17}).damping;
  EXPECT_GE(needed, 9e-17);
  EXPECT_LE(needed, 1e-8);

  // Eigenvalues 1 ± c: the damping, a part of the diagonal 1, must be more than c - 1.
  const auto pair = [](double c) {
    Matrix<double> H(2, 2);
    H(0, 0) = H(1, 1) = 1;
    H(0, 1) = H(1, 0) = c;
    return H;
  };
  const Matrix<float> W(1, 2);
  EXPECT_EQ(gptq(W.view(), pair(0.999).view(), {}).damping, 0.01);
  EXPECT_EQ(gptq(W.view(), pair(1.05).view(), {}).damping, 0.1);
  EXPECT_EQ(gptq(W.view(), pair(1.5).view(), {}).damping, 1);
  EXPECT_EQ(gptq(W.view(), pair(1.5).view(), {.damping = 0.25}).damping, 1) << "and no more";
  for (const double damping : {0.01, 1.0}) {
    EXPECT_EQ(
        refusal([&] { gptq(W.view(), pair(2.5).view(), {.damping = damping}); }),
        "quantize_int4_gptq: model.layers.3.mlp.up_proj: the hessian is not positive definite "
        "even with damping 1 of its mean diagonal; give more or other tokens, or a larger "
        "damping");
  }
  EXPECT_THAT(refusal([&] { gptq(W.view(), pair(1).view(), {.damping = 0}); }),
              HasSubstr("even with damping 0 of"));
}

TEST(Gptq, LivesWithGroupsOfZeros) {
  // The second group is pruned. Inputs that hardly know of each other leave next to nothing in it,
  // less than FP16 has a scale for: that is no fault of the caller.
  Matrix<float> W(1, 4);
  W(0, 0) = 1;
  W(0, 1) = 0.43F;
  for (const double correlation : {0.0, 1e-20, 1e-9, 1e-7, 1e-3}) {
    Matrix<double> H(4, 4);
    for (std::int64_t k = 0; k < 4; ++k) H(k, k) = 1;
    H(1, 2) = H(2, 1) = correlation;
    const GptqWeights got = gptq(W.view(), H.view(), {.group_size = 2});
    EXPECT_GT(to_float(got.weights.scale(0, 1)), 0) << correlation;
    const double two = real(got, 0, 2);
    EXPECT_LE(std::abs(two), correlation) << "it answers to an error of half a step at most";
  }
}

TEST(Gptq, RefusesWhatHasNoCode) {
  const GptqProblem good(2, 4, 16, 1);
  const auto message = [&](const std::function<void(GptqProblem&, GptqOptions&)>& change) {
    GptqProblem p = good;
    GptqOptions options{.group_size = 2};
    change(p, options);
    const std::string text = refusal([&] { gptq(p.W.view(), p.H.view(), options); });
    EXPECT_TRUE(text.starts_with("quantize_int4_gptq: model.layers.3.mlp.up_proj: ") ||
                text == "accepted")
        << text;
    return text;
  };
  EXPECT_EQ(message([](auto&, auto&) {}), "accepted");
  EXPECT_THAT(message([](auto& p, auto&) { p.H = Matrix<double>(4, 3); }),
              HasSubstr("hessian is [4, 3], expected [4, 4]"));
  EXPECT_THAT(message([](auto& p, auto&) { p.H(1, 3) = kNan; }), HasSubstr("hessian[1, 3] is nan"));
  EXPECT_THAT(message([](auto& p, auto&) { p.H(3, 0) = kInfinity; }),
              HasSubstr("hessian[3, 0] is inf"));
  EXPECT_THAT(message([](auto& p, auto&) { p.H(2, 2) = -100; }),
              HasSubstr("not positive definite"));
  EXPECT_THAT(message([](auto& p, auto&) { p.W(1, 2) = static_cast<float>(kNan); }),
              HasSubstr("weight[1, 2] is nan; only finite weights have codes"));
  EXPECT_THAT(message([](auto& p, auto&) { p.W(1, 2) = 3e6F; }),
              HasSubstr("group 1 of row 1 is too wide"));
  EXPECT_THAT(message([](auto& p, auto&) { p.W(0, 2) = p.W(0, 3) = 1e-8F; }),
              HasSubstr("group 1 of row 0 is too narrow"));
  EXPECT_THAT(message([](auto&, auto& options) { options.group_size = 0; }),
              HasSubstr("group_size is 0"));
  for (const double damping : {-0.01, kNan, kInfinity}) {
    EXPECT_THAT(message([&](auto&, auto& options) { options.damping = damping; }),
                HasSubstr("damping is "));
  }
}

TEST(Gptq, MeasuresTheErrorOfAnOutput) {
  // Codes 0 and 15 of scale 1, zero point 0, stand for 0 and 15: Δ = (1, -2).
  Int4Matrix quantized(1, 2, 2);
  quantized.scale(0, 0) = from_float<half_t>(1);
  quantized.qweight(0, 0) = 0xF0;
  Matrix<float> W(1, 2);
  W(0, 0) = 1;
  W(0, 1) = 13;
  Matrix<double> H(2, 2);
  H(0, 0) = 3;
  H(0, 1) = H(1, 0) = 0.5;
  H(1, 1) = 2;
  EXPECT_EQ(output_error(W.view(), quantized.view(), H.view()), 3 - 2 + 8);
  const Matrix<double> wide(2, 3);
  EXPECT_EQ(refusal([&] { output_error(W.view(), quantized.view(), wide.view()); }),
            "output_error: hessian is [2, 3], expected [2, 2]");
}

}  // namespace
}  // namespace qlab::test
