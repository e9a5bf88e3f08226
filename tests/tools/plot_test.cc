// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the plots of calibration: what is in each, on samples of several shapes.
#include "lab/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "02_int8_calibration/calibrate.h"
#include "common/random.h"
#include "support/seed.h"
#include "tools/svg_checks.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

/// Normal samples, the first `outliers` of them 20 times as large; every 61st channel 64 times.
CalibrationPlotData example(std::size_t outliers, std::size_t channels, std::uint64_t seed) {
  Random random(seed);
  CalibrationPlotData data;
  data.layer = "layers.2.mlp.down_proj";
  for (std::size_t i = 0; i < 4000; ++i) {
    data.samples.push_back(static_cast<float>(random.normal() * (i < outliers ? 20 : 1)));
  }
  for (std::size_t k = 0; k < channels; ++k) {
    const auto absmax = static_cast<float>(2 + std::abs(random.normal()));
    data.channel_absmax.push_back(absmax);
    data.channel_absmax_outliers.push_back(k % 61 == 17 ? 64 * absmax : absmax);
    data.channel_absmax_smoothed.push_back(std::sqrt(data.channel_absmax_outliers.back()));
  }
  return data;
}

std::string path_of(const std::string& svg, const std::string& classes, int which = 0) {
  std::size_t start = svg.find("<path class=\"" + classes + "\"");
  for (int i = 0; i < which; ++i) start = svg.find("<path class=\"" + classes + "\"", start + 1);
  return start == std::string::npos ? "" : svg.substr(start, svg.find("/>", start) - start);
}

TEST(Plot, MakesThreePicturesThatCanBeRead) {
  const TestSeed seed;
  for (const std::size_t outliers : {0, 1, 3, 200}) {
    for (const std::size_t channels : {1, 7, 256, 4096}) {
      const auto plots = calibration_plots(example(outliers, channels, seed));
      ASSERT_EQ(plots.size(), 3U);
      EXPECT_EQ(plots[0].first, "magnitudes.svg");
      EXPECT_EQ(plots[1].first, "clipping.svg");
      EXPECT_EQ(plots[2].first, "channels.svg");
      for (const auto& [name, svg] : plots) {
        EXPECT_TRUE(is_well_formed(svg)) << name;
        EXPECT_TRUE(text_is_readable(svg)) << name << ", " << outliers << " outliers";
        EXPECT_THAT(svg, HasSubstr("layers.2.mlp.down_proj"));
      }
    }
  }
}

TEST(Plot, MarksEveryCalibratorWithItsThreshold) {
  const TestSeed seed;
  const CalibrationPlotData data = example(3, 64, seed);
  const auto plots = calibration_plots(data);
  for (const std::size_t plot : {0, 1}) {
    for (const Calibrator calibrator : kAllCalibrators) {
      char number[32];
      std::snprintf(number, sizeof number, " %.3g", double{calibrate(data.samples, calibrator)});
      const std::string label = std::string(calibrator_name(calibrator)) + number + "</text>";
      EXPECT_EQ(count_of(plots[plot].second, label), 1) << label;
    }
    // Under each other in both panels of the second picture.
    EXPECT_EQ(count_of(plots[plot].second, "<path class=\"k "), plot == 0 ? 4 : 8);
  }
}

TEST(Plot, ShowsEveryBinCandidateAndChannel) {
  const TestSeed seed;
  CalibrationPlotData data = example(0, 100, seed);
  // A sample in each of the 128 bars: magnitudes (b + ½) / 128 of the largest.
  data.samples.clear();
  for (int b = 0; b < 128; ++b) data.samples.push_back((static_cast<float>(b) + 0.5F) / 128);
  data.samples.push_back(-1);
  const auto plots = calibration_plots(data);
  EXPECT_EQ(count_of(path_of(plots[0].second, "b f0"), "z"), 128);
  EXPECT_EQ(count_of(path_of(plots[1].second, "l c0"), "L"), 99) << "100 candidates";
  for (int panel = 0; panel < 3; ++panel) {
    EXPECT_EQ(count_of(path_of(plots[2].second, "b f0", panel), "z"), 100);
  }
}

TEST(Plot, GathersChannelsThatAreTooMany) {
  const TestSeed seed;
  const auto plots = calibration_plots(example(0, 4096, seed));
  EXPECT_EQ(count_of(path_of(plots[2].second, "b f0"), "z"), 512);
}

TEST(Plot, TakesChannelsThatAreSilent) {
  const TestSeed seed;
  CalibrationPlotData data = example(0, 8, seed);
  data.channel_absmax[3] = 0;
  const auto plots = calibration_plots(data);
  EXPECT_EQ(count_of(path_of(plots[2].second, "b f0"), "z"), 7);
  EXPECT_TRUE(is_well_formed(plots[2].second));
}

TEST(Plot, RefusesWhatItCannotShow) {
  const TestSeed seed;
  const auto expect_refused = [&](auto change, const std::string& text) {
    CalibrationPlotData data = example(3, 8, seed);
    change(data);
    EXPECT_THAT([&] { calibration_plots(data); },
                testing::ThrowsMessage<ContractError>(HasSubstr(text)));
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  using Data = CalibrationPlotData;
  expect_refused([](Data& d) { d.samples.clear(); }, "no samples");
  expect_refused([](Data& d) { d.samples[5] = kNan; }, "samples[5] is");
  expect_refused([](Data& d) { d.samples.assign(9, 0); }, "every sample");
  expect_refused([](Data& d) { d.channel_absmax.clear(); }, "0 channels as trained");
  expect_refused([](Data& d) { d.channel_absmax_smoothed.pop_back(); }, "7 channels");
  expect_refused([](Data& d) { d.channel_absmax_outliers[2] = kNan; }, "channel 2 with planted");
  expect_refused([](Data& d) { d.channel_absmax[1] = -1; }, "channel 1 as trained is -1");
  expect_refused(
      [](Data& d) {
        for (auto* channels :
             {&d.channel_absmax, &d.channel_absmax_outliers, &d.channel_absmax_smoothed}) {
          channels->assign(8, 0);
        }
      },
      "every channel");
}

}  // namespace
}  // namespace qlab::test
