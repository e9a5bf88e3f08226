// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise awq put their questions: means, scales, losses and whole searches,
/// each judged in the words of its case.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "03_int4_weight_only/awq.h"
#include "03_int4_weight_only/awq_problem.h"
#include "common/matrix.h"
#include "support/exercise.h"
#include "support/guarded.h"

namespace qlab::test {

/// A list of K numbers as a matrix of one row.
inline Matrix<float> row_of(const std::vector<float>& values) {
  Matrix<float> row(1, std::ssize(values));
  std::ranges::copy(values, row.data());
  return row;
}

template <class T>
std::string list_text(const std::vector<T>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size() && i < 6; ++i) {
    text += (i == 0 ? "" : ", ") + text_of(values[i]);
  }
  return text + (values.size() > 6 ? ", …" : "");
}

/// Judges the means of X. Summed in double and rounded once, they are off by no more than 2⁻²⁴, and
/// by what that many additions in double amount to.
inline void check_mean(const std::string& what, MatrixView<const float> X) {
  Matrix<double> expected(1, X.cols());
  for (std::int64_t k = 0; k < X.cols(); ++k) {
    long double sum = 0;
    for (std::int64_t t = 0; t < X.rows(); ++t) sum += std::fabs(X(t, k));
    expected(0, k) = static_cast<double>(sum / static_cast<long double>(X.rows()));
  }
  const auto place = [&](auto, auto k) {
    std::vector<float> column;
    for (std::int64_t t = 0; t < X.rows(); ++t) column.push_back(X(t, k));
    return "mean[" + std::to_string(k) + "] of channel " + std::to_string(k) + ": " +
           list_text(column);
  };
  judge({.name = "\"" + what + "\", " + std::to_string(X.rows()) + " tokens", .place = place},
        row_of(exercise::awq_mean(X)).view(), expected.view(),
        relative(expected.view(), 0x1p-24 + 0x1p-44));
}

/// Judges the scales of these means against logarithms in long double. They round once, after
/// powers, a root and a quotient in double.
inline void check_scale(const std::string& what, const std::vector<float>& mean, double ratio) {
  std::vector<long double> log_power;
  for (const float m : mean) {
    const long double log_mean = std::log(static_cast<long double>(m));  // -∞ for 0
    log_power.push_back(std::fmax(ratio == 0 ? 0 : ratio * log_mean, std::log(1e-4L)));
  }
  const auto [least, most] = std::ranges::minmax(log_power);
  Matrix<double> expected(1, std::ssize(mean));
  for (std::size_t k = 0; k < mean.size(); ++k) {
    expected.data()[k] = static_cast<double>(std::exp(log_power[k] - (least + most) / 2));
  }
  const auto place = [&](auto, auto k) {
    return "scale[" + std::to_string(k) + "], mean[" + std::to_string(k) +
           "] = " + text_of(mean[std::size_t(k)]) + " of means " + list_text(mean);
  };
  judge({.name = "\"" + what + "\", ratio " + text_of(ratio), .place = place},
        row_of(exercise::awq_scale(mean, ratio)).view(), expected.view(),
        relative(expected.view(), 0x1p-24 + 0x1p-44));
}

/// A layer and its input, all memory with poison between the rows.
struct AwqProblem {
  AwqProblem(std::int64_t tokens, std::int64_t N, std::int64_t K, std::int64_t group)
      : X(tokens, K), weight(N, K), gain(1, K), group_size(group) {
    for (std::int64_t k = 0; k < K; ++k) gain.view()(0, k) = static_cast<float>(1 + k % 3);
  }
  std::string shape() const {
    return std::to_string(X.view().rows()) + " tokens, N=" + std::to_string(weight.view().rows()) +
           " K=" + std::to_string(weight.view().cols()) +
           " group_size=" + std::to_string(group_size);
  }

  Operand<float> X;       // [tokens, K]
  Guarded<float> weight;  // [N, K]
  Guarded<float> gain;    // [1, K]
  std::int64_t group_size;
};

/// The loss in double, and √ of the mean of (Σ |x| · |w|)², which rounding is relative to.
struct LossRef {
  double loss, size;

  /// The root of a loss is the length of a vector of sums Σ x · (ŵ - w), so it is off by no more
  /// than what rounding adds to that vector. In FP32 ŵ is rounded once, by a scale that may be two
  /// roundings off, the difference is rounded, and the sum K times. |ŵ - w| ≤ |w|, for 0 has a code
  /// and none is nearer than the nearest; so |ŵ| ≤ 2|w|. At last the loss is rounded to FP32.
  double allowed(std::int64_t K) const {
    const double root = 0x1p-24 * static_cast<double>(K + 8) * size;
    return root * (2 * std::sqrt(loss) + root) + 0x1p-24 * loss;
  }
};

inline LossRef loss_ref(MatrixView<const float> weight, MatrixView<const float> X,
                        const std::vector<float>& scale, std::int64_t group_size) {
  Matrix<float> scaled(weight.rows(), weight.cols());
  for (std::int64_t n = 0; n < scaled.rows(); ++n) {
    for (std::int64_t k = 0; k < scaled.cols(); ++k) {
      scaled(n, k) = weight(n, k) * scale[std::size_t(k)];
    }
  }
  const Matrix<double> coarse = rounded(scaled.view(), group_size);
  LossRef sums{};
  for (std::int64_t n = 0; n < scaled.rows(); ++n) {
    for (std::int64_t t = 0; t < X.rows(); ++t) {
      double off = 0, magnitudes = 0;
      for (std::int64_t k = 0; k < X.cols(); ++k) {
        off += coarse(n, k) * (X(t, k) / double{scale[std::size_t(k)]}) -
               double{X(t, k)} * weight(n, k);
        magnitudes += std::abs(double{X(t, k)} * weight(n, k));
      }
      sums.loss += off * off;
      sums.size += magnitudes * magnitudes;
    }
  }
  const auto count = static_cast<double>(X.rows() * scaled.rows());
  return {.loss = sums.loss / count, .size = std::sqrt(sums.size / count)};
}

/// Judges the loss of one scaling.
inline void check_loss(const std::string& what, const AwqProblem& p,
                       const std::vector<float>& scale) {
  const LossRef ref = loss_ref(p.weight.view(), p.X.view(), scale, p.group_size);
  Matrix<float> got(1, 1);
  Matrix<double> expected(1, 1);
  got(0, 0) =
      static_cast<float>(exercise::awq_loss(p.weight.view(), p.X.view(), scale, p.group_size));
  expected(0, 0) = ref.loss;
  judge({.name = "\"" + what + "\": " + p.shape(),
         .place = [&](auto, auto) { return "the loss with scales " + list_text(scale); }},
        got.view(), expected.view(), [&](auto, auto) { return ref.allowed(p.X.view().cols()); });
}

/// Searches, and judges the table against losses of the learner's own scales, the choice against
/// the table, the fold against the choice.
inline AwqScales check_search(const std::string& what, AwqProblem p) {
  const AwqProblem before = p;
  const std::int64_t K = p.X.view().cols();
  const std::string name = "\"" + what + "\": " + p.shape();
  const AwqScales found =
      exercise::awq(p.X.view(), p.group_size, p.gain.view().row(0, 0, K), p.weight.view());
  const std::vector<float> mean = exercise::awq_mean(p.X.view());

  Matrix<float> losses(1, kAwqRatios), ratio(1, 1);
  Matrix<double> expected(1, kAwqRatios), least(1, 1), allowed(1, kAwqRatios);
  for (int i = 0; i < kAwqRatios; ++i) {
    const LossRef ref = loss_ref(before.weight.view(), before.X.view(),
                                 exercise::awq_scale(mean, i / 20.0), p.group_size);
    losses(0, i) = static_cast<float>(found.losses[std::size_t(i)]);
    expected(0, i) = ref.loss;
    allowed(0, i) = ref.allowed(K);
  }
  judge({.name = name,
         .place =
             [](auto, auto i) {
               return "losses[" + std::to_string(i) + "], ratio " + text_of(double(i) / 20);
             }},
        losses.view(), expected.view(), [&](auto, auto i) { return allowed(0, i); });

  const auto best = std::ranges::min_element(found.losses) - found.losses.begin();
  ratio(0, 0) = static_cast<float>(found.ratio * 20);
  least(0, 0) = static_cast<double>(best);
  judge({.name = name,
         .place =
             [&](auto, auto) {
               return "best: the index of the least loss, the first of equals; your table begins " +
                      list_text(found.losses);
             }},
        ratio.view(), least.view(), exactly());

  const std::vector<float> scale = exercise::awq_scale(mean, double(best) / 20);
  Matrix<double> scales(1, K), gain(1, K), weight(p.weight.view().rows(), K);
  for (std::int64_t k = 0; k < K; ++k) {
    const double s = scales(0, k) = scale[std::size_t(k)];
    gain(0, k) = before.gain.view()(0, k) / s;
    for (std::int64_t n = 0; n < weight.rows(); ++n) weight(n, k) = before.weight.view()(n, k) * s;
  }
  const auto with_scale = [&](std::string text, std::int64_t k, float was) {
    return text + std::to_string(k) + "], was " + text_of(was) +
           ", scale[k] = " + text_of(scale[std::size_t(k)]);
  };
  judge({.name = name,
         .place =
             [&](auto, auto k) {
               return "scale[" + std::to_string(k) + "] of the best ratio, " +
                      text_of(double(best) / 20);
             }},
        row_of(found.scale).view(), scales.view(), exactly());
  judge({.name = name,
         .place =
             [&](auto n, auto k) {
               return with_scale("weight[" + std::to_string(n) + ", ", k,
                                 before.weight.view()(n, k));
             }},
        p.weight, weight.view(), relative(weight.view(), 0x1p-24));
  judge({.name = name,
         .place = [&](auto, auto k) { return with_scale("gain[", k, before.gain.view()(0, k)); }},
        p.gain, gain.view(), relative(gain.view(), 0x1p-23 + 0x1p-46));  // by a reciprocal: twice
  return found;
}

}  // namespace qlab::test
