// SPDX-License-Identifier: Apache-2.0
/// \file
/// smoothquant: column maxima, the factor of equation 4, and the fold into a norm and its readers.
#include "02_int8_calibration/smoothquant.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace qlab {
namespace {

/// No maximum of a weight counts as less, and no factor is less: a column of zeros would divide by
/// 0, and a factor near 0 would blow up what is divided by it.
constexpr double kLeast = 1e-5;

void check_maxima(const char* operand, std::span<const float> maxima) {
  for (std::size_t k = 0; k < maxima.size(); ++k) {
    QLAB_CHECK(std::isfinite(maxima[k]) && maxima[k] >= 0, "smoothing_factors: ", operand, "[", k,
               "] is ", maxima[k],
               "; the largest magnitude of a channel is finite and not negative");
  }
}

}  // namespace

void raise_column_absmax(MatrixView<const float> x, std::span<float> absmax) {
  QLAB_CHECK(x.cols() == std::ssize(absmax), "raise_column_absmax: x has ", x.cols(),
             " columns, absmax ", absmax.size(), " elements; give one for each column");
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const std::span<const float> row = x.row(r, 0, x.cols());
    for (std::size_t k = 0; k < row.size(); ++k) {
      // std::max would drop a NaN, so it must not get that far.
      QLAB_CHECK(std::isfinite(row[k]), "raise_column_absmax: x[", r, ", ", k, "] is ", row[k],
                 "; a maximum needs finite values");
      absmax[k] = std::max(absmax[k], std::abs(row[k]));
    }
  }
}

std::vector<float> smoothing_factors(std::span<const float> activation_absmax,
                                     std::span<const float> weight_absmax, double alpha) {
  QLAB_CHECK(activation_absmax.size() == weight_absmax.size(),
             "smoothing_factors: ", activation_absmax.size(), " maxima of activations, ",
             weight_absmax.size(), " of weights; give one of each for each input channel");
  QLAB_CHECK(alpha >= 0 && alpha <= 1, "smoothing_factors: alpha is ", alpha,
             "; choose it in 0 … 1, 0.5 shares the difficulty evenly");
  check_maxima("activation_absmax", activation_absmax);
  check_maxima("weight_absmax", weight_absmax);

  // In double, so that a factor is rounded once. Between the ends of alpha it lies between the
  // activation's maximum and 1e5, both of which a float holds.
  std::vector<float> factor(activation_absmax.size(), 1);
  for (std::size_t k = 0; k < factor.size(); ++k) {
    if (activation_absmax[k] == 0) continue;  // never active: nothing to smooth, and 0 would not do
    const double weight = std::max(double{weight_absmax[k]}, kLeast);
    const double ratio =
        std::pow(double{activation_absmax[k]}, alpha) / std::pow(weight, 1 - alpha);
    factor[k] = static_cast<float>(std::max(ratio, kLeast));
  }
  return factor;
}

void fold_smoothing(std::span<const float> factor, std::span<float> gain,
                    std::span<const MatrixView<float>> consumers) {
  QLAB_CHECK(gain.size() == factor.size(), "fold_smoothing: gain has ", gain.size(),
             " elements, factor ", factor.size(), "; both have one for each input channel");
  for (std::size_t i = 0; i < consumers.size(); ++i) {
    QLAB_CHECK(consumers[i].cols() == std::ssize(factor), "fold_smoothing: consumer ", i, " has ",
               consumers[i].cols(), " columns, factor ", factor.size(),
               " elements; every consumer reads all input channels");
  }
  for (std::size_t k = 0; k < factor.size(); ++k) {
    QLAB_CHECK(std::isfinite(factor[k]) && factor[k] > 0, "fold_smoothing: factor[", k, "] is ",
               factor[k], "; what is divided and multiplied must be finite and above 0");
  }

  for (std::size_t k = 0; k < factor.size(); ++k) gain[k] /= factor[k];
  for (const MatrixView<float>& weight : consumers) {
    for (std::int64_t n = 0; n < weight.rows(); ++n) {
      const std::span<float> row = weight.row(n, 0, weight.cols());
      for (std::size_t k = 0; k < row.size(); ++k) row[k] *= factor[k];
    }
  }
}

}  // namespace qlab
