// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise w4a16_gemv_warp.
#include "03_int4_weight_only/w4a16_gemv_warp.h"

#include "03_int4_weight_only/int4_cuda.h"

namespace qlab::test {
namespace {

struct W4A16GemvWarp : CudaExercise {};

const Int4Operation kGemv = {
    .launch = [](const half* X, const Int4DeviceWeights& W, float* Y, int, int N,
                 int K) { exercise::w4a16_gemv_warp(W, X, Y, N, K); },
    .allowed = [](MatrixView<const double> abs_sum, std::int64_t K,
                  std::int64_t) { return dot_product(abs_sum, K, 0x1p-24); }};

TEST_F(W4A16GemvWarp, MatchesPaperAndPencil) { check_paper_and_pencil(kGemv); }

TEST_F(W4A16GemvWarp, ShowsWithAOneHotXWhichCodeItReads) {
  // Places in the first bytes, in later words and lanes, in the second step of 1024, in a tail.
  for (const std::int64_t K : {64, 1024, 1120}) {
    for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, std::int64_t{5},
                                 std::int64_t{15}, std::int64_t{38}, K - 32, K - 1}) {
      Int4Product p("x is 1 at k = " + std::to_string(k) + " only", {1, 7, K}, 64);
      p.fill_x([k](auto, auto at) { return at == k ? 1 : 0; });
      p.fill_codes(code_of_place);
      check(kGemv, p);
      if (HasFailure()) return;
    }
  }
}

TEST_F(W4A16GemvWarp, AddsUpAllLanes) {
  Int4Product p("x = 1, all codes of piece p of row n are (p + n) mod 16", {1, 5, 1024}, 1024);
  p.fill_x([](auto, auto) { return 1; });
  p.fill_codes([](auto n, auto k) { return static_cast<int>((k / 32 + n) % 16); });
  check(kGemv, p);
}

TEST_F(W4A16GemvWarp, ReadsTheTailOfARow) {
  for (const std::int64_t K : {32, 992, 1024, 1056, 2080}) {
    Int4Product p("the last code of each row is 7, the others 0", {1, 3, K}, 128);
    p.fill_x([](auto, auto) { return 1; });
    p.fill_codes([K](auto, auto k) { return k == K - 1 ? 7 : 0; });
    check(kGemv, p);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemvWarp, ScalesEachGroupByItsOwn) {
  for (const std::int64_t group_size : {32, 64, 96, 256}) {
    check_scales(kGemv, 1, 256, group_size);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemvWarp, SubtractsTheZeroPointOfTheGroup) {
  for (const std::int64_t group_size : {32, 96, 256}) {
    check_zero_points(kGemv, 1, 256, group_size);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemvWarp, KeepsRowsApartAndWritesNothingElse) {
  for (const std::int64_t N : {1, 2, 3, 8, 9, 37}) {
    Int4Product p("row n has the sum n + 1, or minus that where n is odd", {1, N, 32}, 32);
    p.fill_groups([](auto n, auto) { return static_cast<double>(n + 1); },
                  [](auto, auto) { return 8; });
    p.fill_x([](auto, auto k) { return k == 3 ? 1 : 0; });
    p.fill_codes([](auto n, auto) { return n % 2 == 0 ? 9 : 7; });
    check(kGemv, p);
    check_around(kGemv, p);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemvWarp, MultipliesInFp32) {
  // 2047 · 15 needs 15 bits; FP16 has 11, and from 65504 on nothing.
  Int4Product p("x = 2047, codes of 15 and 14", {1, 3, 512}, 128);
  p.fill_x([](auto, auto) { return 2047; });
  p.fill_codes([](auto n, auto k) { return n == 0 || k % 3 == n ? 15 : 14; });
  check(kGemv, p);
}

TEST_F(W4A16GemvWarp, GivesExactlyZeroWhereEveryCodeIsTheZeroPoint) {
  // Σ x·code - zero_point·Σ x, with fewer subtractions, would leave the rounding of both sums.
  const TestSeed seed;
  Random random(seed);
  Int4Product p("random x, every code is its zero point", {1, 6, 2080}, 128);
  fill(p.x.view(), Values::kNormal, random);
  p.tell_groups_apart();
  p.fill_codes([&](auto n, auto k) { return static_cast<int>(p.w.zero_point(n, k / 128)); });
  check(kGemv, p);
}

TEST_F(W4A16GemvWarp, MatchesTheOracle) {
  const TestSeed seed;
  check_kinds(kGemv, {{1, 1, 32}, {1, 7, 160}, {1, 18, 1056}, {1, 3, 4128}}, seed);
}

// Guards what values cannot show: a read past an operand ends the run with the thread's name.
TEST_F(W4A16GemvWarp, ReadsNothingOutsideItsOperands) {
  for (const GemmShape& shape : {GemmShape{1, 1, 32}, {1, 5, 1056}, {1, 8, 128}}) {
    check(kGemv, random_integers("operands that end with their memory", shape, 96, 1),
          Behind::kNothing);
  }
}

TEST_F(W4A16GemvWarp, ReadsNeighbouringPiecesInNeighbouringLanes) {
  const Int4Product p = random_integers("sectors", {1, 8, 2048}, 128, 1);
#if defined(__CUDACC__)
  check(kGemv, p);
  GTEST_SKIP() << "sectors are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kGemv, p);
  const Accesses loads = accesses(tracing, "W", /*store=*/false);
  judge_number(p.name, "sectors of 32 bytes that a warp's load of codes takes",
               loads.units_a_request(), 16);
  const double times = loads.lanes / (8 * 2048 / 32);
  judge_number(p.name, "times that each piece of W is read", times, 1);
  std::ostringstream fact;
  fact << "A warp's load took " << loads.units_a_request() << " sectors of 32 bytes for "
       << 32 * loads.lanes / loads.requests << " codes, and read each piece " << times << " time.";
  RecordProperty("fact", fact.str());
#endif
}

TEST_F(W4A16GemvWarp, RefusesOperandsThatAreNotAligned) {
  check(kGemv, random_integers("operands at the start of their memory", {1, 3, 96}, 32, 2));
  check_refuses_unaligned(kGemv);
}

TEST_F(W4A16GemvWarp, RefusesRowsAndGroupsThatAreNoWholePieces) {
  check(kGemv, random_integers("the smallest K", {1, 2, 32}, 32, 1));
  check(kGemv, random_integers("a group longer than the row", {1, 2, 32}, 128, 1));
  EXPECT_THROW(run(kGemv, Int4Product("K = 48", {1, 2, 48}, 32)), ContractError);
  EXPECT_THROW(run(kGemv, Int4Product("K = 0", {1, 2, 0}, 32)), ContractError);
  EXPECT_THROW(run(kGemv, Int4Product("groups of 48", {1, 2, 96}, 48)), ContractError);
  EXPECT_THROW(run(kGemv, Int4Product("groups of 16", {1, 2, 96}, 16)), ContractError);
  EXPECT_THROW(run(kGemv, Int4Product("no rows", {1, 0, 32}, 32)), ContractError);
}

}  // namespace
}  // namespace qlab::test
