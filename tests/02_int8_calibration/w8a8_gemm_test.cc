// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of w8a8_gemm: the sum is exact, so nearly all of them demand equality.
#include "02_int8_calibration/w8a8_gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/w8a8_panel_gemm.h"
#include "02_int8_calibration/w8a8_problem.h"
#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using Run = decltype(w8a8_gemm_v1_scalar);

class W8A8Gemm : public testing::TestWithParam<Rung<Run>> {
 protected:
  void SetUp() override {
    if (GetParam().needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(GetParam().needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, W8A8Gemm, testing::ValuesIn(kW8A8GemmRungs),
                         [](const auto& rung) { return std::string(rung.param.name); });

/// A rung over panels as these tests call it: W lies in rows.
template <std::size_t kRung>
void packed(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y, ThreadPool& threads) {
  kW8A8PanelGemmRungs[kRung].run(X, pack_panels(W).view(), Y, threads);
}

template <std::size_t... kRungs>
std::vector<Rung<Run>> panel_rungs(std::index_sequence<kRungs...>) {
  return {{.name = kW8A8PanelGemmRungs[kRungs].name,
           .run = packed<kRungs>,
           .needs = kW8A8PanelGemmRungs[kRungs].needs}...};
}

INSTANTIATE_TEST_SUITE_P(
    Panels, W8A8Gemm,
    testing::ValuesIn(panel_rungs(std::make_index_sequence<std::size(kW8A8PanelGemmRungs)>())),
    [](const auto& rung) { return std::string(rung.param.name); });

/// kGemmShapes, and the ends of the ladders' blocks: 48 columns, 64 rows, 2048 and 4096 codes; of
/// panels 32 columns, 12, 16, 96 and 128 rows, 512 codes.
std::vector<GemmShape> shapes() {
  std::vector<GemmShape> all(std::begin(kGemmShapes), std::end(kGemmShapes));
  all.insert(all.end(), {{65, 47, 40},
                         {2, 49, 2047},
                         {67, 50, 2065},
                         {1, 97, 4096},
                         {6, 53, 4161},
                         {13, 32, 64},
                         {17, 65, 515},
                         {97, 31, 70},
                         {129, 33, 1030}});
  return all;
}

Guarded<float> run(Run* rung, const W8A8Problem& problem, int threads = 1,
                   unsigned char poison = Guarded<float>::kPoison) {
  Guarded<float> y(problem.shape.M, problem.shape.N, poison);
  ThreadPool pool(threads);
  rung(problem.X(), problem.W(), y.view(), pool);
  return y;
}

/// Bit for bit where scales are powers of two.
testing::AssertionResult equals_the_oracle(Run* rung, const W8A8Problem& problem) {
  return matches(run(rung, problem).view(), problem.expected().view(), exactly());
}

TEST_P(W8A8Gemm, EqualsTheOracleForAllCodes) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    W8A8Problem problem(shape);
    problem.fill_with_all_codes(random);
    EXPECT_TRUE(equals_the_oracle(GetParam().run, problem)) << shape;
    problem.set_zero_points({-37, 0, 127, -128, 5});
    EXPECT_TRUE(equals_the_oracle(GetParam().run, problem)) << shape << " with zero points";
  }
}

TEST_P(W8A8Gemm, MultipliesEveryPairOfCodes) {
  // Once, and beside its like: where neighbours are added in 16 bits, the larger pairs saturate.
  for (const std::int64_t K : {1, 2, 4, 64}) {
    W8A8Problem problem({256, 256, K});
    for (std::int64_t c = 0; c < 256; ++c) {
      for (std::int64_t k = 0; k < K; ++k) {
        problem.x.view()(c, k) = problem.w.view()(c, k) = static_cast<std::int8_t>(c - 128);
      }
    }
    EXPECT_TRUE(equals_the_oracle(GetParam().run, problem)) << "K = " << K;
  }
}

TEST_P(W8A8Gemm, ShowsWithOneHotRowsWhichCodeWentWhere) {
  for (const GemmShape& shape : shapes()) {
    W8A8Problem problem(shape);
    Random random(1);
    fill(problem.x.view(), Values::kOneHot, random);
    for (std::int64_t n = 0; n < shape.N; ++n) {
      for (std::int64_t k = 0; k < shape.K; ++k) {
        problem.w.view()(n, k) = static_cast<std::int8_t>((31 * n + k) % 256 - 128);
      }
    }
    EXPECT_TRUE(equals_the_oracle(GetParam().run, problem)) << shape;
  }
}

TEST_P(W8A8Gemm, HoldsTheLongestSumOfTheLargestProducts) {
  // Sums of bytes in 16 bits would saturate at the third product of these.
  for (const int w : {-128, 127}) {
    W8A8Problem problem({5, 3, kW8A8MaxK});
    problem.set_all(-128, w);
    EXPECT_TRUE(equals_the_oracle(GetParam().run, problem)) << "codes -128 and " << w;
  }
}

TEST_P(W8A8Gemm, HoldsTheLongestSumWithZeroPoints) {
  for (const auto& [x, zero_point] :
       {std::pair(-128, 127), {127, -128}, {-128, -128}, {127, 127}}) {
    for (const int w : {-128, 127}) {
      W8A8Problem problem({5, 3, kW8A8MaxKWithZeroPoints});
      problem.set_all(x, w);
      problem.set_zero_points({zero_point});
      EXPECT_TRUE(equals_the_oracle(GetParam().run, problem))
          << "codes " << x << " and " << w << ", zero point " << zero_point;
    }
  }
}

TEST_P(W8A8Gemm, TakesZeroPointsOfZeroForNone) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    W8A8Problem problem(shape);
    problem.fill_with_all_codes(random);
    for (float& s : problem.x_scale) s = static_cast<float>(random.uniform(0.1, 1));
    const Guarded<float> symmetric = run(GetParam().run, problem);
    problem.set_zero_points({0});
    EXPECT_TRUE(symmetric.written_exactly(run(GetParam().run, problem, 1, 0x5A))) << shape;
  }
}

TEST_P(W8A8Gemm, IgnoresAConstantAddedToCodesAndZeroPoint) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    W8A8Problem problem(shape);
    problem.fill_with_all_codes(random);
    for (std::int64_t m = 0; m < shape.M; ++m) {  // room for the constant: -64 … 63
      for (std::int64_t k = 0; k < shape.K; ++k) problem.x.view()(m, k) /= 2;
    }
    problem.set_zero_points({-37, 0, 64, -64, 5});
    const Guarded<float> before = run(GetParam().run, problem);
    for (std::int64_t m = 0; m < shape.M; ++m) {
      const int shift = m % 2 == 0 ? 63 : -64;
      problem.zero_point[static_cast<std::size_t>(m)] += shift;
      for (std::int64_t k = 0; k < shape.K; ++k) {
        problem.x.view()(m, k) = static_cast<std::int8_t>(problem.x.view()(m, k) + shift);
      }
    }
    EXPECT_TRUE(before.written_exactly(run(GetParam().run, problem, 1, 0x5A))) << shape;
  }
}

TEST_P(W8A8Gemm, GivesEachRowTheBitsItHasAlone) {
  const TestSeed seed;
  Random random(seed);
  W8A8Problem all({67, 50, 300});
  all.fill_with_all_codes(random);
  all.set_zero_points({-37, 0, 127, -128, 5});
  const Guarded<float> together = run(GetParam().run, all);
  for (std::int64_t m = 0; m < all.shape.M; ++m) {
    Matrix<float> alone(1, all.shape.N);
    ThreadPool one(1);
    const auto i = static_cast<std::size_t>(m);
    GetParam().run({all.x.view().rows_from(m, 1), &all.x_scale[i], &all.zero_point[i]}, all.W(),
                   alone.view(), one);
    for (std::int64_t n = 0; n < all.shape.N; ++n) {
      ASSERT_EQ(alone(0, n), together.view()(m, n)) << "row " << m << ", column " << n;
    }
  }
}

TEST_P(W8A8Gemm, AddsUpWhereKIsSplit) {
  const TestSeed seed;
  Random random(seed);
  W8A8Problem whole({7, 13, 257});
  whole.fill_with_all_codes(random);
  whole.set_zero_points({-37, 0, 127, -128, 5});
  Matrix<float> sum(7, 13), part(7, 13);  // exact: 257 products and scales that are powers of two
  ThreadPool one(1);
  for (const auto& [first, count] : {std::pair(0, 100), {100, 1}, {101, 156}}) {
    const auto columns = [&, k0 = first, K = count](MatrixView<const std::int8_t> codes) {
      return MatrixView<const std::int8_t>(codes.row(0) + k0, codes.rows(), K, codes.row_stride());
    };
    GetParam().run({columns(whole.x.view()), whole.x_scale.data(), whole.zero_point.data()},
                   {columns(whole.w.view()), whole.w_scale.data()}, part.view(), one);
    for (std::int64_t i = 0; i < 7 * 13; ++i) sum.data()[i] += part.data()[i];
  }
  EXPECT_TRUE(matches(sum.view(), whole.expected().view(), exactly()));
}

TEST_P(W8A8Gemm, RoundsThreeTimesWithOtherScales) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    W8A8Problem problem(shape);
    problem.fill_with_all_codes(random);
    for (float& s : problem.x_scale) s = static_cast<float>(std::exp2(random.uniform(-20, 3)));
    for (float& s : problem.w_scale) s = static_cast<float>(std::exp2(random.uniform(-20, 3)));
    Matrix<double> value(shape.M, shape.N);
    w8a8_gemm_ref(problem.X(), problem.W(), value.view());
    EXPECT_TRUE(matches(run(GetParam().run, problem).view(), value.view(),
                        relative(value.view(), 4 * 0x1p-24)))
        << shape;
  }
}

TEST_P(W8A8Gemm, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/w8a8_gemm.txt");
  std::string comment;
  GemmShape shape{};
  ASSERT_TRUE(std::getline(file, comment) && file >> shape.M >> shape.N >> shape.K);
  W8A8Problem problem(shape);
  read_codes(file, problem.x.view());
  read_codes(file, problem.w.view());
  for (float& scale : problem.x_scale) file >> scale;
  for (float& scale : problem.w_scale) file >> scale;
  Matrix<double> expected(shape.M, shape.N);
  for (std::int64_t i = 0; i < shape.M * shape.N; ++i) file >> expected.data()[i];
  ASSERT_TRUE(file) << "w8a8_gemm.txt ends early";
  EXPECT_TRUE(matches(run(GetParam().run, problem).view(), expected.view(), exactly()));
}

TEST_P(W8A8Gemm, WritesAllOfItsOutputAndNothingElse) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    W8A8Problem problem(shape);
    problem.fill_with_all_codes(random);
    problem.set_zero_points({-37, 0, 127});
    const Guarded<float> one = run(GetParam().run, problem);
    const Guarded<float> two = run(GetParam().run, problem, 1, 0x5A);
    EXPECT_TRUE(one.written_exactly(two)) << shape;
  }
}

TEST_P(W8A8Gemm, ReadsNothingOutsideItsInputs) {
  for (const GemmShape& shape : shapes()) {
    W8A8Problem problem(shape);
    problem.set_zero_points({-37, 0, 127});
    const Fenced<std::int8_t> x(problem.x.view()), w(problem.w.view());
    const Fenced<float> x_scale({problem.x_scale.data(), 1, shape.M, shape.M});
    const Fenced<float> w_scale({problem.w_scale.data(), 1, shape.N, shape.N});
    const Fenced<std::int32_t> zero_point({problem.zero_point.data(), 1, shape.M, shape.M});
    Guarded<float> y(shape.M, shape.N);
    ThreadPool threads(1);
    GetParam().run({x.view(), x_scale.data(), zero_point.data()}, {w.view(), w_scale.data()},
                   y.view(), threads);
    EXPECT_TRUE(y.written_exactly()) << shape;
  }
}

TEST_P(W8A8Gemm, GivesTheSameBitsForEveryNumberOfThreads) {
  W8A8Problem problem({9, 200, 130});
  const TestSeed seed;
  Random random(seed);
  problem.fill_with_all_codes(random);
  for (float& s : problem.x_scale) s = static_cast<float>(random.uniform(0.1, 1));
  const Guarded<float> one = run(GetParam().run, problem);
  for (const int threads : {2, 3}) {
    EXPECT_TRUE(one.written_exactly(run(GetParam().run, problem, threads, 0x5A))) << threads;
  }
}

}  // namespace
}  // namespace qlab::test
