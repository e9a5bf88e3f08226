// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of awq share: random matrices, weights rounded to 4 bits and back, refusals.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "03_int4_weight_only/int4_weights.h"
#include "support/problems.h"

namespace qlab::test {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class Call>
void expect_refused(const std::string& sentence, Call call) {
  EXPECT_THAT(call, testing::ThrowsMessage<ContractError>(testing::HasSubstr(sentence)));
}

inline Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, Values values,
                                   Random& random) {
  Matrix<float> out(rows, cols);
  fill(out.view(), values, random);
  return out;
}

inline Matrix<double> rounded(MatrixView<const float> weight, std::int64_t group_size) {
  const Int4Matrix quantized = quantize_int4_rtn(weight, group_size);
  Matrix<double> out(weight.rows(), weight.cols());
  for (std::int64_t n = 0; n < out.rows(); ++n) {
    for (std::int64_t k = 0; k < out.cols(); ++k) {
      const std::int64_t g = k / group_size;
      out(n, k) = double{to_float(quantized.scale(n, g))} *
                  (quantized.view().code(n, k) - quantized.zero_point(n, g));
    }
  }
  return out;
}

}  // namespace qlab::test
