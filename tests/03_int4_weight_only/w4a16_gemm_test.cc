// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of w4a16_gemm: which code, scale and zero point meets which activation, and how exactly.
#include "03_int4_weight_only/w4a16_gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "03_int4_weight_only/w4a16_problem.h"
#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

class W4A16Gemm : public testing::TestWithParam<Rung<W4A16Run>> {
 protected:
  void SetUp() override {
    if (GetParam().needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(GetParam().needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, W4A16Gemm, testing::ValuesIn(kW4A16GemmRungs),
                         [](const auto& rung) { return std::string(rung.param.name); });

/// A rung over panels as these tests call it: W lies in rows.
template <std::size_t kRung>
void packed(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
            ThreadPool& threads) {
  kW4A16PanelGemmRungs[kRung].run(X, pack_panels(W).view(), Y, threads);
}

template <std::size_t... kRungs>
std::vector<Rung<W4A16Run>> panel_rungs(std::index_sequence<kRungs...>) {
  return {{.name = kW4A16PanelGemmRungs[kRungs].name,
           .run = packed<kRungs>,
           .needs = kW4A16PanelGemmRungs[kRungs].needs}...};
}

INSTANTIATE_TEST_SUITE_P(
    Panels, W4A16Gemm,
    testing::ValuesIn(panel_rungs(std::make_index_sequence<std::size(kW4A16PanelGemmRungs)>())),
    [](const auto& rung) { return std::string(rung.param.name); });

TEST_P(W4A16Gemm, MatchesPaperAndPencil) {
  // Two groups, 2 · (code - 1) and 0.5 · (code - 8): weights 0 4 -2 | -4 3.5.
  W4A16Problem problem({{2, 1, 5}, 3});
  constexpr int kBytes[] = {0x31, 0x00, 0xFF};
  constexpr float kX[2][5] = {{1, 2, 3, 4, 6}, {1, 0, 0, 0, -1}};
  for (std::int64_t b = 0; b < 3; ++b) {
    problem.qweight.view()(0, b) = static_cast<std::uint8_t>(kBytes[b]);
  }
  for (std::int64_t k = 0; k < 5; ++k) {
    for (std::int64_t m = 0; m < 2; ++m) problem.x.view()(m, k) = from_float<half_t>(kX[m][k]);
  }
  problem.scale.view()(0, 0) = from_float<half_t>(2);
  problem.scale.view()(0, 1) = from_float<half_t>(0.5F);
  problem.zero_point.view()(0, 0) = 1;
  problem.zero_point.view()(0, 1) = 8;
  const Guarded<float> y = problem.run(GetParam().run);
  EXPECT_EQ(y.view()(0, 0), 0 + 8 - 6 - 16 + 21);
  EXPECT_EQ(y.view()(1, 0), -3.5F);
}

TEST_P(W4A16Gemm, DequantizesEveryByteWithEveryZeroPoint) {
  // Row n has zero point n, every byte once, and one of these scales, subnormal ones among them.
  constexpr std::uint16_t kScales[] = {0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF};
  for (const std::int64_t M : {1, 2, 3, 4, 512}) {  // each way through the rung
    W4A16Problem problem({{M, 16, 512}, 512});
    for (std::int64_t n = 0; n < 16; ++n) {
      problem.scale.view()(n, 0) = {kScales[n % 5]};
      problem.zero_point.view()(n, 0) = static_cast<std::uint8_t>(n);
      for (std::int64_t b = 0; b < 256; ++b) {
        problem.qweight.view()(n, b) = static_cast<std::uint8_t>(b);
      }
    }
    for (std::int64_t k0 = 0; k0 < 512; k0 += M) {
      for (std::int64_t m = 0; m < M; ++m) {
        for (std::int64_t k = 0; k < 512; ++k) {
          problem.x.view()(m, k) = element<half_t>(k == k0 + m ? 1 : 0);
        }
      }
      ASSERT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/true)) << "M=" << M << " " << k0;
    }
  }
}

TEST_P(W4A16Gemm, EqualsTheOracleWhereNothingRounds) {
  const TestSeed seed;
  Random random(seed);
  for (const Values values : {Values::kOneHot, Values::kIntegers}) {
    for (const W4A16Shape& shape : w4a16_shapes()) {
      W4A16Problem problem(shape);
      fill(problem.x.view(), values, random);
      problem.fill_codes(random);
      problem.fill_groups_exactly();
      ASSERT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/true)) << shape;
    }
  }
}

TEST_P(W4A16Gemm, MatchesTheOracleForAllKindsOfActivations) {
  const TestSeed seed;
  Random random(seed);
  for (const NamedValues& kind : kAllValues) {
    for (const W4A16Shape& shape : w4a16_shapes()) {
      W4A16Problem problem = random_w4a16_problem(shape, random);
      fill(problem.x.view(), kind.values, random);
      ASSERT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/false))
          << kind.name << ", " << shape;
    }
  }
}

TEST_P(W4A16Gemm, GivesExactlyZeroWhereEveryCodeIsTheZeroPoint) {
  // Σ x·code - zero_point · Σ x, with fewer subtractions, would leave the rounding of both sums.
  const TestSeed seed;
  Random random(seed);
  for (const W4A16Shape& shape : w4a16_shapes()) {
    W4A16Problem problem = random_w4a16_problem(shape, random);
    for (std::int64_t n = 0; n < shape.sides.N; ++n) {
      std::ranges::fill(problem.qweight.view().row(n, 0, (shape.sides.K + 1) / 2), 0xBB);
      std::ranges::fill(problem.zero_point.view().row(n, 0, problem.scale.view().cols()), 0x0B);
    }
    ASSERT_TRUE(problem.matches_oracle(GetParam().run, /*exact=*/true)) << shape;
  }
}

TEST_P(W4A16Gemm, WritesAllOfItsOutputAndNothingElse) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A16Shape& shape : w4a16_shapes()) {
    const W4A16Problem problem = random_w4a16_problem(shape, random);
    const Guarded<float> one = problem.run(GetParam().run);
    ASSERT_TRUE(one.written_exactly(problem.run(GetParam().run, 1, 0x5A))) << shape;
  }
}

TEST_P(W4A16Gemm, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  for (const W4A16Shape& shape : w4a16_shapes()) {
    const W4A16Problem problem = random_w4a16_problem(shape, random);
    const Fenced<half_t> x(problem.x.view()), scale(problem.scale.view());
    const Fenced<std::uint8_t> qweight(problem.qweight.view()), zero(problem.zero_point.view());
    Guarded<float> y(shape.sides.M, shape.sides.N);
    ThreadPool threads(1);
    GetParam().run(x.view(),
                   {.K = shape.sides.K,
                    .group_size = shape.group_size,
                    .qweight = qweight.view(),
                    .scale = scale.view(),
                    .zero_point = zero.view()},
                   y.view(), threads);
    ASSERT_TRUE(y.written_exactly()) << shape;
  }
}

TEST_P(W4A16Gemm, GivesTheSameBitsForEveryNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t M : {1, 4, 9}) {
    const W4A16Problem problem = random_w4a16_problem({{M, 203, 530}, 64}, random);
    const Guarded<float> one = problem.run(GetParam().run);
    for (const int threads : {2, 3}) {
      EXPECT_TRUE(one.written_exactly(problem.run(GetParam().run, threads, 0x5A)))
          << "M=" << M << ", " << threads << " threads";
    }
  }
}

TEST(W4A16GemmCall, TakesTheRungThatTheMachineAllows) {
  // The rungs sum in different orders, so their bits differ and show which one ran.
  const TestSeed seed;
  Random random(seed);
  const W4A16Problem problem = random_w4a16_problem({{3, 50, 999}, 128}, random);
  ThreadPool threads(2);
  std::vector<Guarded<float>> outputs;
  for (const auto& rung : kW4A16GemmRungs) {
    if (rung.needs > best_isa()) continue;
    EXPECT_EQ(best_rung(kW4A16GemmRungs, rung.needs).name, rung.name);
    Guarded<float> called(3, 50, 0x5A), direct = problem.run(rung.run);
    w4a16_gemm(problem.x.view(), problem.W(), called.view(),
               {.threads = threads, .isa = rung.needs});
    EXPECT_TRUE(direct.written_exactly(called)) << rung.name;
    for (const Guarded<float>& other : outputs) {
      EXPECT_FALSE(other.written_exactly(called)) << rung.name << " cannot be told from another";
    }
    outputs.push_back(std::move(direct));
  }
}

TEST(W4A16GemmCall, GivesZerosForEmptySides) {
  ThreadPool threads(2);
  for (const GemmShape& sides : {GemmShape{0, 3, 4}, {3, 0, 4}, {3, 5, 0}, {7, 5, 0}}) {
    for (const Isa isa : {Isa::kScalar, best_isa()}) {
      const W4A16Problem problem({sides, 32});
      Guarded<float> y(sides.M, sides.N);
      w4a16_gemm(problem.x.view(), problem.W(), y.view(), {.threads = threads, .isa = isa});
      EXPECT_TRUE(matches(y.view(), Matrix<double>(sides.M, sides.N).view(), exactly())) << sides;
      EXPECT_TRUE(y.written_exactly()) << sides;
    }
  }
}

TEST(W4A16GemmCall, RefusesShapesThatDoNotFit) {
  ThreadPool threads(1);
  const W4A16Problem problem({{2, 3, 8}, 4}), other({{2, 3, 9}, 4});
  const auto message = [&](const W4A16Problem& x, const Int4Weights& W, std::int64_t N) {
    Matrix<float> y(2, N);
    try {
      w4a16_gemm(x.x.view(), W, y.view(), {threads});
    } catch (const ContractError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  Int4Weights torn = problem.W();
  torn.scale = other.W().scale;
  EXPECT_EQ(message(problem, problem.W(), 3), "accepted");
  EXPECT_EQ(message(other, problem.W(), 3), "w4a16_gemm: X is [2, 9], expected [2, 8]");
  EXPECT_EQ(message(problem, problem.W(), 2), "w4a16_gemm: Y is [2, 2], expected [2, 3]");
  EXPECT_EQ(message(problem, torn, 3), "w4a16_gemm: scale is [3, 3], expected [3, 2]");
}

}  // namespace
}  // namespace qlab::test
