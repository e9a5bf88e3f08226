// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of llm_int8_gemm: column by column, in double.
#include <cmath>
#include <vector>

#include "01_fp16_baseline/half_formats.h"
#include "02_int8_calibration/llm_int8.h"
#include "02_int8_calibration/quantize_rows.h"
#include "common/matrix.h"

namespace qlab {
namespace {

bool has_outlier(MatrixView<const float> X, std::int64_t k, float threshold) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    if (std::fabs(X(m, k)) >= threshold) return true;
  }
  return false;
}

/// The weight of an outlier column. The contract rounds code · scale to FP32, then to FP16.
double outlier_weight(const LlmInt8Weights& W, std::int64_t n, std::int64_t k) {
  if (W.fp16.rows() > 0) return half_value_ref(W.fp16(n, k).bits);
  const double product = double{W.int8.scale[n]} * W.int8.codes(n, k);
  return half_value_ref(half_code_ref(static_cast<float>(product)));
}

}  // namespace

void llm_int8_gemm_ref(MatrixView<const float> X, const LlmInt8Weights& W, float threshold,
                       MatrixView<double> value) {
  const std::int64_t M = X.rows(), N = W.int8.codes.rows(), K = X.cols();
  std::vector<bool> outlier;
  Matrix<float> rest(M, K);
  for (std::int64_t k = 0; k < K; ++k) {
    outlier.push_back(has_outlier(X, k, threshold));
    for (std::int64_t m = 0; m < M; ++m) rest(m, k) = outlier.back() ? 0 : X(m, k);
  }
  Matrix<std::int8_t> codes(M, K);
  std::vector<float> scale(static_cast<std::size_t>(M));
  quantize_rows_ref(rest.view(), Granularity::kPerRow, codes.view(), scale.data());

  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t n = 0; n < N; ++n) {
      std::int64_t sum = 0;
      double exact = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        if (outlier[static_cast<std::size_t>(k)]) {
          exact += half_value_ref(half_code_ref(X(m, k))) * outlier_weight(W, n, k);
        } else {
          sum += std::int64_t{codes(m, k)} * W.int8.codes(n, k);
        }
      }
      const double scales = double{scale[static_cast<std::size_t>(m)]} * W.int8.scale[n];
      value(m, n) = static_cast<double>(sum) * scales + exact;
    }
  }
}

}  // namespace qlab
