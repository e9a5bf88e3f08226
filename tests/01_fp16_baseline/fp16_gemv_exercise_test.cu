// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise fp16_gemv.
#include "01_fp16_baseline/fp16_gemv.h"

#include <array>

#include "01_fp16_baseline/fp16_cuda.h"

namespace qlab::test {
namespace {

struct Fp16Gemv : CudaExercise {};

const Operation kGemv = {.launch = [](const half* X, const half* W, float* Y, int, int N,
                                      int K) { exercise::fp16_gemv(W, X, Y, N, K); },
                         .allowed = [](MatrixView<const double> abs_sum,
                                       std::int64_t K) { return dot_product(abs_sum, K); }};

TEST_F(Fp16Gemv, MatchesPaperAndPencil) {
  constexpr std::array kX = {1.0, 2.0, 3.0, -0.5};
  constexpr double kW[3][4] = {{1, 0, 0, 0}, {0, 1, -1, 4}, {0.25, 8, 1, 2}};
  Product p("paper and pencil", {1, 3, 4});
  Matrix<double> expected(1, 3);
  for (std::int64_t k = 0; k < 4; ++k) {
    p.x(0, k) = element<half_t>(kX[static_cast<std::size_t>(k)]);
    for (std::int64_t n = 0; n < 3; ++n) p.w(n, k) = element<half_t>(kW[n][k]);
  }
  expected(0, 0) = 1, expected(0, 1) = -3, expected(0, 2) = 18.25;
  judge({.name = p.name}, run(kGemv, p, Behind::kNan).view(), expected.view(), exactly());
}

TEST_F(Fp16Gemv, ShowsWithAOneHotXWhichWeightItReads) {
  // Places in the first pair, in later lanes, in the second step of 64, and in a tail.
  for (const std::int64_t K : {64, 70, 134}) {
    for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, std::int64_t{5},
                                 std::int64_t{32}, std::int64_t{63}, K - 6, K - 1}) {
      Product p("x is 1 at k = " + std::to_string(k) + " only", {1, 9, K});
      p.x(0, k) = element<half_t>(1);
      fill_with_places(p.w.view());
      check(kGemv, p, /*exact=*/true);
      if (HasFailure()) return;
    }
  }
}

TEST_F(Fp16Gemv, AddsUpAllLanes) {
  Product p("x = 1, pair p of every row is p", {1, 5, 64});
  fill_with(p.x.view(), 1);
  for (std::int64_t n = 0; n < 5; ++n) {
    for (std::int64_t k = 0; k < 64; ++k) p.w(n, k) = element<half_t>(static_cast<double>(k / 2));
  }
  check(kGemv, p, /*exact=*/true);
}

TEST_F(Fp16Gemv, ReadsTheTailOfARow) {
  for (const std::int64_t K : {2, 62, 66, 70, 190}) {
    Product p("the last weight of each row is 7, the others 0", {1, 3, K});
    fill_with(p.x.view(), 1);
    for (std::int64_t n = 0; n < 3; ++n) p.w(n, K - 1) = element<half_t>(7);
    check(kGemv, p, /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST_F(Fp16Gemv, ComputesEveryRowOfEveryBlock) {
  for (const std::int64_t N : {1, 3, 4, 5, 8, 9, 31, 257}) {
    Product p("row n has the sum n", {1, N, 16});
    fill_with(p.x.view(), 1);
    for (std::int64_t n = 0; n < N; ++n) p.w(n, 3) = element<half_t>(static_cast<double>(n));
    check(kGemv, p, /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST_F(Fp16Gemv, SumsInFp32) {
  // Each lane begins with 4096, where FP16 counts in steps of 4: ones would vanish.
  Product p("x = 1, 64 weights of 2048, then ones", {1, 2, 512});
  fill_with(p.x.view(), 1);
  fill_with(p.w.view(), 1);
  for (std::int64_t k = 0; k < 64; ++k) p.w(1, k) = element<half_t>(2048);
  check(kGemv, p, /*exact=*/true);
}

TEST_F(Fp16Gemv, MatchesTheOracle) {
  const TestSeed seed;
  check_kinds(kGemv, {{1, 1, 2}, {1, 7, 34}, {1, 17, 258}, {1, 13, 70}, {1, 5, 4098}}, seed);
}

// Guards what values cannot show: a read past an operand ends the run with the thread's name.
TEST_F(Fp16Gemv, ReadsNothingOutsideItsOperands) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : {GemmShape{1, 1, 2}, {1, 5, 70}, {1, 6, 64}}) {
    check(kGemv, Product("operands that end with their memory", shape, Values::kIntegers, random),
          /*exact=*/true, Behind::kNothing);
  }
}

TEST_F(Fp16Gemv, ReadsNeighbouringPairsInNeighbouringLanes) {
  Random random(1);
  const Product p("sectors", {1, 8, 256}, Values::kIntegers, random);
#if defined(__CUDACC__)
  check(kGemv, p, /*exact=*/true);
  GTEST_SKIP() << "sectors are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kGemv, p, /*exact=*/true);
  const Accesses loads = accesses(tracing, "W", /*store=*/false);
  judge_number(p.name, "sectors of 32 bytes that a warp's load of W takes", loads.units_a_request(),
               4);
  std::ostringstream fact;
  fact << "A warp's load of W took " << loads.units_a_request() << " sectors of 32 bytes.";
  RecordProperty("fact", fact.str());
#endif
}

TEST_F(Fp16Gemv, RefusesAnOddK) {
  Random random(1);
  check(kGemv, Product("the nearest K that is allowed", {1, 2, 4}, Values::kIntegers, random),
        /*exact=*/true);
  const Product odd("odd K", {1, 2, 5}, Values::kIntegers, random);
  EXPECT_THROW(run(kGemv, odd, Behind::kNan), ContractError);
  const Product empty("K = 0", {1, 2, 0});
  EXPECT_THROW(run(kGemv, empty, Behind::kNan), ContractError);
}

}  // namespace
}  // namespace qlab::test
