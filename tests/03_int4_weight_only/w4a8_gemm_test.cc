// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the rungs of w4a8_gemm: sums of codes are exact, and the rest is rounded in one order,
/// so nearly all of them demand equality.
#include "03_int4_weight_only/w4a8_gemm.h"

#include <gtest/gtest.h>

#include <string>

#include "03_int4_weight_only/w4a8_problem.h"
#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

class W4A8Gemm : public testing::TestWithParam<Rung<W4A8Run>> {
 protected:
  void SetUp() override {
    if (GetParam().needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(GetParam().needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, W4A8Gemm, testing::ValuesIn(kW4A8GemmRungs),
                         [](const auto& rung) { return std::string(rung.param.name); });

TEST_P(W4A8Gemm, MatchesPaperAndPencil) {
  // Two groups, 2 · (code - 1) and 0.5 · (code - 8): weights 0 4 -2 | -4 3.5.
  W4A8Problem problem({{2, 1, 5}, 3});
  constexpr int kW[] = {1, 3, 0, 0, 15};
  constexpr int kX[2][5] = {{10, 20, 30, 40, 60}, {-128, 0, 0, 0, -127}};
  for (std::int64_t k = 0; k < 5; ++k) {
    problem.set_w(0, k, kW[k]);
    for (std::int64_t m = 0; m < 2; ++m) problem.set_x(m, k, kX[m][k]);
  }
  problem.weight.scale(0, 0) = element<half_t>(2);
  problem.weight.scale(0, 1) = element<half_t>(0.5);
  problem.weight.zero_point(0, 0) = 1;
  problem.weight.zero_point(0, 1) = 8;
  problem.x_scale = {0.5F, 0.25F};
  const Guarded<float> y = problem.run(GetParam().run);
  EXPECT_EQ(y.view()(0, 0), 0.5F * (0 + 80 - 60 - 160 + 210));
  EXPECT_EQ(y.view()(1, 0), 0.25F * -127 * 3.5F);
}

TEST_P(W4A8Gemm, MultipliesEveryPairOfCodesWithEveryZeroPoint) {
  // Alone and beside their like: 16-bit sums hold eight steps of the largest and no more. K = 264
  // is past what is unpacked ahead.
  for (const std::int64_t K : {1, 2, 4, 64, 264}) {
    W4A8Problem problem({{256, 256, K}, K});
    for (std::int64_t c = 0; c < 256; ++c) {
      problem.weight.zero_point(c, 0) = static_cast<std::uint8_t>(c / 16);
      for (std::int64_t k = 0; k < K; ++k) {
        problem.set_x(c, k, static_cast<int>(c) - 128);
        problem.set_w(c, k, static_cast<int>(c % 16));
      }
    }
    EXPECT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/true)) << "K = " << K;
  }
}

TEST_P(W4A8Gemm, ShowsWithOneHotRowsWhichCodeWentWhere) {
  constexpr std::int64_t kK = 300;
  for (const std::int64_t group_size : {32, 37, 270}) {
    for (const std::int64_t M : {1, 4, 10, 300}) {  // tiles of every kind
      W4A8Problem problem({{M, 33, kK}, group_size});
      for (std::int64_t n = 0; n < 33; ++n) {
        for (std::int64_t k = 0; k < kK; ++k) {
          problem.set_w(n, k, static_cast<int>((3 * n + k + k / 16) % 16));
        }
      }
      for (std::int64_t k0 = 0; k0 < kK; k0 += M) {
        for (std::int64_t m = 0; m < M; ++m) {
          for (std::int64_t k = 0; k < kK; ++k) problem.set_x(m, k, k == k0 + m ? 1 : 0);
        }
        ASSERT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/true))
            << problem.shape << ", row 0 is 1 at k = " << k0;
      }
    }
  }
}

TEST_P(W4A8Gemm, EqualsTheOracleWhereNothingRounds) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A8Shape& shape : w4a8_shapes()) {
    W4A8Problem problem(shape);
    problem.fill_codes(random);
    ASSERT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/true)) << shape;
  }
}

TEST_P(W4A8Gemm, MatchesTheOracleWithAnyScales) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A8Shape& shape : w4a8_shapes()) {
    const W4A8Problem problem = random_w4a8_problem(shape, random);
    ASSERT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/false)) << shape;
  }
}

TEST_P(W4A8Gemm, RoundsAsTheContractSays) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A8Shape& shape : w4a8_shapes()) {
    const W4A8Problem problem = random_w4a8_problem(shape, random);
    ASSERT_TRUE(problem.equals_the_definition(GetParam().run)) << shape;
  }
}

TEST_P(W4A8Gemm, HoldsTheLongestGroupOfTheLargestProducts) {
  // Once in a short tile, once in a long one.
  for (const auto& [M, x] : {std::pair(1, -128), {5, 127}, {5, -128}}) {
    for (const auto& [w, zero_point] : {std::pair(15, 0), {0, 15}, {15, 15}}) {
      W4A8Problem problem({{M, 2, kW4A8MaxGroup}, kW4A8MaxGroup});
      problem.set_all(x, w, zero_point);
      EXPECT_TRUE(problem.equals_the_definition(GetParam().run))
          << "x " << x << ", code " << w << ", zero point " << zero_point;
    }
  }
}

TEST_P(W4A8Gemm, TakesRowsThatAreLongerThanAGroupMayBe) {
  const TestSeed seed;
  Random random(seed);
  W4A8Problem problem({{2, 3, kW4A8MaxGroup + 9}, 1 << 18});
  problem.fill_codes(random);
  EXPECT_TRUE(problem.equals_the_definition(GetParam().run));
}

TEST_P(W4A8Gemm, GivesExactlyZeroWhereEveryCodeIsTheZeroPoint) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A8Shape& shape : w4a8_shapes()) {
    W4A8Problem problem = random_w4a8_problem(shape, random);
    std::fill_n(problem.weight.qweight.data(), problem.weight.qweight.bytes(), std::uint8_t{0xBB});
    std::fill_n(problem.weight.zero_point.data(), problem.weight.zero_point.bytes(),
                std::uint8_t{0x0B});
    const Matrix<double> zeros(shape.sides.M, shape.sides.N);
    ASSERT_TRUE(matches(problem.run(GetParam().run).view(), zeros.view(), exactly())) << shape;
  }
}

TEST_P(W4A8Gemm, GivesEachRowTheBitsItHasAlone) {
  const TestSeed seed;
  Random random(seed);
  const W4A8Problem all = random_w4a8_problem({{109, 50, 300}, 64}, random);
  const Int4PanelMatrix packed = pack_panels(all.weight.view());
  const Guarded<float> together = all.run(GetParam().run);
  ThreadPool one(1);
  for (std::int64_t m = 0; m < 109; ++m) {
    Matrix<float> alone(1, 50);
    GetParam().run({all.x.view().rows_from(m, 1), &all.x_scale[static_cast<std::size_t>(m)]},
                   packed.view(), alone.view(), one);
    for (std::int64_t n = 0; n < 50; ++n) {
      ASSERT_EQ(alone(0, n), together.view()(m, n)) << "row " << m << ", column " << n;
    }
  }
}

TEST_P(W4A8Gemm, WritesAllOfItsOutputAndNothingElse) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A8Shape& shape : w4a8_shapes()) {
    const W4A8Problem problem = random_w4a8_problem(shape, random);
    const Guarded<float> one = problem.run(GetParam().run);
    ASSERT_TRUE(one.written_exactly(problem.run(GetParam().run, 1, 0x5A))) << shape;
  }
}

TEST_P(W4A8Gemm, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A8Shape& shape : w4a8_shapes()) {
    const W4A8Problem problem = random_w4a8_problem(shape, random);
    const Int4PanelMatrix packed = pack_panels(problem.weight.view());
    const std::int64_t M = shape.sides.M;
    const Fenced<std::int8_t> x(problem.x.view());
    const Fenced<float> x_scale({problem.x_scale.data(), 1, M, M});
    const Fenced<std::uint8_t> panels(packed.panels.view());
    Int4Panels W = packed.view();
    W.panels = panels.view();
    Guarded<float> y(M, shape.sides.N);
    ThreadPool threads(1);
    GetParam().run({x.view(), x_scale.data()}, W, y.view(), threads);
    ASSERT_TRUE(y.written_exactly()) << shape;
  }
}

TEST_P(W4A8Gemm, GivesTheSameBitsForEveryNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t M : {1, 4, 40}) {
    const W4A8Problem problem = random_w4a8_problem({{M, 203, 530}, 64}, random);
    const Guarded<float> one = problem.run(GetParam().run);
    for (const int threads : {2, 3}) {
      EXPECT_TRUE(one.written_exactly(problem.run(GetParam().run, threads, 0x5A)))
          << "M=" << M << ", " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace qlab::test
