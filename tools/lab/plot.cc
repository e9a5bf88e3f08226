// SPDX-License-Identifier: Apache-2.0
/// \file
/// Turns samples and channel maxima into three charts.
#include "lab/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "02_int8_calibration/calibrate.h"
#include "lab/svg_axis.h"
#include "lab/svg_chart.h"

namespace qlab {
namespace {

constexpr std::size_t kBars = 128;          // of the histogram: four units of the picture each
constexpr std::size_t kMostChannels = 512;  // bars thinner than one unit cannot be told apart

struct Threshold {
  Calibrator calibrator;
  float at;
};

std::vector<Threshold> all_thresholds(const std::vector<float>& samples) {
  std::vector<Threshold> thresholds;
  for (const Calibrator calibrator : kAllCalibrators) {
    thresholds.push_back({calibrator, calibrate(samples, calibrator)});
  }
  return thresholds;
}

std::string list_of(const std::vector<Threshold>& thresholds) {
  std::string text;
  for (const auto& [calibrator, at] : thresholds) {
    text +=
        fmt::format("{}{} at {:.3g}", text.empty() ? "" : ", ", calibrator_name(calibrator), at);
  }
  return text;
}

std::vector<ChartMarker> markers(const std::vector<Threshold>& thresholds, bool labelled) {
  std::vector<ChartMarker> result;
  for (const auto& [calibrator, at] : thresholds) {
    result.push_back(
        {at, labelled ? fmt::format("{} {:.3g}", calibrator_name(calibrator), at) : ""});
  }
  return result;
}

std::string of_layer(const CalibrationPlotData& data) {
  return fmt::format("inputs of {}, {} samples", data.layer,
                     tick_label(static_cast<double>(data.samples.size())));
}

Chart magnitudes(const CalibrationPlotData& data, const std::vector<Threshold>& thresholds,
                 const std::vector<std::int64_t>& histogram, float absmax) {
  ChartBars bars{.name = "samples", .edges = {0}, .heights = {}};
  const std::size_t share = histogram.size() / kBars;
  for (std::size_t b = 0; b < kBars; ++b) {
    std::int64_t count = 0;
    for (std::size_t i = 0; i < share; ++i) count += histogram[b * share + i];
    bars.edges.push_back(double{absmax} * static_cast<double>(b + 1) / kBars);
    bars.heights.push_back(static_cast<double>(count));
  }
  return {
      .title = "Where four calibrators clip",
      .subtitle = of_layer(data),
      .description = fmt::format("A histogram of the magnitudes up to {:.3g}, with the threshold "
                                 "of each calibrator: {}.",
                                 absmax, list_of(thresholds)),
      .panels = {{.x = {.label = "magnitude", .low = 0, .high = absmax},
                  .y = {.label = "samples in a bin, log scale", .log = true},
                  .bars = {bars},
                  .markers = markers(thresholds, true),
                  .height = 220}}};
}

Chart clipping(const CalibrationPlotData& data, const std::vector<Threshold>& thresholds,
               const std::vector<std::int64_t>& histogram, float absmax) {
  ChartLine error{.name = "mean squared error", .x = {}, .y = {}};
  for (int percent = 1; percent <= 100; ++percent) {
    const auto threshold = static_cast<float>(double{absmax} * percent / 100);
    error.x.push_back(threshold);
    error.y.push_back(mean_squared_error(data.samples, threshold));
  }
  ChartLine divergence{.name = "KL divergence", .x = {}, .y = {}};
  for (std::int64_t bins = kHistogramLevels; bins <= kHistogramBins; ++bins) {
    divergence.x.push_back(double{absmax} * static_cast<double>(bins) / kHistogramBins);
    divergence.y.push_back(entropy_of_clipping(histogram, bins));
  }
  return {.title = "What a threshold costs",
          .subtitle = of_layer(data),
          .description = fmt::format("Mean squared error, and under it KL divergence, against the "
                                     "threshold, from 0 to {:.3g}. Calibrators: {}.",
                                     absmax, list_of(thresholds)),
          .panels = {
              {.x = {.label = "", .low = 0, .high = absmax},
               .y = {.label = "mean squared error, log scale", .log = true},
               .lines = {error},
               .markers = markers(thresholds, true),
               .height = 170},
              {.x = {.label = "clip threshold", .low = 0, .high = absmax},
               .y = {.label = "KL divergence, log scale; gaps where it is infinite", .log = true},
               .lines = {divergence},
               .markers = markers(thresholds, false),
               .height = 150}}};
}

/// Of more channels than fit, each bar is the largest of a few neighbours.
ChartBars channel_bars(const std::string& name, const std::vector<float>& absmax) {
  const std::size_t share = (absmax.size() + kMostChannels - 1) / kMostChannels;
  ChartBars bars{.name = name, .edges = {0}, .heights = {}};
  for (std::size_t k = 0; k < absmax.size(); k += share) {
    const std::size_t end = std::min(k + share, absmax.size());
    const auto first = absmax.begin();
    bars.heights.push_back(*std::max_element(first + static_cast<std::ptrdiff_t>(k),
                                             first + static_cast<std::ptrdiff_t>(end)));
    bars.edges.push_back(static_cast<double>(end));
  }
  return bars;
}

Chart channels(const CalibrationPlotData& data) {
  const std::pair<std::string, const std::vector<float>&> states[] = {
      {"as trained", data.channel_absmax},
      {"with planted outliers", data.channel_absmax_outliers},
      {"with planted outliers, after SmoothQuant", data.channel_absmax_smoothed}};
  float least = 0, most = 0;
  for (const auto& [name, absmax] : states) {
    QLAB_CHECK(!absmax.empty() && absmax.size() == data.channel_absmax.size(),
               "plot: ", absmax.size(), " channels ", name, ", ", data.channel_absmax.size(),
               " as trained; they must be as many, and some");
    for (std::size_t k = 0; k < absmax.size(); ++k) {
      QLAB_CHECK(std::isfinite(absmax[k]) && absmax[k] >= 0, "plot: channel ", k, " ", name, " is ",
                 absmax[k], "; a largest magnitude is finite and at least 0");
      if (absmax[k] > 0) least = least == 0 ? absmax[k] : std::min(least, absmax[k]);
      most = std::max(most, absmax[k]);
    }
  }
  QLAB_CHECK(most > 0, "plot: every channel of ", data.layer, " is 0; there is nothing to show");

  Chart chart{.title = "Outlier channels and SmoothQuant",
              .subtitle = fmt::format("largest magnitude of each input channel of {}, log scale",
                                      data.layer),
              .description = "Three bar charts with the same axes.",
              .panels = {}};
  for (const auto& [name, absmax] : states) {
    const auto [low, high] = std::ranges::minmax(absmax);
    chart.description += fmt::format(" The channels {}: from {:.3g} to {:.3g}.", name, low, high);
    chart.panels.push_back(
        {.x = {.label = "", .low = 0, .high = static_cast<double>(absmax.size())},
         .y = {.label = fmt::format("{}: at most {:.3g}", name, high),
               .log = true,
               .low = round_below(least * 0.8),
               .high = round_above(most * 1.02)},
         .bars = {channel_bars(name, absmax)},
         .height = 100});
  }
  chart.panels.back().x.label = "input channel";
  return chart;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> calibration_plots(
    const CalibrationPlotData& data) {
  const std::vector<Threshold> thresholds = all_thresholds(data.samples);
  const float absmax = thresholds.front().at;  // the first calibrator is absmax
  QLAB_CHECK(absmax > 0, "plot: every sample of ", data.layer, " is 0; there is nothing to show");
  const std::vector<std::int64_t> histogram = magnitude_histogram(data.samples, absmax);
  return {{"magnitudes.svg", svg_chart(magnitudes(data, thresholds, histogram, absmax))},
          {"clipping.svg", svg_chart(clipping(data, thresholds, histogram, absmax))},
          {"channels.svg", svg_chart(channels(data))}};
}

}  // namespace qlab
