// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of what llm_int8_gemm refuses, each with its neighbour that it takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "02_int8_calibration/llm_int8.h"
#include "02_int8_calibration/llm_int8_problem.h"
#include "support/guarded.h"

namespace qlab::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Guarded<float> run(const LlmInt8Problem& problem, const LlmInt8Weights& W, float threshold) {
  Guarded<float> y(problem.shape.M, problem.shape.N);
  ThreadPool pool(2);
  llm_int8_gemm(problem.x.view(), W, threshold, y.view(), {pool});
  return y;
}

void expect_refused(const std::string& sentence, const LlmInt8Problem& problem,
                    const LlmInt8Weights& W, float threshold) {
  EXPECT_THAT([&] { run(problem, W, threshold); },
              testing::ThrowsMessage<ContractError>(testing::HasSubstr(sentence)));
}

TEST(LlmInt8GemmCall, RefusesAThresholdThatIsNotAbove0) {
  const LlmInt8Problem problem({1, 1, 1});
  for (const float threshold : {0.0F, -0.0F, -6.0F, kNan}) {
    expect_refused("bitsandbytes writes 0 for \"no outliers\": that is infinity here", problem,
                   problem.weights(), threshold);
    EXPECT_THROW(outlier_columns(problem.x.view(), threshold), ContractError);
  }
}

TEST(LlmInt8GemmCall, RefusesWhatIsNotFiniteAndNamesTheFirst) {
  LlmInt8Problem problem({3, 2, 40});
  problem.x.view()(2, 39) = kNan;
  expect_refused("llm_int8: X[2, 39] is nan", problem, problem.weights(), 6);
  for (const float bad : {kNan, -kNan, kNoThreshold, -kNoThreshold}) {
    problem.x.view()(1, 3) = bad;
    for (const float threshold : {6.0F, kNoThreshold}) {
      expect_refused("llm_int8: X[1, 3] is ", problem, problem.weights(), threshold);
    }
    EXPECT_THROW(outlier_columns(problem.x.view(), 6), ContractError);
  }
}

TEST(LlmInt8GemmCall, RefusesOutliersThatFp16CannotHold) {
  LlmInt8Problem problem({3, 2, 40});
  problem.x.view()(1, 3) = std::nextafter(65520.0F, 0.0F);  // rounds to 65504
  problem.x.view()(2, 5) = 1;
  EXPECT_TRUE(run(problem, problem.weights(), 6).written_exactly());
  problem.x.view()(1, 3) = 65520;
  expect_refused("llm_int8: X[1, 3] is 65520; FP16 cannot hold this outlier", problem,
                 problem.weights(), 6);
  problem.x.view()(0, 20) = -65520;
  problem.x.view()(1, 3) = -1e30F;
  expect_refused("llm_int8: X[1, 3] is -1e+30", problem, problem.weights(), 1e6F);
  EXPECT_TRUE(run(problem, problem.weights(), 1e31F).written_exactly());  // none is an outlier
}

TEST(LlmInt8GemmCall, RefusesDequantizedWeightsThatFp16CannotHold) {
  LlmInt8Problem problem({1, 3, 4});
  problem.x.view()(0, 2) = 6;
  problem.w_scale[1] = 600;
  problem.w8.view()(1, 2) = 109;  // 65400
  EXPECT_TRUE(run(problem, problem.codes_only(), 6).written_exactly());
  problem.w8.view()(1, 2) = -110;
  expect_refused("llm_int8: W[1, 2] is -66000 when dequantized", problem, problem.codes_only(), 6);
  EXPECT_TRUE(run(problem, problem.weights(), 6).written_exactly());
}

TEST(LlmInt8GemmCall, RefusesZeroPointsOfWeights) {
  const LlmInt8Problem problem({1, 2, 4});
  const std::int32_t zero_point[] = {0, 0};
  LlmInt8Weights weights = problem.weights();
  weights.int8.zero_point = zero_point;
  expect_refused("llm_int8: W.int8 has zero points", problem, weights, 6);
}

TEST(LlmInt8GemmCall, RefusesOtherShapes) {
  const LlmInt8Problem problem({2, 3, 4}), other({2, 3, 5});
  expect_refused("llm_int8: W.int8 is [3, 5], expected [3, 4]", problem, other.weights(), 6);
  expect_refused("llm_int8: W.fp16 is [3, 5], expected [3, 4]", problem,
                 {problem.int8(), other.w16.view()}, 6);
  Matrix<float> y(3, 2);
  ThreadPool pool(1);
  EXPECT_THAT([&] { llm_int8_gemm(problem.x.view(), problem.weights(), 6, y.view(), {pool}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("llm_int8: Y is [3, 2], expected [2, 3]")));
}

}  // namespace
}  // namespace qlab::test
