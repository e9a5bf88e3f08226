// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of w8a8_gemm: the sum is exact, so nearly all of them demand equality.
#include "02_int8_calibration/w8a8_gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
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

/// kGemmShapes, and the ends of this ladder's blocks: 48 columns, 64 rows, 2048 codes.
std::vector<GemmShape> shapes() {
  std::vector<GemmShape> all(std::begin(kGemmShapes), std::end(kGemmShapes));
  all.insert(all.end(), {{65, 47, 40}, {2, 49, 2047}, {67, 50, 2065}, {1, 97, 4096}});
  return all;
}

struct Problem {
  explicit Problem(const GemmShape& s) : shape(s), x(s.M, s.K), w(s.N, s.K) {
    // Powers of two, all neighbours different: a scale in the wrong place shows, none rounds.
    for (std::int64_t m = 0; m < s.M; ++m) x_scale.push_back(0x1p-3F * float(1 << (m % 5)));
    for (std::int64_t n = 0; n < s.N; ++n) w_scale.push_back(0x1p-4F * float(1 << (n % 7)));
  }
  void fill_with_all_codes(Random& random) {
    for (const auto codes : {x.view(), w.view()}) {
      for (std::int64_t r = 0; r < codes.rows(); ++r) {
        for (std::int64_t k = 0; k < codes.cols(); ++k) {
          codes(r, k) = static_cast<std::int8_t>(random.below(256) - 128);
        }
      }
    }
  }
  Int8Rows X() const { return {x.view(), x_scale.data()}; }
  Int8Rows W() const { return {w.view(), w_scale.data()}; }

  Guarded<float> run(Run* rung, int threads = 1, unsigned char poison = 0xFF) const {
    Guarded<float> y(shape.M, shape.N, poison);
    ThreadPool pool(threads);
    rung(X(), W(), y.view(), pool);
    return y;
  }

  /// The oracle, rounded as the contract's one conversion does: exact where scales are powers of 2.
  Matrix<double> expected() const {
    Matrix<double> value(shape.M, shape.N);
    w8a8_gemm_ref(X(), W(), value.view());
    for (std::int64_t m = 0; m < shape.M; ++m) {
      for (std::int64_t n = 0; n < shape.N; ++n) {
        value(m, n) = double{static_cast<float>(value(m, n))};
      }
    }
    return value;
  }

  GemmShape shape;
  Operand<std::int8_t> x, w;
  std::vector<float> x_scale, w_scale;
};

TEST_P(W8A8Gemm, EqualsTheOracleForAllCodes) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    Problem problem(shape);
    problem.fill_with_all_codes(random);
    EXPECT_TRUE(matches(problem.run(GetParam().run).view(), problem.expected().view(), exactly()))
        << shape;
  }
}

TEST_P(W8A8Gemm, MultipliesEveryPairOfCodes) {
  Problem problem({256, 256, 1});
  for (std::int64_t c = 0; c < 256; ++c) {
    problem.x.view()(c, 0) = problem.w.view()(c, 0) = static_cast<std::int8_t>(c - 128);
  }
  EXPECT_TRUE(matches(problem.run(GetParam().run).view(), problem.expected().view(), exactly()));
}

TEST_P(W8A8Gemm, ShowsWithOneHotRowsWhichCodeWentWhere) {
  for (const GemmShape& shape : shapes()) {
    Problem problem(shape);
    Random random(1);
    fill(problem.x.view(), Values::kOneHot, random);
    for (std::int64_t n = 0; n < shape.N; ++n) {
      for (std::int64_t k = 0; k < shape.K; ++k) {
        problem.w.view()(n, k) = static_cast<std::int8_t>((31 * n + k) % 256 - 128);
      }
    }
    EXPECT_TRUE(matches(problem.run(GetParam().run).view(), problem.expected().view(), exactly()))
        << shape;
  }
}

TEST_P(W8A8Gemm, HoldsTheLongestSumOfTheLargestProducts) {
  // Sums of bytes in 16 bits would saturate at the third product of these.
  for (const int w : {-128, 127}) {
    Problem problem({5, 3, kW8A8MaxK});
    for (std::int64_t k = 0; k < kW8A8MaxK; ++k) {
      for (std::int64_t m = 0; m < 5; ++m) problem.x.view()(m, k) = -128;
      for (std::int64_t n = 0; n < 3; ++n) problem.w.view()(n, k) = static_cast<std::int8_t>(w);
    }
    EXPECT_TRUE(matches(problem.run(GetParam().run).view(), problem.expected().view(), exactly()));
  }
}

TEST_P(W8A8Gemm, RoundsThreeTimesWithOtherScales) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    Problem problem(shape);
    problem.fill_with_all_codes(random);
    for (float& s : problem.x_scale) s = static_cast<float>(std::exp2(random.uniform(-20, 3)));
    for (float& s : problem.w_scale) s = static_cast<float>(std::exp2(random.uniform(-20, 3)));
    Matrix<double> value(shape.M, shape.N);
    w8a8_gemm_ref(problem.X(), problem.W(), value.view());
    EXPECT_TRUE(matches(problem.run(GetParam().run).view(), value.view(),
                        relative(value.view(), 4 * 0x1p-24)))
        << shape;
  }
}

TEST_P(W8A8Gemm, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/w8a8_gemm.txt");
  std::string comment;
  GemmShape shape{};
  ASSERT_TRUE(std::getline(file, comment) && file >> shape.M >> shape.N >> shape.K);
  Problem problem(shape);
  for (const auto codes : {problem.x.view(), problem.w.view()}) {
    for (std::int64_t r = 0; r < codes.rows(); ++r) {
      for (std::int64_t k = 0; k < codes.cols(); ++k) {
        int code = 0;
        file >> code;
        codes(r, k) = static_cast<std::int8_t>(code);
      }
    }
  }
  for (float& scale : problem.x_scale) file >> scale;
  for (float& scale : problem.w_scale) file >> scale;
  Matrix<double> expected(shape.M, shape.N);
  for (std::int64_t i = 0; i < shape.M * shape.N; ++i) file >> expected.data()[i];
  ASSERT_TRUE(file) << "w8a8_gemm.txt ends early";
  EXPECT_TRUE(matches(problem.run(GetParam().run).view(), expected.view(), exactly()));
}

TEST_P(W8A8Gemm, WritesAllOfItsOutputAndNothingElse) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : shapes()) {
    Problem problem(shape);
    problem.fill_with_all_codes(random);
    const Guarded<float> one = problem.run(GetParam().run);
    const Guarded<float> two = problem.run(GetParam().run, 1, 0x5A);
    EXPECT_TRUE(one.written_exactly(two)) << shape;
  }
}

TEST_P(W8A8Gemm, ReadsNothingOutsideItsInputs) {
  for (const GemmShape& shape : shapes()) {
    const Problem problem(shape);
    const Fenced<std::int8_t> x(problem.x.view()), w(problem.w.view());
    const Fenced<float> x_scale({problem.x_scale.data(), 1, shape.M, shape.M});
    const Fenced<float> w_scale({problem.w_scale.data(), 1, shape.N, shape.N});
    Guarded<float> y(shape.M, shape.N);
    ThreadPool threads(1);
    GetParam().run({x.view(), x_scale.data()}, {w.view(), w_scale.data()}, y.view(), threads);
    EXPECT_TRUE(y.written_exactly()) << shape;
  }
}

TEST_P(W8A8Gemm, GivesTheSameBitsForEveryNumberOfThreads) {
  Problem problem({9, 200, 130});
  const TestSeed seed;
  Random random(seed);
  problem.fill_with_all_codes(random);
  for (float& s : problem.x_scale) s = static_cast<float>(random.uniform(0.1, 1));
  const Guarded<float> one = problem.run(GetParam().run);
  for (const int threads : {2, 3}) {
    EXPECT_TRUE(one.written_exactly(problem.run(GetParam().run, threads, 0x5A))) << threads;
  }
}

TEST(W8A8GemmCall, TakesEmptySides) {
  ThreadPool threads(2);
  for (const GemmShape& shape : {GemmShape{0, 3, 4}, GemmShape{3, 0, 4}, GemmShape{3, 5, 0}}) {
    for (const Isa isa : {Isa::kScalar, best_isa()}) {
      const Problem problem(shape);
      Guarded<float> y(shape.M, shape.N);
      w8a8_gemm(problem.X(), problem.W(), y.view(), {.threads = threads, .isa = isa});
      EXPECT_TRUE(matches(y.view(), Matrix<double>(shape.M, shape.N).view(), exactly())) << shape;
      EXPECT_TRUE(y.written_exactly()) << shape;
    }
  }
}

TEST(W8A8GemmCall, RefusesShapesThatDoNotFit) {
  ThreadPool threads(1);
  const Problem problem({2, 3, 4}), other({2, 3, 5});
  Matrix<float> y(2, 3), wrong(3, 2);
  EXPECT_THAT([&] { w8a8_gemm(problem.X(), other.W(), y.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("w8a8_gemm: W is [3, 5], expected [3, 4]")));
  EXPECT_THAT([&] { w8a8_gemm(problem.X(), problem.W(), wrong.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("w8a8_gemm: Y is [3, 2], expected [2, 3]")));
}

TEST(W8A8GemmCall, RefusesASumThatCouldOverflow) {
  ThreadPool threads(1);
  const Problem longest({1, 1, kW8A8MaxK}), longer({1, 1, kW8A8MaxK + 1});
  Matrix<float> y(1, 1);
  EXPECT_NO_THROW(w8a8_gemm(longest.X(), longest.W(), y.view(), {threads}));
  EXPECT_THAT([&] { w8a8_gemm(longer.X(), longer.W(), y.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("K = 131072 could overflow an int32 sum; split K at 131071")));
}

}  // namespace
}  // namespace qlab::test
