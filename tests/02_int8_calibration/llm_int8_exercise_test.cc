// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise llm_int8. Most cases are exact in every order of summation, and the two
/// formats of W hold different numbers, so that a column in the wrong part shows.
#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/llm_int8_checks.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

TEST(LlmInt8, FindsColumnsWithAnOutlierInAnyToken) {
  const float x[] = {9,  1, 0, -7.5F, 0, 5,  //
                     -1, 2, 0, 0.5F,  7, 5,  //
                     1,  3, 0, 1,     8, -5};
  check_columns("by hand", {x, 3, 6, 6}, 6, {1, 0, 0, 1, 1, 0});
  check_columns("by hand", {x, 3, 6, 6}, kNoThreshold, {0, 0, 0, 0, 0, 0});
  check_columns("the second and third token alone", {x + 6, 2, 6, 6}, 6, {0, 0, 0, 0, 1, 0});
}

TEST(LlmInt8, CountsAMagnitudeAtTheThreshold) {
  const float under = std::nextafter(6.0F, 0.0F), over = std::nextafter(6.0F, 7.0F);
  const float x[] = {under, 6, over, -under, -6, -over};
  check_columns("just under 6, 6, just over", {x, 1, 6, 6}, 6, {0, 1, 1, 0, 1, 1});
  check_columns("a threshold under all but 0", {x, 1, 6, 6}, 0x1p-149F, {1, 1, 1, 1, 1, 1});
}

TEST(LlmInt8, MatchesPaperAndPencil) {
  // Columns 1 and 3 have outliers. What is left of token 0 is 127 · ½ and 3 · ½, of token 1 127 · 2
  // and -10 · 2; weights are as written, in FP16 a quarter more.
  constexpr float kX[2][4] = {{63.5F, 8, 1.5F, 1000}, {-20, 600, 254, -700}};
  constexpr int kW[3][4] = {{1, 0, 0, 0}, {0, 2, 0, 1}, {-1, 3, 4, -2}};
  LlmInt8Problem problem = problem_of(
      {2, 3, 4}, [&](auto m, auto k) { return kX[m][k]; }, [&](auto n, auto k) { return kW[n][k]; },
      [&](auto n, auto k) { return kW[n][k] + 0.25; });
  problem.w_scale = {1, 1, 0.5F};
  const double y[2][3] = {
      {63.5 + (8 + 1000) * 0.25, 8 * 2.25 + 1000 * 1.25,
       (-63.5 + 4 * 1.5) / 2 + 8 * 3.25 - 1000 * 1.75},
      {-20 + (600 - 700) * 0.25, 600 * 2.25 - 700 * 1.25,
       (20 + 4 * 254) / 2.0 + 600 * 3.25 + 700 * 1.75},
  };
  Matrix<double> expected(2, 3);
  for (std::int64_t m = 0; m < 2; ++m) std::copy_n(y[m], 3, expected.view().row(m));
  judge({.name = name_of("by hand", 512),
         .place = [&](auto m, auto n) { return place_of(problem, 512, m, n); }},
        run(problem, 512), expected.view(), exactly());
}

TEST(LlmInt8, ShowsWithOneHotTokensWhichWeightWentWhere) {
  for (const GemmShape& shape : kGemmShapes) {
    // Token m is 1024 in one column, the last one first: 1024 times a weight, from one part.
    const int K = static_cast<int>(shape.K);
    const auto column = [&](int m) { return (37 * m + K - 1) % K; };
    const LlmInt8Problem problem = problem_of(
        shape, [&](auto m, auto k) { return k == column(m) ? 1024 : 0; },
        [](auto n, auto k) { return (31 * n + k) % 251 - 125; },
        [](auto n, auto k) { return 200 + (17 * n + k) % 251; });
    check("one-hot tokens", problem, kExactThreshold, /*exact=*/true);
    if (HasFailure()) return;  // one shape is enough to read
  }
}

TEST(LlmInt8, RefinesTheStepOfTheToken) {
  // Left over are whole steps of 1/64, -127 … 127; with the outlier a step would be 1000/127.
  check("an outlier of 1000 among values under 2",
        problem_of(
            {1, 4, 9}, [](auto, auto k) { return k == 4 ? 1000 : (k == 0 ? 127 : 9 * k) / 64.0; },
            [](auto n, auto k) { return n - k % 3; }, [](auto n, auto) { return n + 1.0; }),
        6, /*exact=*/true);
}

TEST(LlmInt8, TakesTheWholeColumnOut) {
  // Token 1 has 5.75 in the column of token 0's outlier: no outlier, yet no part of the step.
  check("5.75 in a column with an outlier",
        problem_of(
            {2, 3, 5},
            [](auto m, auto k) {
              return k == 2 ? (m == 0 ? 100 : 5.75) : (k == 0 ? 127 : 10 * k) / 64.0;
            },
            [](auto n, auto k) { return n + k; }, [](auto n, auto) { return 0.5 - n; }),
        6, /*exact=*/true);
}

TEST(LlmInt8, RoundsCodesToTheNearestAndTiesToEven) {
  // The first value makes the step 2; weights pick one value each.
  check(
      "ties: half steps of 2",
      problem_of(
          {2, 8, 9}, [](auto m, auto k) { return k == 0 ? 254 : (m == 0 ? 1 : -1) * (2 * k - 7); },
          [](auto n, auto k) { return k == n + 1 ? 1 : 0; }, [](auto, auto) { return 0.0; }),
      kNoThreshold, /*exact=*/true);
  check("quarter steps of 2",
        problem_of(
            {2, 8, 9},
            [](auto m, auto k) { return k == 0 ? 254 : (m == 0 ? 1 : -1) * (0.5 + 1.5 * k); },
            [](auto n, auto k) { return k == n + 1 ? 1 : 0; }, [](auto, auto) { return 0.0; }),
        kNoThreshold, /*exact=*/true);
}

TEST(LlmInt8, HoldsLongSumsOfLargeCodes) {
  check("1000 times 127 * 127",
        problem_of(
            {2, 3, 1000}, [](auto, auto) { return 127; }, [](auto, auto) { return 127; },
            [](auto, auto) { return 0.0; }),
        kNoThreshold, /*exact=*/true);
}

TEST(LlmInt8, IsExactWhereBothPartsAre) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    const LlmInt8Problem problem = exact_problem(shape, random);
    for (const float threshold : {kExactThreshold, kNoThreshold}) {
      // Without a threshold a token's step is that of its outlier, and rounding is not exact.
      check("powers of two", problem, threshold, threshold == kExactThreshold);
    }
    if (HasFailure()) return;
  }
}

TEST(LlmInt8, IsFp16BelowEveryMagnitude) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    check("every column in FP16", random_problem(shape, Values::kLogUniform, random), 0x1p-7F,
          /*exact=*/false);
    if (HasFailure()) return;
  }
}

TEST(LlmInt8, MatchesTheOracle) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    check("normal", random_problem(shape, Values::kNormal, random), 2, /*exact=*/false);
    check("outlier channel", random_problem(shape, Values::kOutlierChannel, random), 6,
          /*exact=*/false);
    check("12 octaves", random_problem(shape, Values::kLogUniform, random), 50, /*exact=*/false);
    if (HasFailure()) return;
  }
}

TEST(LlmInt8, MatchesNumbersMadeElsewhere) {
  const LlmInt8Golden golden;
  for (const LlmInt8Golden::Case& c : golden.cases) {
    check_columns("golden", golden.problem.x.view(), c.threshold, c.outlier);
    judge({.name = name_of("golden", c.threshold),
           .place = [&](auto m, auto n) { return place_of(golden.problem, c.threshold, m, n); }},
          run(golden.problem, c.threshold), c.y.view(),
          [&](auto m, auto n) { return c.allowed(m, n); });
  }
}

TEST(LlmInt8, LetsOneTokenChangeWhatAnotherGets) {
  // The second token has an outlier in column 2, where the first one has 3: alone, the first token
  // is all INT8; together with the second one it gets that product from the FP16 weights.
  const LlmInt8Problem pair = problem_of(
      {2, 5, 6}, [](auto m, auto k) { return k == 2   ? 3 + 897 * m
                                             : k == 0 ? 127
                                                      : 5 * m - k; },
      [](auto n, auto k) { return n + k; }, [](auto n, auto k) { return n + k + 0.5; });
  LlmInt8Problem alone = pair;
  alone.shape.M = 1;
  alone.x = Operand<float>(1, 6);
  std::copy_n(pair.x.view().row(0), 6, alone.x.view().row(0));
  check("the first token alone", alone, kExactThreshold, /*exact=*/true);
  check("the first token, and one with an outlier", pair, kExactThreshold, /*exact=*/true);
}

TEST(LlmInt8, IsNotChangedByZeros) {
  // Token 1 is all zeros, and so is column 4, whatever its weights are.
  const auto x = [](auto m, auto k) {
    if (m == 1 || k == 4) return 0.0;
    return k == 3 && m == 2 ? 640.0 : k == 0 ? 127.0 : static_cast<double>(k - 3 * m);
  };
  for (const float threshold : {kExactThreshold, 0x1p-149F}) {
    check("a token of zeros and a column of zeros",
          problem_of(
              {3, 4, 7}, x, [](auto n, auto k) { return k == 4 ? 127 : n - k; },
              [](auto n, auto k) { return k == 4 ? 1000.0 : n - k + 0.5; }),
          threshold, /*exact=*/true);
  }
}

TEST(LlmInt8, ReadsAndWritesNothingOutside) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    const LlmInt8Problem problem = exact_problem(shape, random);
    const Fenced<float> x(problem.x.view()), scale({problem.w_scale.data(), 1, shape.N, shape.N});
    const Fenced<std::int8_t> w8(problem.w8.view());  // a read past these is fatal
    const Fenced<half_t> w16(problem.w16.view());
    Guarded<float> y(shape.M, shape.N);
    exercise::llm_int8_gemm(x.view(), {{w8.view(), scale.data()}, w16.view()}, kExactThreshold,
                            y.view());
    const LlmInt8Expected expected = expected_of(problem, problem.weights(), kExactThreshold);
    std::ostringstream name;
    name << name_of("memory ends behind the inputs", kExactThreshold) << ": " << shape;
    judge({.name = name.str()}, y, expected.value.view(), exactly());
    if (HasFailure()) return;
  }
}

/// A product with an outlier that is right, for the tests of what is refused.
LlmInt8Problem accepted_problem() {
  return problem_of(
      {2, 3, 40}, [](auto m, auto k) { return k == 7   ? 600 * m
                                              : k == 0 ? 127
                                                       : k % 9; },
      [](auto n, auto k) { return n - k % 5; }, [](auto n, auto) { return 2.0 * n; });
}

TEST(LlmInt8, RefusesAThresholdThatIsNotAbove0) {
  const LlmInt8Problem problem = accepted_problem();
  check("accepted", problem, kExactThreshold, /*exact=*/true);
  std::vector<Refusal> refusals;
  for (const float threshold : {0.0F, -6.0F, std::numeric_limits<float>::quiet_NaN()}) {
    refusals.push_back({"threshold " + text_of(threshold), "bitsandbytes writes 0",
                        [&, threshold] { run(problem, threshold); }});
  }
  check_refusals("threshold not above 0", refusals);
}

TEST(LlmInt8, RefusesValuesThatNoPartCanHold) {
  const LlmInt8Problem good = accepted_problem();
  check("accepted", good, kExactThreshold, /*exact=*/true);
  std::vector<Refusal> refusals;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kNoThreshold, -kNoThreshold}) {
    refusals.push_back({"X[1, 39] is " + text_of(bad), "X[1, 39] is", [=] {
                          LlmInt8Problem problem = good;
                          problem.x.view()(1, 39) = bad;
                          run(problem, kNoThreshold);
                        }});
  }
  refusals.push_back({"65520 as an outlier", "X[0, 7] is 65520; FP16 cannot hold", [=] {
                        LlmInt8Problem problem = good;
                        problem.x.view()(0, 7) = 65520;
                        run(problem, 6);
                      }});
  refusals.push_back({"W.int8 with zero points", "W.int8 has zero points", [=] {
                        const std::vector<std::int32_t> zero_point(
                            static_cast<std::size_t>(good.shape.N));
                        LlmInt8Weights weights = good.weights();
                        weights.int8.zero_point = zero_point.data();
                        Matrix<float> y(good.shape.M, good.shape.N);
                        exercise::llm_int8_gemm(good.x.view(), weights, kNoThreshold, y.view());
                      }});
  check_refusals("values that are not finite, no FP16, or operands with zero points", refusals);
}

TEST(LlmInt8, ErrsLessThanInt8Alone) {
  const TestSeed seed;
  Random random(seed);
  LlmInt8Problem problem = random_problem({16, 64, 512}, Values::kNormal, random);
  for (const std::int64_t k : {40, 200, 201, 400}) {
    for (std::int64_t m = 0; m < 16; ++m) problem.x.view()(m, k) *= 30;
  }
  check("four of 512 columns 30 times as large", problem, 6, /*exact=*/false);
  // The exact product is that of a threshold under every magnitude, but for FP16.
  Matrix<double> exact(16, 64);
  llm_int8_gemm_ref(problem.x.view(), problem.weights(), 0x1p-149F, exact.view());
  const auto error = [&](float threshold) {
    const Guarded<float> y = run(problem, threshold);
    double squares = 0, of_errors = 0;
    for (std::int64_t m = 0; m < 16; ++m) {
      for (std::int64_t n = 0; n < 64; ++n) {
        squares += exact(m, n) * exact(m, n);
        of_errors += std::pow(y.view()(m, n) - exact(m, n), 2);
      }
    }
    return std::sqrt(of_errors / squares);
  };
  const double split = error(6), int8 = error(kNoThreshold);
  EXPECT_LT(split * 2, int8) << "root mean square errors with threshold 6 and without";
  std::ostringstream fact;
  fact.precision(2);
  fact << "With " << exercise::outlier_columns(problem.x.view(), 6).size()
       << " outlier columns of 512 in FP16 your product is off by " << 100 * split
       << " % (root mean square), with all of them in INT8 by " << 100 * int8 << " %.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
