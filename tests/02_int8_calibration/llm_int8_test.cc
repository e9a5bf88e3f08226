// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of llm_int8_gemm: its two ends bit for bit against the kernels it is made of, what lies
/// between against the oracle.
#include "02_int8_calibration/llm_int8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "01_fp16_baseline/fp16_gemm.h"
#include "02_int8_calibration/llm_int8_problem.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

Guarded<float> run(const LlmInt8Problem& problem, const LlmInt8Weights& W, float threshold,
                   int threads = 1, unsigned char poison = 0xFF, Isa isa = best_isa()) {
  Guarded<float> y(problem.shape.M, problem.shape.N, poison);
  ThreadPool pool(threads);
  llm_int8_gemm(problem.x.view(), W, threshold, y.view(), {pool, isa});
  return y;
}

/// Output against output, bit for bit.
testing::AssertionResult same_bits(MatrixView<const float> got, MatrixView<const float> expected) {
  Matrix<double> wide(expected.rows(), expected.cols());
  for (std::int64_t r = 0; r < expected.rows(); ++r) {
    std::copy_n(expected.row(r), expected.cols(), wide.view().row(r));
  }
  return matches(got, wide.view(), exactly());
}

TEST(LlmInt8Gemm, FindsColumnsWithAnOutlierInAnyToken) {
  const float x[] = {0, -6,  1, 5.99F, 7,  //
                     0, 0.5, 9, -5.9F, 8};
  const MatrixView<const float> X(x, 2, 5, 5);
  EXPECT_THAT(outlier_columns(X, 6), testing::ElementsAre(1, 2, 4));
  EXPECT_THAT(outlier_columns(X, std::nextafter(6.0F, 7.0F)), testing::ElementsAre(2, 4));
  EXPECT_THAT(outlier_columns(X, 0x1p-149F), testing::ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(outlier_columns(X, kNoThreshold), testing::IsEmpty());
  EXPECT_THAT(outlier_columns({x, 0, 5, 5}, 6), testing::IsEmpty());
}

TEST(LlmInt8Gemm, FindsColumnsPastOneBlock) {
  Matrix<float> x(3, 2500);
  std::vector<std::int64_t> expected;
  for (const std::int64_t k : {0, 1023, 1024, 2047, 2048, 2499}) {
    x(k % 3, k) = k % 2 == 0 ? 7 : -7;
    expected.push_back(k);
  }
  EXPECT_EQ(outlier_columns(x.view(), 6), expected);
}

TEST(LlmInt8Gemm, IsW8A8WithoutAThreshold) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    for (const NamedValues& values : kAllValues) {
      const LlmInt8Problem problem = random_problem(shape, values.values, random);
      Matrix<std::int8_t> codes(shape.M, shape.K);
      std::vector<float> scale(std::size_t(shape.M));
      Guarded<float> expected(shape.M, shape.N);
      ThreadPool pool(1);
      quantize_rows(problem.x.view(), Granularity::kPerRow, codes.view(), scale.data(), {pool});
      w8a8_gemm({codes.view(), scale.data()}, problem.int8(), expected.view(), {pool});
      EXPECT_TRUE(same_bits(run(problem, problem.weights(), kNoThreshold).view(), expected.view()))
          << values.name << " " << shape;
    }
  }
}

TEST(LlmInt8Gemm, IsFp16GemmBelowEveryMagnitude) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    const LlmInt8Problem problem = random_problem(shape, Values::kLogUniform, random);
    Matrix<half_t> x(shape.M, shape.K);
    for (std::int64_t m = 0; m < shape.M; ++m) {
      for (std::int64_t k = 0; k < shape.K; ++k) {
        x(m, k) = from_float<half_t>(problem.x.view()(m, k));
      }
    }
    Guarded<float> expected(shape.M, shape.N);
    ThreadPool pool(1);
    fp16_gemm(x.view(), problem.w16.view(), expected.view(), {pool});
    EXPECT_TRUE(same_bits(run(problem, problem.weights(), 0x1p-6F).view(), expected.view()))
        << shape;
  }
}

TEST(LlmInt8Gemm, IsExactWhereBothPartsAre) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    const LlmInt8Problem problem = exact_problem(shape, random);
    for (const LlmInt8Weights& W : {problem.weights(), problem.codes_only()}) {
      const LlmInt8Expected expected = expected_of(problem, W, kExactThreshold);
      EXPECT_TRUE(
          matches(run(problem, W, kExactThreshold).view(), expected.value.view(), exactly()))
          << shape << (W.fp16.rows() > 0 ? "" : ", weights dequantized");
    }
  }
}

TEST(LlmInt8Gemm, MatchesTheOracle) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    for (const Values values : {Values::kNormal, Values::kLogUniform, Values::kOutlierChannel}) {
      const LlmInt8Problem problem = random_problem(shape, values, random);
      for (const LlmInt8Weights& W : {problem.weights(), problem.codes_only()}) {
        for (const float threshold : {0.5F, 2.0F, 6.0F, 50.0F}) {
          const LlmInt8Expected expected = expected_of(problem, W, threshold);
          for (const Isa isa : {Isa::kScalar, best_isa()}) {
            EXPECT_TRUE(matches(run(problem, W, threshold, 1, 0xFF, isa).view(),
                                expected.value.view(), expected.tolerance()))
                << shape << ", threshold " << threshold;
          }
        }
      }
    }
  }
}

TEST(LlmInt8Gemm, MatchesNumbersMadeElsewhere) {
  const LlmInt8Golden golden;
  const auto [M, N, K] = golden.problem.shape;
  for (std::int64_t i = 0; i < N * K; ++i) {
    EXPECT_EQ(golden.problem.w8.view()(i / K, i % K), golden.w_codes[std::size_t(i)]) << i;
  }
  for (const LlmInt8Golden::Case& c : golden.cases) {
    std::vector<int> outlier(std::size_t(K), 0);
    for (const std::int64_t k : outlier_columns(golden.problem.x.view(), c.threshold)) {
      outlier[std::size_t(k)] = 1;
    }
    EXPECT_EQ(outlier, c.outlier) << "threshold " << c.threshold;
    EXPECT_TRUE(matches(run(golden.problem, golden.problem.weights(), c.threshold).view(),
                        c.y.view(), [&](auto m, auto n) { return c.allowed(m, n); }))
        << "threshold " << c.threshold;
  }
}

TEST(LlmInt8Gemm, IsNotChangedByAColumnOfZeros) {
  const TestSeed seed;
  Random random(seed);
  const GemmShape shape{4, 9, 38};
  LlmInt8Problem wide = random_problem(shape, Values::kOutlierChannel, random);
  LlmInt8Problem narrow({shape.M, shape.N, shape.K - 1});
  constexpr std::int64_t kZero = 7;
  for (std::int64_t m = 0; m < shape.M; ++m) wide.x.view()(m, kZero) = 0;
  narrow.w_scale = wide.w_scale;
  for (std::int64_t k = 0; k < shape.K - 1; ++k) {
    const std::int64_t from = k < kZero ? k : k + 1;
    for (std::int64_t m = 0; m < shape.M; ++m) narrow.x.view()(m, k) = wide.x.view()(m, from);
    for (std::int64_t n = 0; n < shape.N; ++n) {
      narrow.w8.view()(n, k) = wide.w8.view()(n, from);
      narrow.w16.view()(n, k) = wide.w16.view()(n, from);
    }
  }
  for (const float threshold : {kNoThreshold, 6.0F}) {
    EXPECT_TRUE(same_bits(run(wide, wide.weights(), threshold).view(),
                          run(narrow, narrow.weights(), threshold).view()));
  }
}

TEST(LlmInt8Gemm, LetsATokenChangeWhatAnotherGets) {
  const TestSeed seed;
  Random random(seed);
  LlmInt8Problem pair = random_problem({2, 40, 64}, Values::kNormal, random);
  pair.x.view()(1, 20) = 60;
  const MatrixView<const float> first = pair.x.view().rows_from(0, 1);
  Guarded<float> y(1, 40);
  ThreadPool pool(1);
  llm_int8_gemm(first, pair.weights(), 6, y.view(), {pool});
  const Guarded<float> both = run(pair, pair.weights(), 6);
  EXPECT_FALSE(same_bits(both.view().rows_from(0, 1), y.view()));
  // Without a threshold a token is on its own.
  llm_int8_gemm(first, pair.weights(), kNoThreshold, y.view(), {pool});
  EXPECT_TRUE(same_bits(run(pair, pair.weights(), kNoThreshold).view().rows_from(0, 1), y.view()));
}

TEST(LlmInt8Gemm, GivesRowsOfZerosZeros) {
  const TestSeed seed;
  Random random(seed);
  LlmInt8Problem problem = exact_problem({3, 5, 17}, random);
  for (const std::int64_t m : {0, 2}) std::fill_n(problem.x.view().row(m), 17, 0.0F);
  for (const float threshold : {kExactThreshold, 1.0F, kNoThreshold}) {
    const Guarded<float> y = run(problem, problem.weights(), threshold);
    for (const std::int64_t m : {0, 2}) {
      EXPECT_THAT(y.view().row(m, 0, 5), testing::Each(0.0F)) << "threshold " << threshold;
    }
  }
}

TEST(LlmInt8Gemm, TakesEmptySides) {
  for (const GemmShape& shape : {GemmShape{0, 3, 5}, {3, 0, 5}, {3, 2, 0}}) {
    const LlmInt8Problem problem(shape);
    const Guarded<float> y = run(problem, problem.weights(), 6);
    EXPECT_TRUE(y.written_exactly()) << shape;
    for (std::int64_t m = 0; m < shape.M; ++m) {
      EXPECT_THAT(y.view().row(m, 0, shape.N), testing::Each(0.0F)) << shape;
    }
  }
}

TEST(LlmInt8Gemm, WritesAllOfItsOutputAndNothingElse) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    const LlmInt8Problem problem = random_problem(shape, Values::kOutlierChannel, random);
    for (const float threshold : {kNoThreshold, 6.0F, 0x1p-149F}) {
      const Guarded<float> one = run(problem, problem.weights(), threshold);
      const Guarded<float> two = run(problem, problem.weights(), threshold, 1, 0x5A);
      EXPECT_TRUE(one.written_exactly(two)) << shape;
    }
  }
}

TEST(LlmInt8Gemm, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    const LlmInt8Problem problem = random_problem(shape, Values::kLogUniform, random);
    const Fenced<float> x(problem.x.view()), scale({problem.w_scale.data(), 1, shape.N, shape.N});
    const Fenced<std::int8_t> w8(problem.w8.view());
    const Fenced<half_t> w16(problem.w16.view());
    Guarded<float> y(shape.M, shape.N);
    ThreadPool pool(2);
    llm_int8_gemm(x.view(), {{w8.view(), scale.data()}, w16.view()}, 8, y.view(), {pool});
    EXPECT_TRUE(y.written_exactly()) << shape;
  }
}

TEST(LlmInt8Gemm, GivesTheSameBitsForEveryNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  const LlmInt8Problem problem = random_problem({9, 200, 2130}, Values::kLogUniform, random);
  for (const LlmInt8Weights& W : {problem.weights(), problem.codes_only()}) {
    const Guarded<float> one = run(problem, W, 60);
    for (const int threads : {2, 3}) {
      EXPECT_TRUE(same_bits(run(problem, W, 60, threads).view(), one.view())) << threads;
    }
  }
}

}  // namespace
}  // namespace qlab::test
