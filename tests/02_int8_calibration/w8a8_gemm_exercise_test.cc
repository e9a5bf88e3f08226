// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise w8a8_gemm. Sums are integers and most scales powers of two, so that nearly all
/// cases allow no difference. Outputs are poisoned with NaN, rows stand apart.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/w8a8_exercise.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

TEST(W8A8Gemm, MatchesPaperAndPencil) {
  constexpr int kX[2][2] = {{-1, 4}, {5, -6}}, kW[3][2] = {{3, -5}, {1, 0}, {-2, 7}};
  constexpr double kY[2][3] = {{-97, 36, 215}, {45, 5, -52}};
  W8A8Problem problem = problem_of(
      {2, 3, 2}, [&](auto m, auto k) { return kX[m][k]; },
      [&](auto n, auto k) { return kW[n][k]; });
  set_scales_to_one(problem);
  problem.zero_point = {-37, 0};
  Matrix<double> expected(2, 3);
  for (std::int64_t m = 0; m < 2; ++m) std::copy_n(kY[m], 3, expected.view().row(m));
  judge_problem("by hand, all scales 1", problem, run(problem), expected.view());
}

TEST(W8A8Gemm, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/w8a8_zero_points.txt");
  std::string comment;
  GemmShape shape{};
  ASSERT_TRUE(std::getline(file, comment) && file >> shape.M >> shape.N >> shape.K);
  W8A8Problem problem(shape);
  read_codes(file, problem.x.view());
  read_codes(file, problem.w.view());
  W8A8Problem sums = problem;
  set_scales_to_one(sums);
  problem.set_zero_points({0});
  for (std::int32_t& zero_point : problem.zero_point) file >> zero_point;
  for (float& scale : problem.x_scale) file >> scale;
  for (float& scale : problem.w_scale) file >> scale;
  for (const W8A8Problem* part : {&sums, &problem}) {
    Matrix<double> expected(shape.M, shape.N);
    for (std::int64_t i = 0; i < shape.M * shape.N; ++i) file >> expected.data()[i];
    ASSERT_TRUE(file) << "w8a8_zero_points.txt ends early";
    judge_problem(part == &sums ? "golden sums of codes, all scales 1" : "golden", *part,
                  run(*part), expected.view());
  }
}

TEST(W8A8Gemm, ShowsWithOneHotRowsWhichCodeWentWhere) {
  for (const GemmShape& shape : kGemmShapes) {
    // Row m picks column (37·m + K - 1) % K of W: the last one first, then far apart.
    const auto column = [&](std::int64_t m) { return (37 * m + shape.K - 1) % shape.K; };
    const W8A8Problem problem = problem_of(
        shape, [&](auto m, auto k) { return k == column(m) ? 1 : 0; },
        [](auto n, auto k) { return (31 * n + k) % 256 - 128; });
    const auto place = [&](auto m, auto n) {
      std::ostringstream out;
      out << "Y[" << m << ", " << n << "], which is W.codes[" << n << ", " << column(m)
          << "] = " << static_cast<int>(problem.w.view()(n, column(m))) << " times both scales";
      return out.str();
    };
    judge({.name = name_of("one-hot rows of X", shape), .place = place}, run(problem),
          problem.expected().view(), exactly());
    if (HasFailure()) return;  // one shape is enough to read
  }
}

TEST(W8A8Gemm, ScalesRowsByTheirTokenAndColumnsByTheirChannel) {
  const W8A8Problem problem = problem_of(
      {7, 9, 1}, [](auto, auto) { return 1; }, [](auto, auto) { return 1; });
  check("one times one", problem);
}

TEST(W8A8Gemm, ReadsMinusOneAsMinusOne) {
  check("x = -1", problem_of(
                      {2, 3, 1}, [](auto, auto) { return -1; },
                      [](auto n, auto) { return static_cast<int>(n) + 1; }));
  check("negative codes", problem_of(
                              {5, 3, 6}, [](auto m, auto k) { return -1 - 3 * m - k; },
                              [](auto n, auto k) { return n - 2 * k; }));
}

TEST(W8A8Gemm, SumsIn32Bits) {
  // The second product of 127 · 127 fills 15 bits, the third passes 16; Σ w passes 8 at once.
  for (const std::int64_t K : {2, 3, 4}) {
    W8A8Problem problem({2, 3, K});
    problem.set_all(127, 127);
    check("all codes 127", problem);
    problem.set_all(-128, -128);
    check("all codes -128", problem);
  }
}

TEST(W8A8Gemm, MultipliesEveryPairOfCodes) {
  // Once, and beside its like: where neighbours are added in 16 bits, the larger pairs saturate.
  for (const std::int64_t K : {1, 2}) {
    const auto code = [](auto row, auto) { return static_cast<int>(row) - 128; };
    check("each of the 256 codes times each", problem_of({256, 256, K}, code, code));
  }
}

TEST(W8A8Gemm, TakesOutTheZeroPointOfEachRow) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int32_t zero_point : {-37, 127, -128}) {
    W8A8Problem problem = random_problem({3, 5, 19}, random);
    problem.set_zero_points({zero_point});
    check(seeded("one zero point for all rows", seed), problem);
  }
  W8A8Problem problem = random_problem({9, 4, 33}, random);
  problem.set_zero_points({-37, 0, 127, -128, 5});
  check(seeded("rows with zero points of their own", seed), problem);
}

TEST(W8A8Gemm, TakesZeroPointsOfZeroForNone) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    W8A8Problem problem = random_problem(shape, random);
    check(seeded("no zero points", seed), problem);
    const Guarded<float> symmetric = run(problem);
    problem.set_zero_points({0});
    check(seeded("all zero points 0", seed), problem);
    const testing::AssertionResult same =
        symmetric.written_exactly(run(problem, Guarded<float>::kOtherPoison));
    if (!same) reject(name_of("zero points 0 against none", shape), same.message());
    if (HasFailure()) return;
  }
}

TEST(W8A8Gemm, IgnoresAConstantAddedToCodesAndZeroPoint) {
  const TestSeed seed;
  Random random(seed);
  W8A8Problem problem = problem_of(
      {6, 7, 41}, [&](auto, auto) { return random.below(128) - 64; },
      [&](auto, auto) { return random.below(256) - 128; });
  problem.set_zero_points({-37, 0, 64, -64, 5});
  const Matrix<double> before = problem.expected();
  for (std::int64_t m = 0; m < problem.shape.M; ++m) {
    const int constant = m % 2 == 0 ? 63 : -64;
    problem.zero_point[static_cast<std::size_t>(m)] += constant;
    for (std::int64_t k = 0; k < problem.shape.K; ++k) {
      problem.x.view()(m, k) = static_cast<std::int8_t>(problem.x.view()(m, k) + constant);
    }
  }
  judge_problem(seeded("63 or -64 added to codes and zero point", seed), problem, run(problem),
                before.view());
}

TEST(W8A8Gemm, SubtractsBeforeItRounds) {
  // Codes at their zero point or one above it: 80 million minus almost as much. FP32 would have
  // rounded both to multiples of 8.
  W8A8Problem problem = problem_of(
      {3, 4, 4097}, [](auto m, auto k) { return 72 + (k % (m + 3) == 0 ? 1 : 0); },
      [](auto n, auto k) { return 97 + n + k % 3; });
  problem.set_zero_points({72});
  check("codes at their zero point or one above", problem);
}

TEST(W8A8Gemm, HoldsTheLongestSums) {
  // Sums of x + 128 wrap around on the way: 131,071 · 255 · 127 is nearly 2³².
  const auto ends = [](auto row, auto) { return row % 2 == 0 ? -128 : 127; };
  const W8A8Problem symmetric = problem_of({2, 2, kW8A8MaxK}, ends, ends);
  check("the largest codes as often as the contract allows", symmetric);
  W8A8Problem affine = problem_of({4, 2, kW8A8MaxKWithZeroPoints}, ends, ends);
  affine.zero_point = {127, -128, -128, 127};
  check("the same, zero points at the other end", affine);
}

TEST(W8A8Gemm, DoesNotUseWhatYHeld) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : {GemmShape{3, 5, 7}, {2, 9, 64}, {4, 3, 0}}) {
    W8A8Problem problem = random_problem(shape, random);
    problem.set_zero_points({-37, 0, 127});
    check(seeded("Y full of NaN", seed), problem);
    // Old numbers that are finite must leave no trace either.
    judge_problem(seeded("Y full of old numbers", seed), problem,
                  run(problem, Guarded<float>::kOtherPoison), problem.expected().view());
  }
}

TEST(W8A8Gemm, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    W8A8Problem problem = random_problem(shape, random);
    problem.set_zero_points({-37, 0, 127});
    // A read past one of these is fatal.
    const Fenced<std::int8_t> x(problem.x.view()), w(problem.w.view());
    const Fenced<float> x_scale({problem.x_scale.data(), 1, shape.M, shape.M});
    const Fenced<float> w_scale({problem.w_scale.data(), 1, shape.N, shape.N});
    const Fenced<std::int32_t> zero_point({problem.zero_point.data(), 1, shape.M, shape.M});
    Guarded<float> y(shape.M, shape.N);
    exercise::w8a8_gemm({x.view(), x_scale.data(), zero_point.data()}, {w.view(), w_scale.data()},
                        y.view());
    judge_problem(seeded("memory ends behind each input", seed), problem, y,
                  problem.expected().view());
    if (HasFailure()) return;
  }
}

TEST(W8A8Gemm, RoundsThreeTimesWithOtherScales) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    W8A8Problem problem = random_problem(shape, random);
    problem.set_zero_points({-37, 0, 127, -128, 5});
    for (float& s : problem.x_scale) s = static_cast<float>(std::exp2(random.uniform(-20, 3)));
    for (float& s : problem.w_scale) s = static_cast<float>(std::exp2(random.uniform(-20, 3)));
    Matrix<double> value(shape.M, shape.N);
    w8a8_gemm_ref(problem.X(), problem.W(), value.view());
    // The conversion and two products, 2⁻²⁴ each: (1 + 2⁻²⁴)³ - 1 is less than 4 · 2⁻²⁴.
    judge_problem(seeded("scales of 23 octaves", seed), problem, run(problem), value.view(),
                  relative(value.view(), 4 * 0x1p-24));
    if (HasFailure()) return;
  }
}

TEST(W8A8Gemm, RefusesWhatTheContractExcludes) {
  const auto refused = [](const W8A8Problem& problem, const Int8Rows& W, const char* text) {
    Matrix<float> y(problem.shape.M, problem.shape.N);
    EXPECT_THAT([&] { exercise::w8a8_gemm(problem.X(), W, y.view()); },
                testing::ThrowsMessage<ContractError>(testing::HasSubstr(text)));
  };
  W8A8Problem problem({2, 3, 4}), longer({1, 1, kW8A8MaxKWithZeroPoints + 1});
  const W8A8Problem other({2, 3, 5});
  refused(problem, other.W(), "w8a8_gemm: W is [3, 5], expected [3, 4]");
  const std::int32_t zeros[3] = {};
  refused(problem, {problem.w.view(), problem.w_scale.data(), zeros}, "W has zero points, only X");
  problem.zero_point = {0, 128};
  refused(problem, problem.W(), "X.zero_point[1] = 128 is no code; choose one from -128 to 127");
  check("one more of K than zero points allow, without any", longer);
  longer.set_zero_points({1});
  refused(longer, longer.W(), "K = 65794 could overflow an int32 sum; split K at 65793");
}

/// Gives x, which is never negative, to the problem as codes 0 … 127 or, with a zero point, -128 … 127.
/// \return the error of the product against the one of the values, as a share of it.
double error_of(MatrixView<const float> x, bool affine, W8A8Problem& problem) {
  const auto [M, N, K] = problem.shape;
  quantize_rows_ref(x, Granularity::kPerRow, problem.x.view(), problem.x_scale.data());
  for (std::int64_t m = 0; affine && m < M; ++m) {
    const float step = *std::max_element(x.row(m), x.row(m) + K) / 255;
    problem.x_scale[static_cast<std::size_t>(m)] = step;
    for (std::int64_t k = 0; k < K; ++k) {
      problem.x.view()(m, k) = static_cast<std::int8_t>(std::nearbyint(x(m, k) / step) - 128);
    }
  }
  if (affine) problem.set_zero_points({-128});
  Matrix<double> value(M, N);
  w8a8_gemm_ref(problem.X(), problem.W(), value.view());
  const Guarded<float> y = run(problem);
  judge_problem(affine ? "behind a ReLU, zero point -128" : "behind a ReLU, no zero point", problem,
                y, value.view(), relative(value.view(), 4 * 0x1p-24));
  double error = 0, size = 0;
  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t n = 0; n < N; ++n) {
      double exact = 0;
      for (std::int64_t k = 0; k < K; ++k) exact += double{x(m, k)} * problem.w.view()(n, k);
      exact *= problem.w_scale[static_cast<std::size_t>(n)];
      error += std::pow(y.view()(m, n) - exact, 2);
      size += exact * exact;
    }
  }
  return std::sqrt(error / size);
}

TEST(W8A8Gemm, HalvesTheErrorOfOneSidedActivations) {
  const TestSeed seed;
  Random random(seed);
  constexpr GemmShape kShape{16, 64, 512};
  Matrix<float> x(kShape.M, kShape.K);
  for (std::int64_t i = 0; i < kShape.M * kShape.K; ++i) {
    x.data()[i] = static_cast<float>(std::max(0.0, random.normal()));
  }
  W8A8Problem problem = random_problem(kShape, random);  // its weights are what they are: exact
  const double symmetric = error_of(x.view(), /*affine=*/false, problem);
  const double affine = error_of(x.view(), /*affine=*/true, problem);
  // 255 steps instead of 127 are half as wide. 1,024 outputs leave 4 % to chance.
  EXPECT_NEAR(symmetric / affine, 2, 0.5) << "error without zero points over error with them";
  std::ostringstream fact;
  fact.precision(2);
  fact << "On activations that are never negative your product is off by " << 100 * symmetric
       << " % without zero points and by " << 100 * affine << " % with them, for one more "
       << "multiplication an output.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
