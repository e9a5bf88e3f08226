// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise fp16_gemm_tiled.
#include "01_fp16_baseline/fp16_gemm_tiled.h"

#include "01_fp16_baseline/fp16_cuda.h"

namespace qlab::test {
namespace {

struct Fp16GemmTiled : CudaExercise {};

const Operation kTiled = {.launch = exercise::fp16_gemm_tiled,
                          .allowed = [](MatrixView<const double> abs_sum, std::int64_t K) {
                            return dot_product(abs_sum, K);
                          }};

TEST_F(Fp16GemmTiled, MatchesPaperAndPencil) { check_paper_and_pencil(kTiled, 3); }

TEST_F(Fp16GemmTiled, ShowsWithOneHotRowsWhichWeightWentWhere) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{3, 5, 7}, {9, 70, 33}, {66, 17, 40}, {64, 64, 32}}) {
    Product p("row m of X is 1 at k = m mod K only", shape);
    fill(p.x.view(), Values::kOneHot, random);
    fill_with_places(p.w.view());
    check(kTiled, p, /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST_F(Fp16GemmTiled, PutsRowsAndColumnsOfATileInTheirPlaces) {
  // Y[m, n] = m + 64·n: no element equals the one across the diagonal.
  Product p("one tile, Y[m, n] = m + 64 n", {32, 32, 2});
  for (std::int64_t i = 0; i < 32; ++i) {
    p.x(i, 0) = element<half_t>(static_cast<double>(i));
    p.x(i, 1) = element<half_t>(64);
    p.w(i, 0) = element<half_t>(1);
    p.w(i, 1) = element<half_t>(static_cast<double>(i));
  }
  check(kTiled, p, /*exact=*/true);
}

TEST_F(Fp16GemmTiled, TakesZeroForWhatLiesPastK) {
  // A row's end is followed by the next row, the last one's by NaN.
  for (const std::int64_t K : {1, 17, 31, 33, 63}) {
    Product p("ones", {3, 5, K});
    fill_with(p.x.view(), 1);
    fill_with(p.w.view(), 1);
    check(kTiled, p, /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST_F(Fp16GemmTiled, WritesTheEdgesAndNothingElse) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{1, 1, 1}, {63, 65, 5}, {65, 63, 5}, {1, 129, 3}}) {
    check(kTiled, Product("sides around the tile's", shape, Values::kIntegers, random),
          /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST_F(Fp16GemmTiled, WaitsForTheWholeTile) { check_steps_of_k(kTiled); }

TEST_F(Fp16GemmTiled, MatchesTheOracle) {
  const TestSeed seed;
  check_kinds(kTiled, {{1, 7, 33}, {17, 35, 129}, {9, 66, 40}, {3, 5, 1031}}, seed);
}

// Guards what values cannot show: a read past an operand ends the run with the thread's name.
TEST_F(Fp16GemmTiled, ReadsNothingOutsideItsOperands) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{1, 1, 1}, {5, 3, 17}, {65, 66, 33}}) {
    check(kTiled, Product("operands that end with their memory", shape, Values::kIntegers, random),
          /*exact=*/true, Behind::kNothing);
  }
}

TEST_F(Fp16GemmTiled, LoadsNeighbouringHalvesInNeighbouringThreads) {
  Random random(1);
  const Product p("three tiles side by side", {64, 192, 64}, Values::kIntegers, random);
#if defined(__CUDACC__)
  check(kTiled, p, /*exact=*/true);
  GTEST_SKIP() << "sectors are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kTiled, p, /*exact=*/true);
  const Accesses x = accesses(tracing, "X", /*store=*/false);
  const Accesses w = accesses(tracing, "W", /*store=*/false);
  judge_number(p.name, "sectors of 32 bytes that a warp's load of X takes", x.units_a_request(), 2);
  judge_number(p.name, "sectors of 32 bytes that a warp's load of W takes", w.units_a_request(), 2);
  const double times = x.lanes / (64 * 64);
  judge_number(p.name, "times that each value of X is read from global memory", times, 3);
  std::ostringstream fact;
  fact << "Each value of X was read " << times << " times from global memory for 192 columns.";
  RecordProperty("fact", fact.str());
#endif
}

TEST_F(Fp16GemmTiled, ReadsItsTilesWithoutBankConflicts) {
  Random random(1);
  const Product p("one tile", {64, 64, 32}, Values::kIntegers, random);
#if defined(__CUDACC__)
  check(kTiled, p, /*exact=*/true);
  GTEST_SKIP() << "passes over the banks are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kTiled, p, /*exact=*/true);
  for (const char* tile : {"X tile", "W tile"}) {
    const Accesses reads = accesses(tracing, tile, /*store=*/false);
    judge_number(p.name, std::string("passes over the banks that a read of the ") + tile + " takes",
                 reads.units_a_request(), 1);
  }
#endif
}

TEST_F(Fp16GemmTiled, RefusesAnEmptySide) {
  Random random(1);
  check(kTiled, Product("the smallest product", {1, 1, 1}, Values::kOneHot, random),
        /*exact=*/true);
  EXPECT_THROW(run(kTiled, Product("no rows", {0, 2, 3}), Behind::kNan), ContractError);
  EXPECT_THROW(run(kTiled, Product("no columns", {2, 0, 3}), Behind::kNan), ContractError);
  EXPECT_THROW(run(kTiled, Product("no products", {2, 3, 0}), Behind::kNan), ContractError);
}

}  // namespace
}  // namespace qlab::test
