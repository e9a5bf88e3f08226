// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of gptq round: weights, and inputs whose channels know of each other; and what
/// the result stands for.
#pragma once

#include <cmath>
#include <cstdint>

#include "03_int4_weight_only/gptq.h"
#include "common/formats.h"
#include "common/matrix.h"
#include "common/random.h"

namespace qlab::test {

/// H = (2 / T) Σ x xᵀ in long double, rounded once.
inline Matrix<double> hessian_of(MatrixView<const float> X) {
  Matrix<double> H(X.cols(), X.cols());
  for (std::int64_t i = 0; i < X.cols(); ++i) {
    for (std::int64_t j = 0; j < X.cols(); ++j) {
      long double sum = 0;
      for (std::int64_t t = 0; t < X.rows(); ++t)
        sum += static_cast<long double>(X(t, i)) * X(t, j);
      H(i, j) = static_cast<double>(sum * 2 / static_cast<long double>(X.rows()));
    }
  }
  return H;
}

/// Normal weights; inputs in which every channel carries most of the one before it, and some are
/// four times as strong.
struct GptqProblem {
  GptqProblem(std::int64_t N, std::int64_t K, std::int64_t T, std::uint64_t seed)
      : W(N, K), X(T, K) {
    Random random(seed);
    for (std::int64_t i = 0; i < N * K; ++i) W.data()[i] = static_cast<float>(random.normal() / 16);
    for (std::int64_t t = 0; t < T; ++t) {
      double carried = random.normal();
      for (std::int64_t k = 0; k < K; ++k) {
        carried = 0.8 * carried + 0.6 * random.normal();
        X(t, k) = static_cast<float>(carried * (k % 7 == 3 ? 4 : 1));
      }
    }
    H = hessian_of(X.view());
  }

  Matrix<float> W;   // [N, K]
  Matrix<float> X;   // [T, K]
  Matrix<double> H;  // [K, K]
};

inline Matrix<double> widened(MatrixView<const float> from) {
  Matrix<double> to(from.rows(), from.cols());
  for (std::int64_t r = 0; r < from.rows(); ++r) {
    for (std::int64_t c = 0; c < from.cols(); ++c) to(r, c) = from(r, c);
  }
  return to;
}

/// What column k of row n stands for; the group comes from where GPTQ put it.
inline double real(const GptqWeights& quantized, std::int64_t n, std::int64_t k) {
  const std::int64_t g = quantized.group[k];
  return double{to_float(quantized.weights.scale(n, g))} *
         (quantized.weights.view().code(n, k) - quantized.weights.zero_point(n, g));
}

/// tr(Δ H Δᵀ) of any result.
inline double trace(const Matrix<double>& W, MatrixView<const double> H,
                    const GptqWeights& quantized) {
  double sum = 0;
  for (std::int64_t n = 0; n < W.rows(); ++n) {
    for (std::int64_t i = 0; i < W.cols(); ++i) {
      for (std::int64_t j = 0; j < W.cols(); ++j) {
        sum += (W(n, i) - real(quantized, n, i)) * H(i, j) * (W(n, j) - real(quantized, n, j));
      }
    }
  }
  return sum;
}

}  // namespace qlab::test
