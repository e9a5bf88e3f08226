// SPDX-License-Identifier: Apache-2.0
/// \file
/// awq: the search for the exponent that turns mean magnitudes into scales, and the search for the
/// bound at which each group is clipped.
#include "03_int4_weight_only/awq.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "01_fp16_baseline/fp32_gemm.h"

namespace qlab {
namespace {

constexpr double kLeast = 1e-4;  // of a power: a channel that was never active would divide by 0
constexpr int kClipBounds = 10;  // 1, 0.95, …, 0.55 of the largest magnitude
constexpr std::int64_t kClipTokens = 512;
constexpr float kLeastScale = 0x1p-24F;  // the smallest that FP16 has

double ratio_of(std::int64_t i) { return static_cast<double>(i) / kAwqRatios; }

template <class... Name>
void check_finite(MatrixView<const float> x, const char* operation, const Name&... name) {
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      QLAB_CHECK(std::isfinite(x(r, c)), operation, ": ", name..., "[", r, ", ", c, "] is ",
                 x(r, c), "; a search needs finite values");
    }
  }
}

std::vector<double> mean_magnitudes(MatrixView<const float> X) {
  std::vector<double> mean(static_cast<std::size_t>(X.cols()), 0);
  for (std::int64_t t = 0; t < X.rows(); ++t) {
    const std::span<const float> row = X.row(t, 0, X.cols());
    for (std::size_t k = 0; k < row.size(); ++k) mean[k] += std::abs(row[k]);
  }
  for (double& channel : mean) channel /= static_cast<double>(X.rows());
  return mean;
}

/// mean^ratio, moved so that the largest and the smallest are each other's reciprocal: what counts
/// for rounding is how far the scales of a group lie apart.
std::vector<float> scales_of(std::span<const double> mean, double ratio) {
  std::vector<double> power;
  for (const double channel : mean) power.push_back(std::max(std::pow(channel, ratio), kLeast));
  const auto [least, most] = std::minmax_element(power.begin(), power.end());
  const double middle = std::sqrt(*least * *most);
  std::vector<float> scale;
  for (const double p : power) scale.push_back(static_cast<float>(p / middle));
  return scale;
}

/// What 4 bits make of the weights; exact in FP32, a code has 5 bits and a scale 11.
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

/// Σ (Xₜ · errorₙ)² for each n: what an error of the weights does to each output, over all tokens.
std::vector<double> output_errors(MatrixView<const float> X, MatrixView<const float> error,
                                  Isa isa) {
  ThreadPool alone(1);  // the caller is a task, and tasks share nothing
  Matrix<float> Y(X.rows(), error.rows());
  fp32_gemm(X, error, Y.view(), {alone, isa});
  std::vector<double> sums(static_cast<std::size_t>(error.rows()), 0);
  for (std::int64_t t = 0; t < Y.rows(); ++t) {
    for (std::int64_t n = 0; n < Y.cols(); ++n) {
      sums[static_cast<std::size_t>(n)] += double{Y(t, n)} * Y(t, n);
    }
  }
  return sums;
}

/// The same for a layer whose columns are scaled up before rounding and down after it, over all n.
double scaled_error(MatrixView<const float> weight, MatrixView<const float> X,
                    std::span<const float> scale, std::int64_t group_size, Isa isa) {
  Matrix<float> scaled(weight.rows(), weight.cols());
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::size_t k = 0; k < scale.size(); ++k) {
      scaled.view().row(n)[k] = weight.row(n)[k] * scale[k];
    }
  }
  Matrix<float> error = rounded(scaled.view(), group_size);
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    float* const row = error.view().row(n);
    for (std::size_t k = 0; k < scale.size(); ++k) row[k] = row[k] / scale[k] - weight.row(n)[k];
  }
  double sum = 0;
  for (const double of_output : output_errors(X, error.view(), isa)) sum += of_output;
  return sum;
}

/// Clamps one group of one row to its best bound.
/// \param X  [tokens, group]
void clip_group(std::span<float> group, MatrixView<const float> X, Isa isa) {
  float absmax = 0;
  for (const float w : group) absmax = std::max(absmax, std::abs(w));
  Matrix<float> clipped(kClipBounds, std::ssize(group));
  std::int64_t count = 0;  // of bounds that leave a range which FP16 scales hold
  for (; count < kClipBounds; ++count) {
    const float bound = absmax * (1 - static_cast<float>(count) / 20);
    if (count > 0 && bound / kInt4Max < kLeastScale) break;
    std::ranges::transform(group, clipped.view().row(count),
                           [bound](float w) { return std::clamp(w, -bound, bound); });
  }
  const MatrixView<const float> candidates = clipped.view().rows_from(0, count);
  Matrix<float> error = rounded(candidates, std::ssize(group));
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < group.size(); ++k) error.view().row(i)[k] -= group[k];
  }
  const std::vector<double> errors = output_errors(X, error.view(), isa);
  const auto best = std::ranges::min_element(errors) - errors.begin();
  std::ranges::copy(candidates.row(best, 0, std::ssize(group)), group.begin());
}

}  // namespace

AwqScales awq_scales(std::span<const MatrixView<const float>> consumers, MatrixView<const float> X,
                     std::int64_t group_size, const Machine& machine) {
  QLAB_CHECK(X.rows() >= 1 && X.cols() >= 1, "awq_scales: X is [", X.rows(), ", ", X.cols(),
             "]; give at least one token of one channel");
  check_finite(X, "awq_scales", "X");
  std::int64_t outputs = 0;
  for (std::size_t i = 0; i < consumers.size(); ++i) {
    QLAB_CHECK(consumers[i].cols() == X.cols(), "awq_scales: consumer ", i, " has ",
               consumers[i].cols(), " columns, X ", X.cols(),
               "; every consumer reads all input channels");
    check_finite(consumers[i], "awq_scales", "consumer ", i, ", weight");
    outputs += consumers[i].rows();
  }
  QLAB_CHECK(outputs >= 1, "awq_scales: no consumer has an output; give the layers that read X");

  const std::vector<double> mean = mean_magnitudes(X);
  std::vector<std::vector<float>> scales;
  for (int i = 0; i < kAwqRatios; ++i) scales.push_back(scales_of(mean, ratio_of(i)));

  // A ratio is a task, alone from its weights to its loss: so losses do not depend on threads.
  std::vector<double> losses(kAwqRatios);
  machine.threads.run(kAwqRatios, [&](std::int64_t i) {
    double sum = 0;
    for (const MatrixView<const float>& weight : consumers) {
      sum += scaled_error(weight, X, scales[static_cast<std::size_t>(i)], group_size, machine.isa);
    }
    losses[static_cast<std::size_t>(i)] = sum / static_cast<double>(X.rows() * outputs);
  });
  for (int i = 0; i < kAwqRatios; ++i) {
    QLAB_CHECK(std::isfinite(losses[static_cast<std::size_t>(i)]), "awq_scales: the loss at ratio ",
               ratio_of(i), " is not finite; the outputs overflow FP32, scale X down");
  }
  const std::int64_t best = std::ranges::min_element(losses) - losses.begin();
  return {.ratio = ratio_of(best),
          .scale = std::move(scales[static_cast<std::size_t>(best)]),
          .losses = std::move(losses)};
}

void awq_clip(MatrixView<float> weight, MatrixView<const float> X, std::int64_t group_size,
              const Machine& machine) {
  QLAB_CHECK(X.rows() >= 1, "awq_clip: X has no token; give at least one");
  check_shape("awq_clip", "X", X, X.rows(), weight.cols());
  check_finite(X, "awq_clip", "X");
  quantize_int4_rtn(weight, group_size);  // refuses what has no codes, before anything is changed

  // Every step-th token, so that more than one text is heard.
  const std::int64_t step = (X.rows() + kClipTokens - 1) / kClipTokens;
  const std::int64_t tokens = (X.rows() + step - 1) / step;
  const std::int64_t groups = int4_groups(weight.cols(), group_size);
  machine.threads.run(weight.rows() * groups, [&](std::int64_t i) {
    const std::int64_t first = i % groups * group_size;
    const std::int64_t count = std::min(group_size, weight.cols() - first);
    clip_group(weight.row(i / groups, first, count),
               {X.row(0) + first, tokens, count, step * X.row_stride()}, machine.isa);
  });
}

}  // namespace qlab
