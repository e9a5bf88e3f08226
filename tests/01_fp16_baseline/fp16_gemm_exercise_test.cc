// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise fp16_gemm. Outputs are poisoned with NaN, rows stand apart, and most cases
/// are exact in every order of summation.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_gemm.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/exercise.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

struct Problem {
  explicit Problem(const GemmShape& s) : shape(s), x(s.M, s.K), w(s.N, s.K) {}

  Guarded<float> run(unsigned char poison = Guarded<float>::kPoison) const {
    Guarded<float> y(shape.M, shape.N, poison);
    exercise::fp16_gemm(x.view(), w.view(), y.view());
    return y;
  }

  GemmShape shape;
  Operand<half_t> x, w;
};

/// x(m, k) and w(n, k) are called for every element.
template <class X, class W>
Problem problem_of(const GemmShape& shape, X x, W w) {
  Problem problem(shape);
  for (std::int64_t k = 0; k < shape.K; ++k) {
    for (std::int64_t m = 0; m < shape.M; ++m) problem.x.view()(m, k) = element<half_t>(x(m, k));
    for (std::int64_t n = 0; n < shape.N; ++n) problem.w.view()(n, k) = element<half_t>(w(n, k));
  }
  return problem;
}

Problem random_problem(const GemmShape& shape, Values values, Random& random) {
  Problem problem(shape);
  fill(problem.x.view(), values, random);
  fill(problem.w.view(), values, random);
  return problem;
}

std::string name_of(const std::string& what, const GemmShape& shape) {
  std::ostringstream out;
  out << "\"" << what << "\": " << shape;
  return out.str();
}

/// Exact, or within what FP32 sums may differ by.
void check(const std::string& what, const Problem& problem, bool exact) {
  const GemmShape& s = problem.shape;
  Matrix<double> expected(s.M, s.N), abs_sum(s.M, s.N);
  fp16_gemm_ref(problem.x.view(), problem.w.view(), expected.view(), abs_sum.view());
  judge({.name = name_of(what, s)}, problem.run(), expected.view(),
        exact ? exactly() : dot_product(abs_sum.view(), s.K));
}

std::string seeded(const std::string& what, std::uint64_t seed) {
  return what + ", seed " + std::to_string(seed);
}

/// kGemmShapes, and both sides of the ends of this exercise's blocks: tiles of 4 rows and 4 columns
/// of Y, blocks of 64 columns and 256 of K.
std::vector<GemmShape> all_shapes() {
  std::vector<GemmShape> all(std::begin(kGemmShapes), std::end(kGemmShapes));
  all.insert(all.end(), {{5, 63, 255}, {3, 64, 256}, {7, 65, 257}, {9, 129, 11}, {2, 6, 513}});
  return all;
}

TEST(Fp16Gemm, MatchesPaperAndPencil) {
  constexpr double kX[2][3] = {{1, 2, 3}, {-4, 5, 0.5}};
  constexpr double kW[4][3] = {{1, 0, 0}, {0, 0, -1}, {1, 1, 1}, {0.25, -8, 2}};
  constexpr double kY[2][4] = {{1, -3, 6, -9.75}, {-4, -0.5, 1.5, -40}};
  const Problem problem = problem_of(
      {2, 4, 3}, [&](auto m, auto k) { return kX[m][k]; },
      [&](auto n, auto k) { return kW[n][k]; });
  Matrix<double> expected(2, 4);
  for (std::int64_t m = 0; m < 2; ++m) std::copy_n(kY[m], 4, expected.view().row(m));
  judge({.name = name_of("by hand", problem.shape)}, problem.run(), expected.view(), exactly());
}

TEST(Fp16Gemm, ShowsWithOneHotRowsWhichWeightWentWhere) {
  for (const GemmShape& shape : all_shapes()) {
    // Row m picks column (37·m + K - 1) % K of W: the last one first, then far apart.
    const auto column = [&](std::int64_t m) { return (37 * m + shape.K - 1) % shape.K; };
    const Problem problem = problem_of(
        shape, [&](auto m, auto k) { return k == column(m) ? 1.0 : 0.0; },
        [](auto n, auto k) { return static_cast<double>((31 * n + k) % 251 - 125); });
    Matrix<double> expected(shape.M, shape.N), abs_sum(shape.M, shape.N);
    fp16_gemm_ref(problem.x.view(), problem.w.view(), expected.view(), abs_sum.view());
    const auto place = [&](auto m, auto n) {
      std::ostringstream out;
      out << "[" << m << ", " << n << "], which is W[" << n << ", " << column(m) << "]";
      return out.str();
    };
    judge({.name = name_of("one-hot rows of X", shape), .place = place}, problem.run(),
          expected.view(), exactly());
    if (HasFailure()) return;  // one shape is enough to read
  }
}

TEST(Fp16Gemm, FillsTheRaggedEdges) {
  for (const GemmShape& shape :
       {GemmShape{4, 65, 8}, {5, 64, 8}, {3, 63, 9}, {1, 1, 1}, {6, 7, 3}}) {
    check("sides that are no multiples of a block",
          problem_of(
              shape, [](auto m, auto k) { return static_cast<double>(m + k % 3 + 1); },
              [](auto n, auto k) { return static_cast<double>(n % 16 - k % 5); }),
          /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST(Fp16Gemm, AddsUpAllOfK) {
  // Every weight is 1 + the number of its 128 columns, so each stretch of K has a share of its own.
  for (const std::int64_t K : {256, 257, 511, 512, 513, 1031}) {
    check("K of several blocks",
          problem_of(
              {5, 6, K}, [](auto m, auto) { return static_cast<double>(m + 1); },
              [](auto n, auto k) { return static_cast<double>(1 + k / 128 + n); }),
          /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST(Fp16Gemm, CountsPast2048) {
  // From 2048 on FP16 steps by 2, from 4096 on by 4: ones are lost if all of K is one sum, 3 · 3
  // even if it is cut into blocks.
  const auto all = [](double value) { return [=](auto, auto) { return value; }; };
  check("4096 ones", problem_of({2, 3, 4096}, all(1), all(1)), /*exact=*/true);
  check("4096 times 3 * 3", problem_of({2, 3, 4096}, all(3), all(3)), /*exact=*/true);
}

TEST(Fp16Gemm, DoesNotUseWhatYHeld) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : {GemmShape{3, 5, 7}, {5, 66, 300}, {4, 3, 0}}) {
    const std::string what = seeded("Y full of old values", seed);
    const Problem problem = random_problem(shape, Values::kIntegers, random);
    check(what, problem, /*exact=*/true);
    // Not only NaN: old numbers that are finite must leave no trace either.
    const testing::AssertionResult same =
        problem.run().written_exactly(problem.run(Guarded<float>::kOtherPoison));
    if (!same) reject(name_of(what, shape), same.message());
  }
}

/// Computes the product in the middle of a sheet of -0 and judges the places around it: where sums of
/// padding are added, which are 0, a NaN would stay as it is, but -0 + 0 is 0.
void check_outside(const std::string& name, const Problem& problem) {
  constexpr std::int64_t kMargin = 8;
  const auto [M, N, K] = problem.shape;
  Matrix<float> sheet(M + 2 * kMargin, N + 2 * kMargin), written(sheet.rows(), sheet.cols());
  std::fill_n(sheet.data(), sheet.rows() * sheet.cols(), -0.0F);
  exercise::fp16_gemm(problem.x.view(), problem.w.view(),
                      {&sheet(kMargin, kMargin), M, N, sheet.cols()});
  for (std::int64_t r = 0; r < sheet.rows(); ++r) {
    for (std::int64_t c = 0; c < sheet.cols(); ++c) {
      const bool inside = r >= kMargin && r < kMargin + M && c >= kMargin && c < kMargin + N;
      const bool as_it_was = sheet(r, c) == 0 && std::signbit(sheet(r, c));
      written(r, c) = inside || as_it_was ? 0.0F : 1.0F;
    }
  }
  const auto place = [m_end = M, n_end = N](std::int64_t r, std::int64_t c) {
    std::ostringstream out;
    out << "[" << r - kMargin << ", " << c - kMargin << "], and Y is [" << m_end << ", " << n_end
        << "]";
    return out.str();
  };
  judge({.name = name,
         .place = place,
         .value = [](double value) { return value == 0 ? "left as it was" : "written"; }},
        written.view(), Matrix<double>(sheet.rows(), sheet.cols()).view(), exactly());
}

TEST(Fp16Gemm, WritesNothingOutsideY) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : {GemmShape{4, 5, 6}, {5, 8, 3}, {3, 66, 300}, {8, 62, 9}}) {
    const Problem problem = random_problem(shape, Values::kIntegers, random);
    check(seeded("inside Y", seed), problem, /*exact=*/true);
    check_outside(name_of(seeded("around Y", seed), shape), problem);
    if (HasFailure()) return;  // one shape is enough to read
  }
}

TEST(Fp16Gemm, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : all_shapes()) {
    const Problem problem = random_problem(shape, Values::kIntegers, random);
    const Fenced<half_t> x(problem.x.view()), w(problem.w.view());  // a read past these is fatal
    Guarded<float> y(shape.M, shape.N);
    exercise::fp16_gemm(x.view(), w.view(), y.view());
    Matrix<double> expected(shape.M, shape.N), abs_sum(shape.M, shape.N);
    fp16_gemm_ref(problem.x.view(), problem.w.view(), expected.view(), abs_sum.view());
    judge({.name = name_of(seeded("memory ends behind X and W", seed), shape)}, y, expected.view(),
          exactly());
    if (HasFailure()) return;
  }
}

/// All shapes with one kind of values, until one fails.
void check_all_shapes(const NamedValues& kind) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : all_shapes()) {
    check(seeded(std::string(kind.name), seed), random_problem(shape, kind.values, random),
          kind.exact);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Fp16Gemm, IsExactOnIntegers) { check_all_shapes({Values::kIntegers, "integers", true}); }

TEST(Fp16Gemm, MatchesTheOracleOnNormalValues) {
  check_all_shapes({Values::kNormal, "normal", false});
}

TEST(Fp16Gemm, MatchesTheOracleOverTwelveOctaves) {
  check_all_shapes({Values::kLogUniform, "log-uniform", false});
}

TEST(Fp16Gemm, MatchesTheOracleWithAnOutlierChannel) {
  check_all_shapes({Values::kOutlierChannel, "outlier channel", false});
}

/// One output, with every partial sum rounded to FP16: what the exercise must not do.
double half_sum(const Problem& problem, std::int64_t m, std::int64_t n) {
  half_t sum{0};
  for (std::int64_t k = 0; k < problem.shape.K; ++k) {
    const float product = to_float(problem.x.view()(m, k)) * to_float(problem.w.view()(n, k));
    sum = from_float<half_t>(to_float(sum) + product);
  }
  return to_float(sum);
}

TEST(Fp16Gemm, LosesFarLessThanFp16Sums) {
  const TestSeed seed;
  Random random(seed);
  const Problem problem = random_problem({4, 33, 4096}, Values::kNormal, random);
  check(seeded("normal", seed), problem, /*exact=*/false);
  const Guarded<float> y = problem.run();
  Matrix<double> expected(4, 33), abs_sum(4, 33);
  fp16_gemm_ref(problem.x.view(), problem.w.view(), expected.view(), abs_sum.view());
  double error = 0, half_error = 0, size = 0;
  for (std::int64_t m = 0; m < 4; ++m) {
    for (std::int64_t n = 0; n < 33; ++n) {
      error += std::abs(y.view()(m, n) - expected(m, n));
      half_error += std::abs(half_sum(problem, m, n) - expected(m, n));
      size += std::abs(expected(m, n));
    }
  }
  // Steps of FP32 are 2¹³ times finer; a factor of 8 is left to chance.
  EXPECT_LT(error * 1024, half_error) << "summed errors, yours and of FP16 sums";
  const auto one = [](auto, auto) { return 1.0; };
  const Problem ones = problem_of({1, 1, 4096}, one, one);
  std::ostringstream fact;
  fact.precision(2);
  fact << "4,096 ones sum to " << std::llround(half_sum(ones, 0, 0)) << " in FP16, and to "
       << std::llround(ones.run().view()(0, 0)) << " in your FP32 sums. On normal values FP16 sums "
       << "are off by " << 100 * half_error / size << " %, yours by " << 100 * error / size
       << " %.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
