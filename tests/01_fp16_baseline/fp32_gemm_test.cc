// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of fp32_gemm: the ones of every product, for its rungs.
#include "01_fp16_baseline/fp32_gemm.h"

#include "01_fp16_baseline/gemm_tests.h"

namespace qlab::test {
namespace {

INSTANTIATE_TEST_SUITE_P(, Gemm,
                         testing::ValuesIn(rungs_of<float>("fp32_", kFp32GemmRungs, fp32_gemm_ref,
                                                           /*extra=*/0x1p-24)),
                         rung_name);

TEST(Fp32GemmCall, TakesTheRungThatTheMachineAllows) {
  expect_the_rung_that_fits<float>(fp32_gemm, kFp32GemmRungs, TestSeed());
}

TEST(Fp32GemmCall, GivesZerosForEmptySides) { expect_zeros_for_empty_sides<float>(fp32_gemm); }

TEST(Fp32GemmCall, RefusesShapesThatDoNotFit) { expect_refusals<float>(fp32_gemm, "fp32_gemm"); }

}  // namespace
}  // namespace qlab::test
