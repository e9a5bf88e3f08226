// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise w8a8_gemm_imma. What each register holds is PTX's: the golden file
/// tests/simt/golden/mma_fragments.csv checks the instruction itself, element by element.
#include "02_int8_calibration/w8a8_gemm_imma.h"

#include "02_int8_calibration/int8_cuda.h"

namespace qlab::test {
namespace {

struct W8A8GemmImma : CudaExercise {};

/// Rows are dense: K is a multiple of 16, and the stride is K.
const Int8Gemm kImma = [](const std::int8_t* X, const float* x_scale, const std::int8_t* W,
                          const float* w_scale, float* Y, int M, int N, int K,
                          int) { exercise::w8a8_gemm_imma(X, x_scale, W, w_scale, Y, M, N, K); };

TEST_F(W8A8GemmImma, MatchesPaperAndPencil) { check_paper_and_pencil(kImma, 16); }

TEST_F(W8A8GemmImma, PutsEveryElementOfAInItsPlace) {
  Int8Product p("W is the identity, X[m, k] = (31 m + k) mod 251 - 125, so Y = X", {16, 32, 32});
  fill_with_identity(p.w.view());
  fill_with_places(p.x.view());
  check(kImma, p);
}

TEST_F(W8A8GemmImma, PutsEveryElementOfBInItsPlace) {
  Int8Product p("X is the identity, W[n, k] = (31 n + k) mod 251 - 125, so Y is W transposed",
                {32, 24, 32});
  fill_with_identity(p.x.view());
  fill_with_places(p.w.view());
  check(kImma, p);
}

TEST_F(W8A8GemmImma, StoresEveryRowAndColumn) {
  Int8Product p("Y[m, n] = m + 64 n", {64, 32, 16});
  for (std::int64_t m = 0; m < 64; ++m) {
    p.x(m, 0) = static_cast<std::int8_t>(m);
    p.x(m, 15) = 64;
  }
  for (std::int64_t n = 0; n < 32; ++n) {
    p.w(n, 0) = 1;
    p.w(n, 15) = static_cast<std::int8_t>(n);
  }
  check(kImma, p);
}

TEST_F(W8A8GemmImma, ScalesByTokenAndByChannel) { check_scales(kImma, {35, 70, 16}); }

TEST_F(W8A8GemmImma, CountsEveryKOnce) {
  // A row's end is followed by the next row, the last one's by codes of 85.
  for (const std::int64_t K : {16, 32, 48, 64, 80, 144, 512}) {
    Int8Product p("ones, so every element is K", {3, 5, K});
    fill_with(p.x.view(), 1);
    fill_with(p.w.view(), 1);
    check(kImma, p);
    if (HasFailure()) return;
  }
}

TEST_F(W8A8GemmImma, SumsInInt32) {
  // 16 steps of K give 2²⁴ + 1024; after that FP32 counts in steps of 2, and 1 would vanish.
  Int8Product p("1025 products of 2¹⁴, then 1 in two steps of 64", {1, 2, 1216});
  for (std::int64_t k = 0; k < 1025; ++k) p.x(0, k) = p.w(0, k) = -128;
  for (const std::int64_t k : {1100, 1200}) p.x(0, k) = p.w(0, k) = p.w(1, k) = 1;
  check(kImma, p);
}

TEST_F(W8A8GemmImma, WritesTheEdgesAndNothingElse) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{1, 1, 16}, {63, 65, 48}, {65, 63, 80}, {17, 129, 16}}) {
    Int8Product p("sides around the tile's", shape);
    p.fill_with_codes(random);
    check(kImma, p);
    check_around(kImma, p);
    if (HasFailure()) return;
  }
}

TEST_F(W8A8GemmImma, WaitsForTheWholeTile) {
  // Steps of K that differ, under several schedules of the CPU: what another step or another thread
  // left behind in a tile gives another sum.
  simt::for_each_schedule(4, [&] {
    if (HasFailure()) return;  // one is enough to read
    Int8Product p("every 64 of K are one more than the last", {20, 24, 256});
    for (std::int64_t k = 0; k < 256; ++k) {
      for (std::int64_t m = 0; m < 20; ++m) p.x(m, k) = static_cast<std::int8_t>(k / 64 + 1);
      for (std::int64_t n = 0; n < 24; ++n) {
        p.w(n, k) = static_cast<std::int8_t>(n % 7 + k % 3 - 4);
      }
    }
    check(kImma, p);
  });
}

TEST_F(W8A8GemmImma, MatchesTheOracle) {
  const TestSeed seed;
  check_codes(kImma, {{1, 7, 80}, {17, 35, 272}, {66, 9, 48}, {3, 5, 2064}}, seed);
}

// Guards what values cannot show: a read past an operand ends the run with the thread's name.
TEST_F(W8A8GemmImma, ReadsNothingOutsideItsOperands) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{1, 1, 16}, {5, 3, 48}, {65, 66, 80}}) {
    Int8Product p("operands that end with their memory", shape);
    p.fill_with_codes(random);
    check(kImma, p, Behind::kNothing);
  }
}

TEST_F(W8A8GemmImma, LoadsFragmentsWithoutBankConflicts) {
  Random random(1);
  Int8Product p("one tile", {64, 64, 64});
  p.fill_with_codes(random);
#if defined(__CUDACC__)
  check(kImma, p);
  GTEST_SKIP() << "passes over the banks are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kImma, p);
  for (const char* tile : {"X tile", "W tile"}) {
    const double passes = accesses(tracing, tile, /*store=*/false).units_a_request();
    judge_number(p.name,
                 std::string("passes over the banks that a load from the ") + tile + " takes",
                 passes, 1);
  }
#endif
}

TEST_F(W8A8GemmImma, WritesEachElementOnce) {
  Random random(1);
  Int8Product p("four steps of K", {40, 50, 256});
  p.fill_with_codes(random);
  p.scale(Scales::kPowersOfTwo, random);
#if defined(__CUDACC__)
  check(kImma, p);
  GTEST_SKIP() << "stores are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kImma, p);
  const double times = accesses(tracing, "Y", /*store=*/true).lanes / (40 * 50);
  judge_number(p.name, "times that each element of Y is written", times, 1);
  const double loads = accesses(tracing, "W tile", /*store=*/false).lanes;
  std::ostringstream fact;
  fact << "For " << 40 * 50 << " elements of Y the kernel loaded " << loads
       << " words of W's tiles and wrote each element " << times << " time.";
  RecordProperty("fact", fact.str());
#endif
}

TEST_F(W8A8GemmImma, RefusesAKThatIsNoMultipleOf16) {
  Random random(1);
  Int8Product p("the smallest K", {1, 2, 16});
  p.fill_with_codes(random);
  check(kImma, p);
  EXPECT_THROW(run(kImma, Int8Product("K = 24", {1, 2, 24}), Behind::kNan), ContractError);
  EXPECT_THROW(run(kImma, Int8Product("K = 0", {1, 2, 0}), Behind::kNan), ContractError);
  EXPECT_THROW(run(kImma, Int8Product("no rows", {0, 2, 16}), Behind::kNan), ContractError);
}

}  // namespace
}  // namespace qlab::test
