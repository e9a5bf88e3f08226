// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise w4a16_gemm_mma. What each register holds is PTX's: the golden file
/// tests/simt/golden/mma_fragments.csv checks the instruction itself, element by element. Up to 16
/// tokens have a tiling of their own, so most cases come twice.
#include "03_int4_weight_only/w4a16_gemm_mma.h"

#include "03_int4_weight_only/int4_cuda.h"

namespace qlab::test {
namespace {

struct W4A16GemmMma : CudaExercise {};

const Int4Operation kMma = {
    .launch = exercise::w4a16_gemm_mma,
    .allowed = [](MatrixView<const double> abs_sum, std::int64_t K, std::int64_t group_size) {
      return Tolerance([=](std::int64_t m, std::int64_t n) {
        return w4a16_gemm_mma_error(K, group_size) * abs_sum(m, n);
      });
    }};

constexpr std::int64_t kFew = 16, kMany = 64;  // rows of X that fill a tile

TEST_F(W4A16GemmMma, MatchesPaperAndPencil) { check_paper_and_pencil(kMma); }

TEST_F(W4A16GemmMma, PutsEveryElementOfXInItsPlace) {
  for (const std::int64_t M : {kFew, kMany}) {
    Int4Product p("W is the identity, X[m, k] = (31 m + k) mod 251, so Y = X", {M, 32, 32}, 32);
    p.fill_codes([](auto n, auto k) { return n == k ? 1 : 0; });
    p.fill_x([](auto m, auto k) { return (31 * m + k) % 251; });
    check(kMma, p);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemmMma, PutsEveryCodeInItsPlace) {
  for (const std::int64_t M : {kFew, kMany}) {
    Int4Product p("X[m, k] is 1 where k = m, so Y[m, n] is code m of row n", {M, 72, 64}, 64);
    p.fill_x([](auto m, auto k) { return m == k ? 1 : 0; });
    p.fill_codes(code_of_place);
    check(kMma, p);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemmMma, StoresEveryRowAndColumn) {
  for (const std::int64_t M : {kFew, kMany}) {
    Int4Product p("Y[m, n] = (960 + m) · (n + 1)", {M, 64, 32}, 32);
    p.fill_x([](auto m, auto k) { return k == 0 ? 64 : k == 9 ? m : 0; });
    p.fill_groups([](auto n, auto) { return n + 1; }, [](auto, auto) { return 0; });
    p.fill_codes([](auto, auto k) { return k == 0 ? 15 : k == 9 ? 1 : 0; });
    check(kMma, p);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemmMma, CountsEveryKOnce) {
  for (const std::int64_t M : {3, 19}) {
    for (const std::int64_t K : {32, 64, 96, 288, 544}) {
      Int4Product p("ones, so every element is K", {M, 5, K}, 96);
      p.fill_groups([](auto, auto) { return 1.0; }, [](auto, auto) { return 14; });
      p.fill_x([](auto, auto) { return 1; });
      p.fill_codes([](auto, auto) { return 15; });
      check(kMma, p);
      if (HasFailure()) return;
    }
  }
}

TEST_F(W4A16GemmMma, ScalesEachGroupByItsOwn) {
  for (const std::int64_t M : {2, 20}) {
    for (const std::int64_t group_size : {32, 96, 160, 512}) {
      check_scales(kMma, M, 320, group_size);
      if (HasFailure()) return;
    }
  }
}

TEST_F(W4A16GemmMma, SubtractsTheZeroPointOfTheGroup) {
  for (const std::int64_t M : {2, 20}) {
    for (const std::int64_t group_size : {32, 96, 160, 512}) {
      check_zero_points(kMma, M, 320, group_size);
      if (HasFailure()) return;
    }
  }
}

TEST_F(W4A16GemmMma, WritesTheEdgesAndNothingElse) {
  for (const GemmShape& shape :
       {GemmShape{1, 1, 32}, {15, 33, 96}, {17, 31, 64}, {63, 65, 32}, {65, 63, 96}}) {
    const Int4Product p = random_integers("sides around the tiles'", shape, 32, 1);
    check(kMma, p);
    check_around(kMma, p);
    if (HasFailure()) return;
  }
}

TEST_F(W4A16GemmMma, WaitsForTheWholeTile) {
  // Steps of K that differ, under several schedules of the CPU: what another step or another thread
  // left behind in a tile gives another sum.
  simt::for_each_schedule(4, [&] {
    for (const GemmShape& shape : {GemmShape{9, 24, 1600}, {20, 24, 512}}) {
      if (HasFailure()) return;  // one is enough to read
      Int4Product p("every 64 of K are one more than the last", shape, 128);
      p.tell_groups_apart();
      p.fill_x([](auto, auto k) { return k / 64 + 1; });
      p.fill_codes([](auto n, auto k) { return static_cast<int>((n + k) % 13); });
      check(kMma, p);
    }
  });
}

TEST_F(W4A16GemmMma, MatchesTheOracle) {
  const TestSeed seed;
  check_kinds(kMma, {{1, 7, 160}, {17, 35, 288}, {66, 9, 64}, {3, 5, 1056}}, seed);
}

// Guards what values cannot show: a read past an operand ends the run with the thread's name.
TEST_F(W4A16GemmMma, ReadsNothingOutsideItsOperands) {
  for (const GemmShape& shape : {GemmShape{1, 1, 32}, {5, 3, 288}, {65, 66, 96}}) {
    check(kMma, random_integers("operands that end with their memory", shape, 64, 1),
          Behind::kNothing);
  }
}

TEST_F(W4A16GemmMma, LoadsFragmentsWithoutBankConflicts) {
#if defined(__CUDACC__)
  check(kMma, random_integers("one tile", {64, 64, 64}, 64, 1));
  GTEST_SKIP() << "passes over the banks are counted where the CPU runs the kernel";
#else
  for (const std::int64_t M : {kFew, kMany}) {
    const Int4Product p = random_integers("one tile", {M, 64, 256}, 64, 1);
    const simt::Tracing tracing;
    check(kMma, p);
    for (const auto& [tile, passes] : {std::pair{"X tile", 4}, {"W tile", 1}}) {
      const double took = accesses(tracing, tile, /*store=*/false).units_a_request();
      judge_number(p.name,
                   std::string("passes over the banks that a load from the ") + tile +
                       " takes, for " + std::to_string(passes) + " words a lane",
                   took, passes);
    }
    if (HasFailure()) return;
  }
#endif
}

TEST_F(W4A16GemmMma, UnpacksEachCodeOnceForAllTokensOfATile) {
  const Int4Product p = random_integers("64 tokens", {64, 64, 128}, 64, 1);
#if defined(__CUDACC__)
  check(kMma, p);
  GTEST_SKIP() << "loads are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kMma, p);
  const double words = 64 * 128 / 8;
  const double times = accesses(tracing, "W tile", /*store=*/false).lanes / words;
  judge_number(p.name, "times that each word of codes is loaded from its tile", times, 1);
  std::ostringstream fact;
  fact << "For 64 tokens each of " << words << " words of codes was loaded and unpacked " << times
       << " time.";
  RecordProperty("fact", fact.str());
#endif
}

TEST_F(W4A16GemmMma, RefusesOperandsThatAreNotAligned) {
  check(kMma, random_integers("operands at the start of their memory", {1, 3, 96}, 32, 2));
  check_refuses_unaligned(kMma);
}

TEST_F(W4A16GemmMma, RefusesRowsAndGroupsThatAreNoWholePieces) {
  check(kMma, random_integers("the smallest K", {1, 2, 32}, 32, 1));
  check(kMma, random_integers("a group longer than the row", {1, 2, 32}, 128, 1));
  EXPECT_THROW(run(kMma, Int4Product("K = 48", {1, 2, 48}, 32)), ContractError);
  EXPECT_THROW(run(kMma, Int4Product("K = 0", {1, 2, 0}, 32)), ContractError);
  EXPECT_THROW(run(kMma, Int4Product("groups of 48", {1, 2, 96}, 48)), ContractError);
  EXPECT_THROW(run(kMma, Int4Product("no tokens", {0, 2, 32}, 32)), ContractError);
  EXPECT_THROW(run(kMma, Int4Product("no rows", {1, 0, 32}, 32)), ContractError);
}

}  // namespace
}  // namespace qlab::test
