// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise w8a8_gemm_dp4a.
#include "02_int8_calibration/w8a8_gemm_dp4a.h"

#include "02_int8_calibration/int8_cuda.h"

namespace qlab::test {
namespace {

struct W8A8GemmDp4a : CudaExercise {};

const Int8Gemm kDp4a = exercise::w8a8_gemm_dp4a;

TEST_F(W8A8GemmDp4a, MatchesPaperAndPencil) { check_paper_and_pencil(kDp4a, 3); }

TEST_F(W8A8GemmDp4a, ShowsWithOneHotTokensWhichWeightTheyRead) {
  // Places in the first word, in later lanes, in the second step of 32 words, and in a tail.
  for (const std::int64_t K : {128, 134, 261}) {
    Int8Product p("token m is 1 at one k only", {7, 9, K});
    const std::int64_t hot[] = {0, 3, 5, 32, 127, K - 6, K - 1};
    for (std::int64_t m = 0; m < 7; ++m) p.x(m, hot[m]) = 1;
    fill_with_places(p.w.view());
    check(kDp4a, p);
    if (HasFailure()) return;
  }
}

TEST_F(W8A8GemmDp4a, TakesCodesWithTheirSign) {
  Int8Product p("codes -1 and -128", {2, 2, 4});
  fill_with(p.x.view(), -1);
  fill_with(p.w.view(), -1);
  for (std::int64_t k = 0; k < 4; ++k) p.x(1, k) = p.w(1, k) = -128;
  check(kDp4a, p);
}

TEST_F(W8A8GemmDp4a, TakesNothingFromBehindARow) {
  // Behind a row lie codes of 85; rows are as close as they can be, or further apart.
  for (const std::int64_t gap : {0, 12}) {
    for (const std::int64_t K : {1, 2, 3, 5, 6, 7, 126, 129}) {
      Int8Product p("ones, so every element is K", {3, 5, K}, gap);
      fill_with(p.x.view(), 1);
      fill_with(p.w.view(), 1);
      check(kDp4a, p);
      if (HasFailure()) return;
    }
  }
}

TEST_F(W8A8GemmDp4a, CountsTheLastCodesOfARow) {
  for (const std::int64_t K : {1, 2, 3, 4, 8, 124, 128, 130, 132}) {
    Int8Product p("the last four codes of each row are 7 or as many as it has, the others 0",
                  {2, 3, K});
    fill_with(p.x.view(), 1);
    for (std::int64_t n = 0; n < 3; ++n) {
      for (std::int64_t k = std::max<std::int64_t>(0, K - 4); k < K; ++k) p.w(n, k) = 7;
    }
    check(kDp4a, p);
    if (HasFailure()) return;
  }
}

TEST_F(W8A8GemmDp4a, AddsUpAllLanes) {
  Int8Product p("X = 1, word p of every row of W has the codes p", {1, 5, 128});
  fill_with(p.x.view(), 1);
  for (std::int64_t n = 0; n < 5; ++n) {
    for (std::int64_t k = 0; k < 128; ++k) p.w(n, k) = static_cast<std::int8_t>(k / 4);
  }
  check(kDp4a, p);
}

TEST_F(W8A8GemmDp4a, SumsInInt32) {
  // One lane's share is 2²⁴, where FP32 counts in steps of 2: a share of 1 would vanish.
  Int8Product p("word 0 of every 32 gives 2¹⁶, words 1 and 16 of the first 32 give 1 each",
                {1, 2, 32768});
  for (std::int64_t k = 0; k < 32768; k += 128) {
    for (std::int64_t i = k; i < k + 4; ++i) {
      p.x(0, i) = -128;
      p.w(0, i) = -128;
    }
  }
  for (const std::int64_t k : {4, 64}) p.x(0, k) = p.w(0, k) = p.w(1, k) = 1;
  check(kDp4a, p);
}

TEST_F(W8A8GemmDp4a, ScalesByTokenAndByChannel) { check_scales(kDp4a, {6, 11, 5}); }

TEST_F(W8A8GemmDp4a, ComputesEveryTokenAndChannelAndNothingElse) {
  for (const GemmShape& shape : {GemmShape{1, 1, 5}, {3, 4, 5}, {4, 3, 5}, {5, 9, 5}, {9, 5, 5}}) {
    Int8Product p("Y[m, n] = m + 16 n", shape);
    for (std::int64_t m = 0; m < shape.M; ++m) {
      p.x(m, 0) = static_cast<std::int8_t>(m);
      p.x(m, 4) = 16;
    }
    for (std::int64_t n = 0; n < shape.N; ++n) {
      p.w(n, 0) = 1;
      p.w(n, 4) = static_cast<std::int8_t>(n);
    }
    check(kDp4a, p);
    check_around(kDp4a, p);
    if (HasFailure()) return;
  }
}

TEST_F(W8A8GemmDp4a, MatchesTheOracle) {
  const TestSeed seed;
  check_codes(kDp4a, {{1, 1, 1}, {1, 7, 33}, {6, 17, 258}, {3, 9, 1031}, {2, 5, 4099}}, seed);
}

// Guards what values cannot show: a read past an operand ends the run with the thread's name.
TEST_F(W8A8GemmDp4a, ReadsNothingOutsideItsOperands) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{1, 1, 4}, {5, 3, 140}, {2, 6, 128}}) {
    Int8Product p("operands that end with their memory", shape);
    p.fill_with_codes(random);
    check(kDp4a, p, Behind::kNothing);
  }
}

TEST_F(W8A8GemmDp4a, ReadsNeighbouringWordsInNeighbouringLanes) {
  Random random(1);
  Int8Product p("sectors", {4, 8, 512});
  p.fill_with_codes(random);
#if defined(__CUDACC__)
  check(kDp4a, p);
  GTEST_SKIP() << "sectors are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kDp4a, p);
  const Accesses loads = accesses(tracing, "W", /*store=*/false);
  judge_number(p.name, "sectors of 32 bytes that a warp's load of W takes", loads.units_a_request(),
               4);
  const double times = loads.lanes / (8 * 512 / 4);
  judge_number(p.name, "times that each word of W is read for four tokens", times, 1);
  std::ostringstream fact;
  fact << "A warp's load of W took " << loads.units_a_request()
       << " sectors of 32 bytes; four tokens read each word of W " << times << " time.";
  RecordProperty("fact", fact.str());
#endif
}

TEST_F(W8A8GemmDp4a, RefusesAStrideThatIsNoMultipleOf4) {
  Random random(1);
  Int8Product p("the smallest stride", {1, 2, 4});
  p.fill_with_codes(random);
  check(kDp4a, p);
  EXPECT_THROW(run(kDp4a, Int8Product("no multiple of 4", {1, 2, 4}, 2), Behind::kNan),
               ContractError);
  EXPECT_THROW(run(kDp4a, Int8Product("less than K", {1, 2, 4}, -4), Behind::kNan), ContractError);
  EXPECT_THROW(run(kDp4a, Int8Product("K = 0", {1, 2, 0}, 4), Behind::kNan), ContractError);
  EXPECT_THROW(run(kDp4a, Int8Product("no rows", {0, 2, 4}), Behind::kNan), ContractError);
}

}  // namespace
}  // namespace qlab::test
