// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm, rung 1: one dot product after the other.
///
/// Idea    the definition: products of codes summed in int32; zero points and scales, which are
///         constant along K, are applied to the sum
/// Before  nothing
/// Needs   nothing
#include "02_int8_calibration/w8a8_gemm.h"

namespace qlab {
namespace {

std::int32_t dot(const std::int8_t* x, const std::int8_t* w, std::int64_t K) {
  std::int32_t sum = 0;
  for (std::int64_t k = 0; k < K; ++k) sum += x[k] * w[k];
  return sum;
}

std::int32_t sum_of(const std::int8_t* w, std::int64_t K) {
  std::int32_t sum = 0;
  for (std::int64_t k = 0; k < K; ++k) sum += w[k];
  return sum;
}

}  // namespace

void w8a8_gemm_v1_scalar(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                         ThreadPool& threads) {
  // A task is a column of Y: its row of W stays in the first cache for all rows of X.
  threads.run(W.codes.rows(), [&](std::int64_t n) {
    const std::int64_t K = X.codes.cols();
    const std::int32_t column_sum = X.zero_point == nullptr ? 0 : sum_of(W.codes.row(n), K);
    for (std::int64_t m = 0; m < X.codes.rows(); ++m) {
      // Both terms are at most K · 128² and fit; so does the difference, for it is the sum of
      // (x - zero point) · w.
      const std::int32_t sum = dot(X.codes.row(m), W.codes.row(n), K) - X.zero(m) * column_sum;
      Y(m, n) = static_cast<float>(sum) * X.scale[m] * W.scale[n];
    }
  });
}

}  // namespace qlab
