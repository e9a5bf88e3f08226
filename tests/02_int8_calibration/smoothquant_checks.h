// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise smoothquant put their questions: factors and folds, each judged in
/// the words of its case; and what a product in INT8 makes of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/refusals.h"
#include "02_int8_calibration/smoothquant.h"
#include "02_int8_calibration/w8a8_gemm.h"
#include "common/matrix.h"
#include "support/exercise.h"
#include "support/guarded.h"

namespace qlab::test {

/// A norm's gain and the weights [N of each, K] that read its output. Weights stand apart in
/// poison.
struct Consumers {
  Consumers(std::int64_t channels, const std::vector<std::int64_t>& rows) : K(channels) {
    for (const std::int64_t N : rows) {
      weights.emplace_back(N, K);
      for (std::int64_t n = 0; n < N; ++n) std::fill_n(weights.back().view().row(n), K, 0.0F);
    }
    gain.assign(std::size_t(K), 1);
  }

  /// Calls value(i, n, k) for every weight.
  template <class Value>
  Consumers& set(Value value) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      for (std::int64_t n = 0; n < weights[i].view().rows(); ++n) {
        for (std::int64_t k = 0; k < K; ++k) {
          weights[i].view()(n, k) = static_cast<float>(value(i, n, k));
        }
      }
    }
    return *this;
  }

  std::vector<MatrixView<const float>> read() const {
    std::vector<MatrixView<const float>> views;
    for (const Guarded<float>& w : weights) views.push_back(w.view());
    return views;
  }
  std::vector<MatrixView<float>> write() {
    std::vector<MatrixView<float>> views;
    for (Guarded<float>& w : weights) views.push_back(w.view());
    return views;
  }

  double absmax(std::int64_t k) const {
    double largest = 0;
    for (const MatrixView<const float>& w : read()) {
      for (std::int64_t n = 0; n < w.rows(); ++n) largest = std::fmax(largest, std::fabs(w(n, k)));
    }
    return largest;
  }

  std::int64_t K;
  std::vector<Guarded<float>> weights;
  std::vector<float> gain;  // [K]
};

/// Equation 4 by logarithms, in long double.
inline double factor_ref(double activation, double weight, double alpha) {
  if (activation == 0) return 1;
  const long double log_weight = std::log(std::fmax(static_cast<long double>(weight), 1e-5L));
  const long double log_activation = std::log(static_cast<long double>(activation));
  const long double factor = std::exp(alpha * log_activation - (1 - alpha) * log_weight);
  return static_cast<double>(std::fmax(factor, 1e-5L));
}

/// One rounding to FP32, and what two powers and a quotient in double are off by.
inline constexpr double kFactorError = 0x1p-24 + 0x1p-48;

/// A row of K numbers as a matrix.
inline Matrix<float> row_of(const std::vector<float>& values) {
  Matrix<float> row(1, std::ssize(values));
  std::ranges::copy(values, row.data());
  return row;
}

/// Judges the factors of these maxima and weights.
inline void check_factors(const std::string& what, const std::vector<float>& activation_absmax,
                          const Consumers& consumers, double alpha) {
  const std::vector<float> factor =
      exercise::smoothing_factors(activation_absmax, consumers.read(), alpha);
  Matrix<double> expected(1, consumers.K);
  for (std::int64_t k = 0; k < consumers.K; ++k) {
    expected(0, k) = factor_ref(activation_absmax[std::size_t(k)], consumers.absmax(k), alpha);
  }
  const auto place = [&](auto, auto k) {
    std::string text = "factor[" + std::to_string(k) + "], activation maximum " +
                       text_of(activation_absmax[std::size_t(k)]) + ", weight maxima";
    for (const MatrixView<const float>& w : consumers.read()) {
      float largest = 0;
      for (std::int64_t n = 0; n < w.rows(); ++n) largest = std::max(largest, std::abs(w(n, k)));
      text += " " + text_of(largest);
    }
    return text;
  };
  judge({.name = "\"" + what + "\", alpha " + text_of(alpha), .place = place},
        row_of(factor).view(), expected.view(), relative(expected.view(), kFactorError));
}

/// Folds, and judges gain, every weight, and what stands around the weights. A quotient, or a
/// product with a reciprocal, rounds twice at most; a product once.
inline void check_fold(const std::string& what, const std::vector<float>& factor,
                       Consumers consumers, bool exact) {
  const Consumers before = consumers;
  exercise::fold_smoothing(factor, consumers.gain, consumers.write());
  const auto factor_text = [&](std::int64_t k) {
    return ", factor " + text_of(factor[std::size_t(k)]);
  };
  Matrix<double> gain(1, before.K);
  for (std::int64_t k = 0; k < before.K; ++k) {
    gain(0, k) = double{before.gain[std::size_t(k)]} / factor[std::size_t(k)];
  }
  judge({.name = "\"" + what + "\"",
         .place =
             [&](auto, auto k) {
               return "gain[" + std::to_string(k) + "], was " +
                      text_of(before.gain[std::size_t(k)]) + factor_text(k);
             }},
        row_of(consumers.gain).view(), gain.view(),
        exact ? exactly() : relative(gain.view(), 0x1p-23 + 0x1p-48));
  for (std::size_t i = 0; i < before.weights.size(); ++i) {
    const MatrixView<const float> was = before.weights[i].view();
    Matrix<double> expected(was.rows(), before.K);
    for (std::int64_t n = 0; n < was.rows(); ++n) {
      for (std::int64_t k = 0; k < before.K; ++k) {
        expected(n, k) = double{was(n, k)} * factor[std::size_t(k)];
      }
    }
    judge({.name = "\"" + what + "\"",
           .place =
               [&](auto n, auto k) {
                 return "weight [" + std::to_string(n) + ", " + std::to_string(k) +
                        "] of consumer " + std::to_string(i) + ", was " + text_of(was(n, k)) +
                        factor_text(k);
               }},
          consumers.weights[i], expected.view(),
          exact ? exactly() : relative(expected.view(), 0x1p-24));
  }
}

/// What the norm puts out: x · gain, rounded to FP32.
inline Matrix<float> normed(MatrixView<const float> x, const Consumers& c) {
  Matrix<float> out(x.rows(), c.K);
  for (std::int64_t m = 0; m < x.rows(); ++m) {
    for (std::int64_t k = 0; k < c.K; ++k) out(m, k) = x(m, k) * c.gain[std::size_t(k)];
  }
  return out;
}

/// What the first consumer computes from it, in double; with Σ|x||w|.
inline Matrix<double> product(MatrixView<const float> x, const Consumers& c,
                              Matrix<double>* abs_sum = nullptr) {
  const Matrix<float> input = normed(x, c);
  const MatrixView<const float> w = c.read()[0];
  Matrix<double> y(x.rows(), w.rows());
  for (std::int64_t m = 0; m < x.rows(); ++m) {
    for (std::int64_t n = 0; n < w.rows(); ++n) {
      for (std::int64_t k = 0; k < c.K; ++k) {
        const double term = double{input(m, k)} * w(n, k);
        y(m, n) += term;
        if (abs_sum != nullptr) (*abs_sum)(m, n) += std::abs(term);
      }
    }
  }
  return y;
}

/// The error of that product in INT8, root mean square and relative: one scale for all activations,
/// one a row of the weights.
inline double int8_error(MatrixView<const float> x, const Consumers& c,
                         const Matrix<double>& exact) {
  const std::int64_t M = x.rows(), N = exact.cols();
  Matrix<std::int8_t> x8(M, c.K), w8(N, c.K);
  std::vector<float> x_scale(std::size_t(M), 0), w_scale(std::size_t(N), 0);
  quantize_rows_ref(normed(x, c).view(), Granularity::kPerTensor, x8.view(), x_scale.data());
  quantize_rows_ref(c.read()[0], Granularity::kPerRow, w8.view(), w_scale.data());
  Matrix<double> y(M, N);
  w8a8_gemm_ref({x8.view(), x_scale.data()}, {w8.view(), w_scale.data()}, y.view());
  double of_errors = 0, squares = 0;
  for (std::int64_t i = 0; i < M * N; ++i) {
    of_errors += std::pow(y.data()[i] - exact.data()[i], 2);
    squares += std::pow(exact.data()[i], 2);
  }
  return std::sqrt(of_errors / squares);
}

}  // namespace qlab::test
