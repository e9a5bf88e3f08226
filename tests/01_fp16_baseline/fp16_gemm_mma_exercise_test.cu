// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise fp16_gemm_mma. What each register holds is PTX's: the golden file
/// tests/simt/golden/mma_fragments.csv checks the instruction itself, element by element.
#include "01_fp16_baseline/fp16_gemm_mma.h"

#include "01_fp16_baseline/fp16_cuda.h"

namespace qlab::test {
namespace {

struct Fp16GemmMma : CudaExercise {};

const Operation kMma = {.launch = exercise::fp16_gemm_mma,
                        .allowed = [](MatrixView<const double> abs_sum, std::int64_t K) {
                          return Tolerance([=](std::int64_t m, std::int64_t n) {
                            return fp16_gemm_mma_error(K) * abs_sum(m, n);
                          });
                        }};

/// rows × rows ones on the diagonal.
void fill_with_identity(MatrixView<half_t> out) {
  fill_with(out, 0);
  for (std::int64_t i = 0; i < out.rows(); ++i) out(i, i) = element<half_t>(1);
}

TEST_F(Fp16GemmMma, MatchesPaperAndPencil) { check_paper_and_pencil(kMma, 8); }

TEST_F(Fp16GemmMma, PutsEveryElementOfAInItsPlace) {
  Product p("W is the identity, X[m, k] = 16 m + k, so Y = X", {16, 16, 16});
  fill_with_identity(p.w.view());
  for (std::int64_t m = 0; m < 16; ++m) {
    for (std::int64_t k = 0; k < 16; ++k)
      p.x(m, k) = element<half_t>(static_cast<double>(16 * m + k));
  }
  check(kMma, p, /*exact=*/true);
}

TEST_F(Fp16GemmMma, PutsEveryElementOfBInItsPlace) {
  Product p("X is the identity, W[n, k] = 16 n + k, so Y[m, n] = 16 n + m", {16, 24, 16});
  fill_with_identity(p.x.view());
  for (std::int64_t n = 0; n < 24; ++n) {
    for (std::int64_t k = 0; k < 16; ++k)
      p.w(n, k) = element<half_t>(static_cast<double>(16 * n + k));
  }
  check(kMma, p, /*exact=*/true);
}

TEST_F(Fp16GemmMma, StoresEveryRowAndColumn) {
  Product p("Y[m, n] = m + 64 n", {64, 32, 8});
  for (std::int64_t m = 0; m < 64; ++m) {
    p.x(m, 0) = element<half_t>(static_cast<double>(m));
    p.x(m, 7) = element<half_t>(64);
  }
  for (std::int64_t n = 0; n < 32; ++n) {
    p.w(n, 0) = element<half_t>(1);
    p.w(n, 7) = element<half_t>(static_cast<double>(n));
  }
  check(kMma, p, /*exact=*/true);
}

TEST_F(Fp16GemmMma, CountsEveryKOnce) {
  for (const std::int64_t K : {8, 16, 24, 32, 40, 72, 256}) {
    Product p("ones, so every element is K", {3, 5, K});
    fill_with(p.x.view(), 1);
    fill_with(p.w.view(), 1);
    check(kMma, p, /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST_F(Fp16GemmMma, WritesTheEdgesAndNothingElse) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{1, 1, 8}, {63, 65, 24}, {65, 63, 40}, {17, 129, 8}}) {
    check(kMma, Product("sides around the tile's", shape, Values::kIntegers, random),
          /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST_F(Fp16GemmMma, WaitsForTheWholeTile) { check_steps_of_k(kMma); }

TEST_F(Fp16GemmMma, MatchesTheOracle) {
  const TestSeed seed;
  check_kinds(kMma, {{1, 7, 40}, {17, 35, 136}, {66, 9, 24}, {3, 5, 1032}}, seed);
}

// Guards what values cannot show: a read past an operand ends the run with the thread's name.
TEST_F(Fp16GemmMma, ReadsNothingOutsideItsOperands) {
  Random random(1);
  for (const GemmShape& shape : {GemmShape{1, 1, 8}, {5, 3, 24}, {65, 66, 40}}) {
    check(kMma, Product("operands that end with their memory", shape, Values::kIntegers, random),
          /*exact=*/true, Behind::kNothing);
  }
}

TEST_F(Fp16GemmMma, LoadsFragmentsWithoutBankConflicts) {
  Random random(1);
  const Product p("one tile", {64, 64, 32}, Values::kIntegers, random);
#if defined(__CUDACC__)
  check(kMma, p, /*exact=*/true);
  GTEST_SKIP() << "passes over the banks are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(kMma, p, /*exact=*/true);
  double passes = 0;
  for (const char* tile : {"X tile", "W tile"}) {
    passes = accesses(tracing, tile, /*store=*/false).units_a_request();
    judge_number(p.name,
                 std::string("passes over the banks that a load from the ") + tile + " takes",
                 passes, 1);
  }
  std::ostringstream fact;
  fact << "A load of a word of the fragment took " << passes << " pass over the banks.";
  RecordProperty("fact", fact.str());
#endif
}

TEST_F(Fp16GemmMma, RefusesAKThatIsNoMultipleOf8) {
  Random random(1);
  check(kMma, Product("the smallest K", {1, 2, 8}, Values::kIntegers, random), /*exact=*/true);
  EXPECT_THROW(run(kMma, Product("K = 12", {1, 2, 12}), Behind::kNan), ContractError);
  EXPECT_THROW(run(kMma, Product("K = 0", {1, 2, 0}), Behind::kNan), ContractError);
  EXPECT_THROW(run(kMma, Product("no rows", {0, 2, 8}), Behind::kNan), ContractError);
}

}  // namespace
}  // namespace qlab::test
