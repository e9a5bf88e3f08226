// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of fp16_gemm and bf16_gemm: the ones of every product, and that each of the 65,536 codes
/// of a format is widened right wherever it stands.
#include "01_fp16_baseline/fp16_gemm.h"

#include <cmath>

#include "01_fp16_baseline/gemm_tests.h"

namespace qlab::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Fp16, Gemm,
                         testing::ValuesIn(rungs_of<half_t>("fp16_", kFp16GemmRungs, fp16_gemm_ref,
                                                            /*extra=*/0)),
                         rung_name);
INSTANTIATE_TEST_SUITE_P(Bf16, Gemm,
                         testing::ValuesIn(rungs_of<bf16_t>("bf16_", kBf16GemmRungs, bf16_gemm_ref,
                                                            /*extra=*/0)),
                         rung_name);

/// All finite codes of a format as W [8192, 8]. Infinity and NaN are outside the contract; a zero
/// in the other operand would turn them into NaN everywhere.
template <class T>
void fill_with_all_finite_codes(MatrixView<T> w) {
  for (std::int64_t n = 0; n < w.rows(); ++n) {
    for (std::int64_t k = 0; k < w.cols(); ++k) {
      const T code{static_cast<std::uint16_t>(n * w.cols() + k)};
      w(n, k) = std::isfinite(to_float(code)) ? code : T{0};
    }
  }
}

TEST_P(Gemm, WidensEveryCode) {
  const auto check = []<class T>(const GemmRung<T>& gemm) {
    if constexpr (sizeof(T) == 2) {             // floats are too many to go through
      for (const std::int64_t M : {1, 3, 8}) {  // each way through the rung
        for (std::int64_t k = 0; k < 8; ++k) {
          GemmProblem<T> problem({M, 8192, 8});
          fill_with_all_finite_codes(problem.w.view());
          for (std::int64_t m = 0; m < M; ++m) {
            for (std::int64_t i = 0; i < 8; ++i) {
              problem.x.view()(m, i) = element<T>(i == (k + m) % 8 ? 1 : 0);
            }
          }
          EXPECT_TRUE(problem.matches_oracle(gemm, /*exact=*/true)) << "M=" << M << " k=" << k;
        }
      }
    }
  };
  std::visit(check, GetParam());
}

TEST(Fp16GemmCall, TakesTheRungThatTheMachineAllows) {
  expect_the_rung_that_fits<half_t>(fp16_gemm, kFp16GemmRungs, TestSeed());
}

TEST(Bf16GemmCall, TakesTheRungThatTheMachineAllows) {
  expect_the_rung_that_fits<bf16_t>(bf16_gemm, kBf16GemmRungs, TestSeed());
}

TEST(Fp16GemmCall, GivesZerosForEmptySides) { expect_zeros_for_empty_sides<half_t>(fp16_gemm); }
TEST(Bf16GemmCall, GivesZerosForEmptySides) { expect_zeros_for_empty_sides<bf16_t>(bf16_gemm); }

TEST(Fp16GemmCall, RefusesShapesThatDoNotFit) { expect_refusals<half_t>(fp16_gemm, "fp16_gemm"); }
TEST(Bf16GemmCall, RefusesShapesThatDoNotFit) { expect_refusals<bf16_t>(bf16_gemm, "bf16_gemm"); }

}  // namespace
}  // namespace qlab::test
