// SPDX-License-Identifier: Apache-2.0
/// \file
/// awq: your turn. Replace each todo() with your code, then run `./lab check awq`.
#include "03_int4_weight_only/awq.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace qlab::exercise {
namespace {

/// No power of a mean counts as less: a channel that was silent would get scale 0.
constexpr double kLeast = 1e-4;

void check_tokens(MatrixView<const float> X) {
  QLAB_CHECK(X.rows() >= 1 && X.cols() >= 1, "awq: X is [", X.rows(), ", ", X.cols(),
             "]; give at least one token of one channel");
  for (std::int64_t t = 0; t < X.rows(); ++t) {
    for (std::int64_t k = 0; k < X.cols(); ++k) {
      QLAB_CHECK(std::isfinite(X(t, k)), "awq: X[", t, ", ", k, "] is ", X(t, k),
                 "; a mean needs finite values");
    }
  }
}

/// What 4 bits make of weights: quantized and dequantized again, in groups.
Matrix<float> rounded(MatrixView<const float> weight, std::int64_t group_size) {
  const Int4Matrix quantized = quantize_int4_rtn(weight, group_size);
  const Int4Weights codes = quantized.view();
  Matrix<float> out(weight.rows(), weight.cols());
  for (std::int64_t n = 0; n < out.rows(); ++n) {
    for (std::int64_t k = 0; k < out.cols(); ++k) {
      const std::int64_t g = k / group_size;
      out(n, k) = to_float(codes.scale(n, g)) *
                  static_cast<float>(codes.code(n, k) - codes.zero_point(n, g));
    }
  }
  return out;
}

}  // namespace

std::vector<float> awq_mean(MatrixView<const float> X) {
  check_tokens(X);
  const std::int64_t tokens = X.rows(), K = X.cols();
  std::vector<float> mean(K);
  for (std::int64_t k = 0; k < K; ++k) {
    double sum = 0;
    // TODO [awq_mean] Measure how loud a channel is
    // Add the magnitudes of column k of X to `sum`, over all tokens. mean[k] becomes their mean.
    todo("awq_mean");
  }
  return mean;
}

std::vector<float> awq_scale(std::span<const float> mean, double ratio) {
  QLAB_CHECK(!mean.empty(), "awq: no channel; give the mean magnitude of at least one");
  QLAB_CHECK(ratio >= 0 && ratio <= 1, "awq: ratio is ", ratio,
             "; choose it in 0 … 1, 0 scales nothing");
  for (std::size_t k = 0; k < mean.size(); ++k) {
    QLAB_CHECK(std::isfinite(mean[k]) && mean[k] >= 0, "awq: mean[", k, "] is ", mean[k],
               "; a mean magnitude is finite and not negative");
  }
  std::vector<float> scale(mean.size());
  std::vector<double> power(mean.size());
  // TODO [awq_scale] Make scales of the means
  // Set power[k] to mean[k] to the power of `ratio`, but not less than kLeast. Divide it by the
  // square root of the largest power times the smallest: that is scale[k].
  todo("awq_scale");
  return scale;
}

double awq_loss(MatrixView<const float> weight, MatrixView<const float> X,
                std::span<const float> scale, std::int64_t group_size) {
  const std::int64_t tokens = X.rows(), N = weight.rows(), K = weight.cols();
  check_tokens(X);
  check_shape("awq", "X", X, tokens, K);
  QLAB_CHECK(N >= 1, "awq: weight has no row; give at least one output");
  QLAB_CHECK(std::ssize(scale) == K, "awq: scale has ", scale.size(), " elements, weight ", K,
             " columns; give one for each");
  for (std::size_t k = 0; k < scale.size(); ++k) {
    QLAB_CHECK(std::isfinite(scale[k]) && scale[k] > 0, "awq: scale[", k, "] is ", scale[k],
               "; what multiplies and divides must be finite and above 0");
  }
  Matrix<float> scaled(N, K);
  double sum = 0;
  // TODO [awq_loss] Compare the outputs
  // Fill `scaled` with the weights, column k times scale[k]; rounded() gives what 4 bits make of
  // them. For each token and output, add to `sum` the square of what the rounded layer's output is
  // off by. Its input shrinks by what its weights have grown: divide by scale[k] somewhere.
  todo("awq_loss");
  return sum / static_cast<double>(tokens * N);
}

AwqScales awq(MatrixView<const float> X, std::int64_t group_size, std::span<float> gain,
              MatrixView<float> weight) {
  const std::int64_t N = weight.rows(), K = weight.cols();
  QLAB_CHECK(std::ssize(gain) == K, "awq: gain has ", gain.size(), " elements, weight ", K,
             " columns; give one for each");
  const std::vector<float> mean = awq_mean(X);
  std::vector<double> losses(kAwqRatios);
  std::vector<float> scale;
  int best = 0;
  // TODO [awq_search] Try every ratio and fold the best
  // Fill losses[i] for ratio i / kAwqRatios, with the functions above. Set `best` to the i of the
  // least loss, the first of equals, and `scale` to its scales. Then multiply column k of weight by
  // scale[k], and divide gain[k] by it.
  todo("awq_search");
  return {.ratio = static_cast<double>(best) / kAwqRatios, .scale = scale, .losses = losses};
}

}  // namespace qlab::exercise
