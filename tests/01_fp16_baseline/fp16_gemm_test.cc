// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of fp16_gemm and bf16_gemm: the ones of every product.
#include "01_fp16_baseline/fp16_gemm.h"

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
