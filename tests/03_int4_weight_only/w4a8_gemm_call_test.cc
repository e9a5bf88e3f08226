// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of w4a8_gemm itself: which rung it takes, empty sides, what it refuses, and how it stands
/// behind the two roundings that feed it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "02_int8_calibration/quantize_rows.h"
#include "03_int4_weight_only/w4a8_gemm.h"
#include "03_int4_weight_only/w4a8_problem.h"
#include "support/compare.h"
#include "support/guarded.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(W4A8GemmCall, GivesTheSameBitsOnEveryMachine) {
  const TestSeed seed;
  Random random(seed);
  const W4A8Problem problem = random_w4a8_problem({{15, 50, 999}, 128}, random);
  const Int4PanelMatrix packed = pack_panels(problem.weight.view());
  const Guarded<float> portable = problem.run(w4a8_gemm_v1_scalar);
  ThreadPool threads(2);
  for (const Isa isa : kAllIsas) {
    if (isa > best_isa()) continue;
    Guarded<float> y(15, 50, 0x5A);
    w4a8_gemm(problem.X(), packed.view(), y.view(), {.threads = threads, .isa = isa});
    EXPECT_TRUE(portable.written_exactly(y)) << isa_name(isa);
  }
}

TEST(W4A8GemmCall, FindsEveryRung) {
  for (const auto& rung : kW4A8GemmRungs) {
    EXPECT_EQ(best_rung(kW4A8GemmRungs, rung.needs).name, rung.name);
  }
}

TEST(W4A8GemmCall, GivesZerosForEmptySides) {
  ThreadPool threads(2);
  for (const GemmShape& sides : {GemmShape{0, 3, 4}, {3, 0, 4}, {3, 5, 0}, {17, 5, 0}}) {
    for (const Isa isa : kAllIsas) {
      if (isa > best_isa()) continue;
      const W4A8Problem problem({sides, 32});
      const Int4PanelMatrix packed = pack_panels(problem.weight.view());
      Guarded<float> y(sides.M, sides.N);
      w4a8_gemm(problem.X(), packed.view(), y.view(), {.threads = threads, .isa = isa});
      EXPECT_TRUE(matches(y.view(), Matrix<double>(sides.M, sides.N).view(), exactly())) << sides;
      EXPECT_TRUE(y.written_exactly()) << sides;
    }
  }
}

TEST(W4A8GemmCall, StaysWithinHalfAStepOfTheActivations) {
  // Of the two roundings only that of X is left if the weights are taken as they were stored: half
  // a step for each activation, times |weight|. The division and the scale round in FP32 on top,
  // which moves a quotient of at most 127 by less than 127 · 2 · 2⁻²⁴ steps.
  const TestSeed seed;
  Random random(seed);
  const std::int64_t M = 7, N = 45, K = 390;
  Matrix<float> x(M, K), w(N, K), y(M, N);
  fill(x.view(), Values::kOutlierChannel, random);
  fill(w.view(), Values::kNormal, random);
  const Int4Matrix weight = quantize_int4_rtn(w.view(), 128);
  const Int4PanelMatrix packed = pack_panels(weight.view());
  Matrix<std::int8_t> codes(M, K);
  std::vector<float> scale(static_cast<std::size_t>(M));
  ThreadPool threads(1);
  quantize_rows(x.view(), Granularity::kPerRow, codes.view(), scale.data(), {threads});
  const Int8Rows X{codes.view(), scale.data()};
  w4a8_gemm(X, packed.view(), y.view(), {threads});

  Matrix<double> product(M, N), rounded(M, N), abs_sum(M, N), allowed(M, N);
  w4a8_gemm_ref(X, weight.view(), rounded.view(), abs_sum.view());
  const Tolerance arithmetic = dot_product(abs_sum.view(), weight.scale.cols(), 2 * 0x1p-24);
  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t n = 0; n < N; ++n) {
      const double half_a_step = (0.5 + 127 * 0x1p-23) * scale[static_cast<std::size_t>(m)];
      for (std::int64_t k = 0; k < K; ++k) {
        const double real = double{to_float(weight.scale(n, k / 128))} *
                            (weight.view().code(n, k) - weight.zero_point(n, k / 128));
        product(m, n) += double{x(m, k)} * real;
        allowed(m, n) += half_a_step * std::abs(real);
      }
      allowed(m, n) += arithmetic(m, n);
    }
  }
  EXPECT_TRUE(matches(y.view(), product.view(),
                      [&](std::int64_t m, std::int64_t n) { return allowed(m, n); }));
}

/// What w4a8_gemm says to this call.
std::string message(const Int8Rows& X, const Int4Panels& W, std::int64_t M, std::int64_t N) {
  Matrix<float> y(M, N);
  ThreadPool threads(1);
  try {
    w4a8_gemm(X, W, y.view(), {threads});
  } catch (const ContractError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(W4A8GemmCall, RefusesShapesThatDoNotFit) {
  const W4A8Problem problem({{2, 3, 8}, 4}), other({{2, 3, 9}, 4});
  const Int4PanelMatrix packed = pack_panels(problem.weight.view());
  const Int8Rows X = problem.X();
  EXPECT_EQ(message(X, packed.view(), 2, 3), "accepted");
  EXPECT_EQ(message(other.X(), packed.view(), 2, 3), "w4a8_gemm: X is [2, 9], expected [2, 8]");
  EXPECT_EQ(message(X, packed.view(), 2, 2), "w4a8_gemm: Y is [2, 2], expected [2, 3]");
  EXPECT_EQ(message(X, packed.view(), 1, 3), "w4a8_gemm: Y is [1, 3], expected [2, 3]");
}

TEST(W4A8GemmCall, RefusesPanelsThatAreNotOfTheirSizes) {
  const W4A8Problem problem({{2, 3, 8}, 4});
  const Int4PanelMatrix packed = pack_panels(problem.weight.view());
  const Int8Rows X = problem.X();
  Int4Panels W = packed.view();
  W.N = 33;
  EXPECT_EQ(message(X, W, 2, 33), "w4a8_gemm: panels is [1, 448], expected [2, 448]");
  W.N = 3;
  W.group_size = 8;
  EXPECT_EQ(message(X, W, 2, 3), "w4a8_gemm: panels is [1, 448], expected [1, 224]");
  W.group_size = 0;
  EXPECT_EQ(message(X, W, 2, 3), "w4a8_gemm: group_size is 0; choose 1 or more, for example 128");
  W.N = -3;
  EXPECT_EQ(message(X, W, 2, 3), "w4a8_gemm: W is [-3, 8]; a matrix cannot have a negative side");
}

TEST(W4A8GemmCall, RefusesZeroPointsOfX) {
  const W4A8Problem problem({{2, 3, 8}, 4});
  const Int4PanelMatrix packed = pack_panels(problem.weight.view());
  const std::int32_t zero_point[2] = {};  // even zeros: they would have to be read
  EXPECT_EQ(message({problem.x.view(), problem.x_scale.data(), zero_point}, packed.view(), 2, 3),
            "w4a8_gemm: X has zero points; quantize the activations symmetrically");
}

TEST(W4A8GemmCall, RefusesAGroupWhoseSumCouldOverflow) {
  const std::int64_t too_long = kW4A8MaxGroup + 1;
  const W4A8Problem longest({{1, 1, too_long - 1}, too_long});  // the group ends with its row
  const W4A8Problem longer({{1, 1, too_long}, too_long});
  const W4A8Problem parted({{1, 1, too_long}, too_long / 2});
  EXPECT_EQ(message(longest.X(), pack_panels(longest.weight.view()).view(), 1, 1), "accepted");
  EXPECT_EQ(message(parted.X(), pack_panels(parted.weight.view()).view(), 1, 1), "accepted");
  EXPECT_EQ(message(longer.X(), pack_panels(longer.weight.view()).view(), 1, 1),
            "w4a8_gemm: a group of 524288 weights could overflow an int32 sum; choose a group_size "
            "of at most 524287");
}

}  // namespace
}  // namespace qlab::test
