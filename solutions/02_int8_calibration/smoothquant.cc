// SPDX-License-Identifier: Apache-2.0
/// \file
/// smoothquant: one factor an input channel, divided out of a norm's gain and multiplied into the
/// weights that read the norm.
///
/// Bottleneck   none that inference feels: it is done once, before the weights are quantized
/// Teaches      the product stays what it was, and outliers move to where INT8 has room for them
/// Leaves out   collecting the activations' maxima (raise_column_absmax); the choice of alpha
#include "02_int8_calibration/smoothquant.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace qlab::exercise {
namespace {

/// A weight maximum counts as no less, and a factor is no less: nothing is divided by almost 0.
constexpr double kLeast = 1e-5;

void check_width(std::size_t i, std::int64_t cols, std::size_t K) {
  QLAB_CHECK(cols == static_cast<std::int64_t>(K), "smoothquant: consumer ", i, " has ", cols,
             " columns, but there are ", K, " channels; every consumer reads all of them");
}

void check_finite(std::size_t i, MatrixView<const float> W) {
  for (std::int64_t n = 0; n < W.rows(); ++n) {
    for (std::int64_t k = 0; k < W.cols(); ++k) {
      QLAB_CHECK(std::isfinite(W(n, k)), "smoothquant: consumer ", i, " holds ", W(n, k), " at [",
                 n, ", ", k, "]; a maximum needs finite values");
    }
  }
}

/// The largest magnitude that each of K channels is multiplied with.
std::vector<float> weight_absmax(std::span<const MatrixView<const float>> consumers,
                                 std::int64_t K) {
  std::vector<float> largest(K, 0);
  // BEGIN SOLUTION [smoothquant_weights] Find the largest weight of a channel
  // Set largest[k] to the largest magnitude in column k of all consumers.

  // One input has one factor, so a layer with small weights must bear it too: q, k and v count as
  // one matrix, their rows one below the other.
  for (const MatrixView<const float>& W : consumers) {
    for (std::int64_t n = 0; n < W.rows(); ++n) {
      for (std::int64_t k = 0; k < K; ++k) largest[k] = std::max(largest[k], std::abs(W(n, k)));
    }
  }
  // END SOLUTION [smoothquant_weights]
  return largest;
}

}  // namespace

std::vector<float> smoothing_factors(std::span<const float> activation_absmax,
                                     std::span<const MatrixView<const float>> consumers,
                                     double alpha) {
  const std::size_t K = activation_absmax.size();
  QLAB_CHECK(alpha >= 0 && alpha <= 1, "smoothquant: alpha is ", alpha,
             "; choose it in 0 … 1, 0.5 shares the difficulty evenly");
  QLAB_CHECK(!consumers.empty(),
             "smoothquant: no consumer; give every layer that reads this input");
  for (std::size_t k = 0; k < K; ++k) {
    QLAB_CHECK(std::isfinite(activation_absmax[k]) && activation_absmax[k] >= 0,
               "smoothquant: activation_absmax[", k, "] is ", activation_absmax[k],
               "; the largest magnitude of a channel is finite and not negative");
  }
  for (std::size_t i = 0; i < consumers.size(); ++i) {
    check_width(i, consumers[i].cols(), K);
    check_finite(i, consumers[i]);
  }
  const std::vector<float> weights = weight_absmax(consumers, static_cast<std::int64_t>(K));
  std::vector<float> factor(K, 1);
  for (std::size_t k = 0; k < K; ++k) {
    const double activation = activation_absmax[k], weight = weights[k];
    // BEGIN SOLUTION [smoothquant_factor] Share the difficulty of a channel
    // Set factor[k] to activation^alpha / weight^(1 - alpha), computed in double. A weight below
    // kLeast counts as kLeast, and so does a factor. A channel that was never active, whose
    // `activation` is 0, gets factor 1.

    // Alpha 1 makes every channel of the activations end at 1, alpha 0 every column of the weights;
    // 0.5 lets both meet at the geometric mean of their maxima.
    const double ratio =
        std::pow(activation, alpha) / std::pow(std::max(weight, kLeast), 1 - alpha);
    // Nothing flows through a channel of zeros: a factor would only spoil its weights.
    factor[k] = activation == 0 ? 1 : static_cast<float>(std::max(ratio, kLeast));
    // END SOLUTION [smoothquant_factor]
  }
  return factor;
}

void fold_smoothing(std::span<const float> factor, std::span<float> gain,
                    std::span<const MatrixView<float>> consumers) {
  const std::size_t K = factor.size();
  QLAB_CHECK(gain.size() == K, "smoothquant: gain has ", gain.size(), " elements, factor ", K,
             "; both have one for each channel");
  for (std::size_t i = 0; i < consumers.size(); ++i) check_width(i, consumers[i].cols(), K);
  for (std::size_t k = 0; k < K; ++k) {
    QLAB_CHECK(std::isfinite(factor[k]) && factor[k] > 0, "smoothquant: factor[", k, "] is ",
               factor[k], "; what is divided and multiplied must be finite and above 0");
  }
  // BEGIN SOLUTION [smoothquant_fold] Fold the factors into gain and weights
  // Divide gain[k] by factor[k], and multiply column k of every consumer by it.

  // The norm puts out x / factor, the weights hold w · factor: what a consumer computes is the
  // same, and inference does no more work than before.
  for (std::size_t k = 0; k < K; ++k) gain[k] /= factor[k];
  for (const MatrixView<float>& W : consumers) {
    for (std::int64_t n = 0; n < W.rows(); ++n) {
      for (std::int64_t k = 0; k < W.cols(); ++k) W(n, k) *= factor[k];
    }
  }
  // END SOLUTION [smoothquant_fold]
}

}  // namespace qlab::exercise
