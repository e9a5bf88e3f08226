// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lab 02: the calibrators on samples with two outliers, those of the golden file of calibrate.
#include <fmt/format.h>

#include <vector>

#include "02_int8_calibration/calibrate.h"
#include "common/random.h"
#include "lab/svg_chart.h"
#include "pages/pictures/int8_pictures.h"

namespace qlab {
namespace {

/// 8,190 nearly normal values as sums of uniform ones, which are the same on every machine, and two
/// outliers. The exercise asks which threshold has the least squared error on these.
std::vector<float> samples_with_two_outliers() {
  std::vector<float> samples;
  Random random(123);
  for (int i = 0; i < 8192; ++i) {
    double sum = 0;
    for (int j = 0; j < 12; ++j) sum += random.uniform();
    samples.push_back(static_cast<float>(sum - 6));
  }
  samples[100] = 30;
  samples[5000] = -24;
  return samples;
}

}  // namespace

std::string picture_calibrate() {
  constexpr std::size_t kBars = 64;
  const std::vector<float> samples = samples_with_two_outliers();
  const float absmax = calibrate(samples, Calibrator::kAbsmax);
  std::vector<ChartMarker> named, unnamed;
  std::string list;
  for (const Calibrator calibrator : kAllCalibrators) {
    const float at = calibrate(samples, calibrator);
    named.push_back({at, fmt::format("{} {:.3g}", calibrator_name(calibrator), at)});
    unnamed.push_back({at, ""});
    list +=
        fmt::format("{}{} at {:.3g}", list.empty() ? "" : ", ", calibrator_name(calibrator), at);
  }

  const std::vector<std::int64_t> histogram = magnitude_histogram(samples, absmax);
  const std::size_t share = histogram.size() / kBars;
  ChartBars bars{.name = "samples", .edges = {0}, .heights = {}};
  for (std::size_t b = 0; b < kBars; ++b) {
    double count = 0;
    for (std::size_t i = 0; i < share; ++i) count += static_cast<double>(histogram[b * share + i]);
    bars.edges.push_back(double{absmax} * static_cast<double>(b + 1) / kBars);
    bars.heights.push_back(count);
  }
  ChartLine error{.name = "mean squared error", .x = {}, .y = {}};
  for (int percent = 1; percent <= 100; ++percent) {
    const auto threshold = static_cast<float>(double{absmax} * percent / 100);
    error.x.push_back(threshold);
    error.y.push_back(mean_squared_error(samples, threshold));
  }
  return svg_chart({.title = "Two outliers, four opinions",
                    .subtitle = "8,190 nearly normal samples and two more, 30 and -24",
                    .description = fmt::format(
                        "A histogram of magnitudes up to {:g}, and under it the mean squared "
                        "error against the threshold, which is least near the largest "
                        "magnitude. Calibrators: {}.",
                        absmax, list),
                    .panels = {{.x = {.label = "", .low = 0, .high = absmax},
                                .y = {.label = "samples in a bin, log scale", .log = true},
                                .bars = {bars},
                                .markers = named,
                                .height = 150},
                               {.x = {.label = "clip threshold", .low = 0, .high = absmax},
                                .y = {.label = "mean squared error, log scale", .log = true},
                                .lines = {error},
                                .markers = unnamed,
                                .height = 150}}});
}

}  // namespace qlab
