// SPDX-License-Identifier: Apache-2.0
/// \file
/// llm_int8: a product in two parts, outlier columns in FP16, all others in INT8.
///
/// Bottleneck   one multiply-add at a time; with vectors and threads the bytes of the weights
/// Bytes moved  INT8 codes N·K, and 2·N for each outlier column, again for every token
/// FLOPs        2·M·N·K
/// Teaches      a few columns set the step of a whole token; taking them out is exact
/// Leaves out   blocks, vectors and threads (llm_int8.cc among the kernels builds on w8a8_gemm)
#include "02_int8_calibration/llm_int8.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "02_int8_calibration/quantize_rows.h"

namespace qlab::exercise {
namespace {

/// Refuses the first value that is not finite: NaN is neither under a threshold nor over it.
void check_finite(MatrixView<const float> X) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    for (std::int64_t k = 0; k < X.cols(); ++k) {
      QLAB_CHECK(std::isfinite(X(m, k)), "llm_int8: X[", m, ", ", k, "] is ", X(m, k),
                 "; a product needs finite values");
    }
  }
}

/// Refuses what FP16 would turn into infinity.
void check_fits_half(MatrixView<const float> X, const std::vector<std::int64_t>& outliers) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    for (const std::int64_t k : outliers) {
      QLAB_CHECK(std::abs(X(m, k)) < 65520, "llm_int8: X[", m, ", ", k, "] is ", X(m, k),
                 "; FP16 cannot hold this outlier; rescale the activations or raise the threshold");
    }
  }
}

/// The codes [K] of token m, and its scale.
float quantize_token(MatrixView<const float> X, std::int64_t m, const std::vector<bool>& is_outlier,
                     std::vector<std::int8_t>& codes) {
  const std::int64_t K = X.cols();
  float scale = 1;
  // BEGIN SOLUTION [llm_int8_token] Quantize a token without the outlier columns
  // Set `scale` to int8_scale() of the token's largest magnitude outside the outlier columns, and
  // codes[k] to X(m, k) / scale, rounded to nearest, ties to even; 0 in an outlier column.

  // The whole column is left out, also where this token has a small value in it: that product is
  // computed in FP16 as well. So the scale covers just what is left, and none of it needs a clamp.
  float absmax = 0;
  for (std::int64_t k = 0; k < K; ++k) {
    if (!is_outlier[k]) absmax = std::max(absmax, std::abs(X(m, k)));
  }
  scale = int8_scale(absmax);  // 1 for a token of which nothing is left: 0 / 0 would be no code
  for (std::int64_t k = 0; k < K; ++k) {
    const float code = is_outlier[k] ? 0 : std::nearbyint(X(m, k) / scale);
    codes[k] = static_cast<std::int8_t>(code);
  }
  // END SOLUTION [llm_int8_token]
  return scale;
}

/// The share of the INT8 columns in Y(m, n); codes and scale are those of token m.
float int8_part(const std::vector<std::int8_t>& codes, float scale, const Int8Rows& W,
                std::int64_t n) {
  const std::int64_t K = W.codes.cols();
  float part = 0;
  // BEGIN SOLUTION [llm_int8_int8] Multiply the codes
  // Set `part` to the sum of codes[k] · W.codes(n, k) over all k, times the scales of the token and
  // of output channel n. The sum has no rounding.

  // Columns in the FP16 part add 0 here: the codes of W need not be moved together.
  std::int32_t sum = 0;
  for (std::int64_t k = 0; k < K; ++k) sum += codes[k] * W.codes(n, k);
  part = scale * W.scale[n] * static_cast<float>(sum);
  // END SOLUTION [llm_int8_int8]
  return part;
}

/// The share of the outlier columns in Y(m, n).
float fp16_part(MatrixView<const float> X, std::int64_t m, const LlmInt8Weights& W, std::int64_t n,
                const std::vector<std::int64_t>& outliers) {
  float part = 0;
  // BEGIN SOLUTION [llm_int8_fp16] Multiply the outlier columns in FP16
  // Set `part` to the sum, in FP32, of X(m, k), rounded to FP16, times the FP16 weight of output
  // channel n, over the outlier columns k.

  // The weights come from the FP16 matrix: codes err by up to half a step, and these few columns
  // are the ones whose errors are multiplied by the largest activations.
  for (const std::int64_t k : outliers) {
    part += to_float(from_float<half_t>(X(m, k))) * to_float(W.fp16(n, k));
  }
  // END SOLUTION [llm_int8_fp16]
  return part;
}

}  // namespace

std::vector<std::int64_t> outlier_columns(MatrixView<const float> X, float threshold) {
  QLAB_CHECK(
      threshold > 0, "llm_int8: threshold is ", threshold,
      "; give one above 0. bitsandbytes writes 0 for \"no outliers\": that is infinity here");
  check_finite(X);
  std::vector<std::int64_t> columns;
  // BEGIN SOLUTION [llm_int8_columns] Find the columns with an outlier
  // Append to `columns` every k for which the magnitude of X(m, k) is at least the threshold in
  // some token m; in rising order, and each once.

  // Over all tokens of the call: the columns must be the same for a whole product, so one token
  // decides for the others too.
  for (std::int64_t k = 0; k < X.cols(); ++k) {
    for (std::int64_t m = 0; m < X.rows(); ++m) {
      if (std::abs(X(m, k)) >= threshold) {
        columns.push_back(k);
        break;
      }
    }
  }
  // END SOLUTION [llm_int8_columns]
  return columns;
}

void llm_int8_gemm(MatrixView<const float> X, const LlmInt8Weights& W, float threshold,
                   MatrixView<float> Y) {
  const std::int64_t M = X.rows(), N = W.int8.codes.rows(), K = X.cols();
  check_shape("llm_int8", "W.int8", W.int8.codes, N, K);
  check_shape("llm_int8", "W.fp16", W.fp16, N, K);
  QLAB_CHECK(W.int8.zero_point == nullptr,
             "llm_int8: W.int8 has zero points; quantize weights without (quantize_rows)");
  check_shape("llm_int8", "Y", Y, M, N);
  QLAB_CHECK(K <= kW8A8MaxK, "llm_int8: K = ", K, " could overflow an int32 sum; split K at ",
             kW8A8MaxK, " and add the products");
  const std::vector<std::int64_t> outliers = exercise::outlier_columns(X, threshold);
  check_fits_half(X, outliers);

  std::vector<bool> is_outlier(K, false);
  for (const std::int64_t k : outliers) is_outlier[k] = true;
  std::vector<std::int8_t> codes(K);
  for (std::int64_t m = 0; m < M; ++m) {
    const float scale = quantize_token(X, m, is_outlier, codes);
    for (std::int64_t n = 0; n < N; ++n) {
      Y(m, n) = int8_part(codes, scale, W.int8, n) + fp16_part(X, m, W, n, outliers);
    }
  }
}

}  // namespace qlab::exercise
