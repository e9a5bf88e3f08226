// SPDX-License-Identifier: Apache-2.0
/// \file
/// Outliers, moved (SmoothQuant) or taken out (LLM.int8()), by the kernels that do it; and the list of
/// these pictures and of those of the GPU's INT8 kernels.
#include "pages/pictures/lab02_more.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "02_int8_calibration/llm_int8.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/smoothquant.h"
#include "common/matrix.h"
#include "common/random.h"
#include "lab/svg_chart.h"
#include "pages/drawing.h"
#include "pages/pictures.h"

namespace qlab {
namespace {

ChartPoints channel_points(const std::string& name, const std::vector<float>& absmax) {
  ChartPoints points{.name = name, .points = {}};
  for (std::size_t k = 0; k < absmax.size(); ++k) {
    points.points.push_back({.x = static_cast<double>(k), .y = absmax[k]});
  }
  return points;
}

/// Channel maxima of both sides, before and after fold_smoothing.
std::string smoothquant() {
  constexpr std::int64_t kTokens = 64, kN = 32, kK = 32;
  constexpr double kAlpha = 0.5;
  constexpr std::int64_t kOutliers[] = {5, 13, 14, 26};
  Random random(1);
  // The norm's output without its gain, so that the fold shows in what the consumers read.
  Matrix<float> normed(kTokens, kK), weight(kN, kK);
  std::vector<float> gain(kK, 1);
  for (const std::int64_t k : kOutliers) gain[static_cast<std::size_t>(k)] = 60;
  for (float& x : std::span(normed.data(), kTokens * kK)) x = static_cast<float>(random.normal());
  for (float& w : std::span(weight.data(), kN * kK)) w = static_cast<float>(random.normal() / 8);

  const auto activations = [&] {
    Matrix<float> x = normed;
    for (std::int64_t m = 0; m < kTokens; ++m) {
      for (std::int64_t k = 0; k < kK; ++k) x(m, k) *= gain[static_cast<std::size_t>(k)];
    }
    std::vector<float> absmax(kK, 0);
    raise_column_absmax(x.view(), absmax);
    return absmax;
  };
  const auto weights = [&] {
    std::vector<float> absmax(kK, 0);
    raise_column_absmax(weight.view(), absmax);
    return absmax;
  };
  const std::vector<float> x_before = activations(), w_before = weights();
  const std::vector<MatrixView<float>> consumers{weight.view()};
  fold_smoothing(smoothing_factors(x_before, w_before, kAlpha), gain, consumers);
  const std::vector<float> x_after = activations(), w_after = weights();

  const auto panel = [&](const char* label, const std::vector<float>& before,
                         const std::vector<float>& after, const char* x_label) {
    return ChartPanel{
        .x = {.label = x_label, .low = -1, .high = kK},
        .y = {.label = label, .log = true, .low = 0.1, .high = 300},
        .points = {channel_points("before the fold", before), channel_points("after it", after)},
        .height = 150};
  };
  const auto reach = [](const std::vector<float>& absmax) {
    const auto [low, high] = std::ranges::minmax(absmax);
    return fmt::format("{:.2g} to {:.2g}", low, high);
  };
  return svg_chart(
      {.title = "Outliers move into the weights",
       .subtitle = fmt::format("alpha = {}: four channels of {} have a gain of 60", kAlpha, kK),
       .description = fmt::format(
           "The largest magnitude of each channel. Activations reach from {} before the fold and "
           "from {} after it, weights from {} before and from {} after.",
           reach(x_before), reach(x_after), reach(w_before), reach(w_after)),
       .panels = {panel("largest activation, log scale", x_before, x_after, ""),
                  panel("largest weight, log scale", w_before, w_after, "input channel k")}});
}

/// A call of four tokens: the columns that outlier_columns finds, and the step of each token.
std::string llm_int8() {
  constexpr std::int64_t kTokens = 4, kK = 8;
  constexpr float kThreshold = 6;
  Random random(2);
  Matrix<float> x(kTokens, kK);
  for (float& value : std::span(x.data(), kTokens * kK)) {
    value = static_cast<float>(random.uniform(-3, 3));
  }
  x(1, 2) = 60;
  x(3, 5) = -kThreshold;
  const std::vector<std::int64_t> outliers = outlier_columns(x.view(), kThreshold);
  const auto is_outlier = [&](std::int64_t k) { return std::ranges::count(outliers, k) > 0; };

  Drawing d("Whole columns are taken out, for all tokens",
            fmt::format("{} tokens of {} channels. Two values reach the threshold of {}; their "
                        "columns are computed in FP16 for every token. Beside each token its INT8 "
                        "step, with all columns and without these.",
                        kTokens, kK, kThreshold));
  constexpr double kLeft = 66, kCell = 43, kTall = 30, kStep = kLeft + kCell * kK;
  const double top = d.bottom() + 26;
  for (std::int64_t k = 0; k < kK; ++k) {
    d.text(kLeft + kCell * (static_cast<double>(k) + 0.5), top - 8, is_outlier(k) ? "FP16" : "INT8",
           Anchor::kMiddle, is_outlier(k) ? Ink::kBold : Ink::kQuiet, Drawing::kSmall);
  }
  d.text(kStep + 40, top - 8, "INT8 step", Anchor::kMiddle, Ink::kQuiet, Drawing::kSmall);
  d.text(kStep + 108, top - 8, "without", Anchor::kMiddle, Ink::kQuiet, Drawing::kSmall);
  for (std::int64_t m = 0; m < kTokens; ++m) {
    const double y = top + kTall * static_cast<double>(m);
    d.text(kLeft - 8, y + 20, fmt::format("token {}", m), Anchor::kEnd, Ink::kQuiet,
           Drawing::kSmall);
    float all = 0, rest = 0;
    for (std::int64_t k = 0; k < kK; ++k) {
      const float magnitude = std::abs(x(m, k));
      all = std::max(all, magnitude);
      if (!is_outlier(k)) rest = std::max(rest, magnitude);
      const double left = kLeft + kCell * static_cast<double>(k);
      d.cell(left, y, kCell, kTall, is_outlier(k) ? Shade::kOrange : Shade::kBlue,
             fmt::format("{:.1f}", x(m, k)));
      if (magnitude >= kThreshold) d.frame(left + 2, y + 2, kCell - 4, kTall - 4);
    }
    d.text(kStep + 40, y + 20, fmt::format("{:.3f}", int8_scale(all)), Anchor::kMiddle);
    d.text(kStep + 108, y + 20, fmt::format("{:.3f}", int8_scale(rest)), Anchor::kMiddle,
           Ink::kBold);
  }
  d.gap(4);
  d.paragraph(
      fmt::format("A frame is a magnitude of {} or more: it decides for its column.", kThreshold));
  return d.svg();
}

}  // namespace

std::vector<PagePicture> pictures_of_lab02_more(const Measured& /*measured*/) {
  return {{"smoothquant", smoothquant()},
          {"llm_int8", llm_int8()},
          {"w8a8_gemm_dp4a", w8a8_gemm_dp4a_picture()},
          {"w8a8_gemm_imma", w8a8_gemm_imma_picture()}};
}

}  // namespace qlab
