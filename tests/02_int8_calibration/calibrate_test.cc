// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of calibrate: thresholds planted so that they can be told by hand, a golden file made in
/// float64, what must not matter (order, batches), and what is refused.
#include "02_int8_calibration/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "02_int8_calibration/calibrate_golden.h"
#include "02_int8_calibration/quantize_rows.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> normal_samples(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> samples(count);
  for (float& x : samples) x = static_cast<float>(random.normal());
  return samples;
}

/// The definition, with the sum in order.
double plain_squared_error(std::span<const float> samples, float threshold) {
  const float scale = int8_scale(threshold);
  double sum = 0;
  for (const float x : samples) {
    const float code = std::clamp(std::nearbyint(x / scale), -127.0F, 127.0F);
    sum += std::pow(double{x} - double{scale} * double{code}, 2);
  }
  return sum / static_cast<double>(samples.size());
}

TEST(Calibrate, NamesEveryCalibrator) {
  for (const Calibrator calibrator : kAllCalibrators) {
    EXPECT_EQ(calibrator_named(calibrator_name(calibrator)), calibrator);
  }
  EXPECT_EQ(calibrator_name(Calibrator::kEntropy), "entropy");
  EXPECT_EQ(calibrator_named("kl"), std::nullopt);
}

TEST(Calibrate, FindsPlantedThresholds) {
  // Magnitudes 1 … 100: position 99 · p / 100 of them in order.
  std::vector<float> ramp(100);
  for (int i = 0; i < 100; ++i)
    ramp[static_cast<std::size_t>(i)] = static_cast<float>(i % 2 == 0 ? i + 1 : -i - 1);
  EXPECT_EQ(calibrate(ramp, Calibrator::kAbsmax), 100);
  EXPECT_EQ(calibrate(ramp, Calibrator::kPercentile, 50), 50.5);

  // Every multiple of 2⁻⁴ up to 127 · 2⁻⁴ is exact with that as the threshold, and with no other.
  std::vector<float> grid;
  for (int code = -127; code <= 127; ++code) grid.push_back(static_cast<float>(code) * 0x1p-4F);
  EXPECT_EQ(calibrate(grid, Calibrator::kMse), 127 * 0x1p-4F);
  EXPECT_EQ(mean_squared_error(grid, 127 * 0x1p-4F), 0);

  // A thousand of every even code of ±100 and a single value at 200: half the range, candidate 50,
  // clips one value by 100, and any finer or coarser grid costs the rest more than that.
  std::vector<float> planted = {200};
  for (int i = 0; i < 1000; ++i) {
    for (int code = -127; code <= 127; ++code)
      planted.push_back(static_cast<float>(code) * 100 / 127);
  }
  EXPECT_EQ(calibrate(planted, Calibrator::kMse), 100);

  // Bins are 1 wide, and neighbours differ so much that a level for two of them would tell. 128
  // bins have a level each, and the tail is one value of 12,801.
  std::vector<float> bins;
  for (int i = 0; i < 128; ++i)
    bins.insert(bins.end(), i % 2 == 0 ? 150 : 50, static_cast<float>(i) + 0.5F);
  bins.push_back(2048);
  EXPECT_EQ(calibrate(bins, Calibrator::kEntropy), 128);
}

TEST(Calibrate, IsOrAllowsTheLargestMagnitude) {
  const TestSeed seed;
  const std::vector<float> samples = normal_samples(5000, seed);
  const float absmax = calibrate(samples, Calibrator::kAbsmax);
  EXPECT_EQ(absmax,
            std::abs(*std::ranges::max_element(samples, {}, [](float x) { return std::abs(x); })));
  EXPECT_EQ(calibrate(samples, Calibrator::kPercentile, 100), absmax);
  float last = 0;
  for (const double p : {0.001, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 100.0}) {
    const float threshold = calibrate(samples, Calibrator::kPercentile, p);
    EXPECT_GE(threshold, last) << "percentile " << p;
    last = threshold;
  }
  for (const Calibrator calibrator : kAllCalibrators) {
    const float threshold = calibrate(samples, calibrator);
    EXPECT_TRUE(threshold > 0 && threshold <= absmax) << calibrator_name(calibrator);
  }
  EXPECT_LE(mean_squared_error(samples, calibrate(samples, Calibrator::kMse)),
            mean_squared_error(samples, absmax));
}

TEST(Calibrate, IgnoresOrderAndSigns) {
  const TestSeed seed;
  std::vector<float> samples = normal_samples(3001, seed);
  samples[17] = -40;
  std::vector<float> other = samples;
  std::ranges::sort(other);
  for (float& x : other) x = -x;
  for (const Calibrator calibrator : kAllCalibrators) {
    EXPECT_EQ(calibrate(samples, calibrator), calibrate(other, calibrator))
        << calibrator_name(calibrator);
  }
}

TEST(Calibrate, DoublesWithTheSamples) {
  const TestSeed seed;
  const std::vector<float> samples = normal_samples(3001, seed);
  for (const float factor : {0x1p-60F, 2.0F, 0x1p100F}) {
    std::vector<float> scaled = samples;
    for (float& x : scaled) x *= factor;
    for (const Calibrator calibrator : kAllCalibrators) {
      EXPECT_EQ(calibrate(scaled, calibrator), factor * calibrate(samples, calibrator))
          << calibrator_name(calibrator) << " of samples times " << factor;
    }
  }
}

TEST(Calibrate, AgreesWithTheGoldenFile) {
  const CalibrateGolden golden = read_calibrate_golden();
  const std::vector<float>& samples = golden.samples;
  EXPECT_EQ(calibrate(samples, Calibrator::kAbsmax), golden.absmax);
  for (const auto& [p, threshold] : golden.percentiles) {
    // Two FP32 roundings of the definition in float64.
    EXPECT_NEAR(calibrate(samples, Calibrator::kPercentile, p), threshold, threshold * 0x1p-23);
  }
  EXPECT_EQ(calibrate(samples, Calibrator::kMse),
            static_cast<float>(golden.absmax * (100 - golden.best_candidate) / 100));
  for (const auto& [i, error] : golden.errors) {
    // The scale is rounded to FP32, and a value near a tie may go to the other code: an error of
    // half a step either way, and the steps differ by 2⁻²⁴.
    EXPECT_NEAR(mean_squared_error(samples, static_cast<float>(golden.absmax * (100 - i) / 100)),
                error, error * 1e-5)
        << "candidate " << i;
  }
  EXPECT_EQ(calibrate(samples, Calibrator::kEntropy),
            static_cast<float>(golden.absmax * golden.best_bins / 2048));
  EXPECT_EQ(magnitude_histogram(samples, static_cast<float>(golden.absmax)), golden.histogram);
  for (const auto& [bins, divergence] : golden.divergences) {
    const double got = entropy_of_clipping(golden.histogram, bins);
    if (std::isinf(divergence)) {
      EXPECT_EQ(got, divergence) << bins << " bins";
    } else {
      // Sums of at most 2048 terms in double.
      EXPECT_NEAR(got, divergence, 1e-12) << bins << " bins";
    }
  }
}

TEST(Calibrate, MeasuresTheErrorOfTheDefinition) {
  const TestSeed seed;
  for (const std::size_t count : {1, 7, 8, 9, 250, 1001}) {
    const std::vector<float> samples = normal_samples(count, seed);
    for (const float threshold : {0.0F, 0.01F, 1.0F, 3.0F, 1000.0F, 1e-45F, 3e38F}) {
      const double expected = plain_squared_error(samples, threshold);
      // n additions of terms that are equal in both.
      EXPECT_NEAR(mean_squared_error(samples, threshold), expected,
                  expected * static_cast<double>(count) * 0x1p-52)
          << count << " samples, threshold " << threshold;
    }
  }
}

TEST(Calibrate, CountsWhatLiesBeyondTheRangeInTheLastBin) {
  const std::vector<std::int64_t> count =
      magnitude_histogram(std::vector<float>{0, -0.0F, 1, -1, 2047.5F, 2048, -2049, 3e38F}, 2048);
  EXPECT_EQ(count[0], 2);
  EXPECT_EQ(count[1], 2);
  EXPECT_EQ(count[2047], 4);

  // Batches over one range merge into all at once.
  const TestSeed seed;
  const std::vector<float> samples = normal_samples(1000, seed);
  const std::span<const float> all = samples;
  std::vector<std::int64_t> merged = magnitude_histogram(all.first(300), 4);
  const std::vector<std::int64_t> second = magnitude_histogram(all.subspan(300), 4);
  for (std::size_t b = 0; b < merged.size(); ++b) merged[b] += second[b];
  EXPECT_EQ(merged, magnitude_histogram(all, 4));
}

TEST(Calibrate, TakesZerosAndTheSmallestNumbers) {
  const std::vector<float> zeros = {0, -0.0F, 0};
  const float denormal = std::numeric_limits<float>::denorm_min();
  const std::vector<float> tiny = {0, denormal, -2 * denormal, 5 * denormal};
  std::vector<float> sparse(100'000);
  sparse[7] = -3;
  for (const Calibrator calibrator : kAllCalibrators) {
    EXPECT_EQ(calibrate(zeros, calibrator), 0) << calibrator_name(calibrator);
    const float threshold = calibrate(tiny, calibrator);
    EXPECT_TRUE(threshold > 0 && threshold <= 5 * denormal) << calibrator_name(calibrator);
    EXPECT_EQ(calibrate(std::vector<float>{-3}, calibrator), 3) << calibrator_name(calibrator);
    // The percentile of these is 0, and a threshold of 0 would lose the one value there is.
    EXPECT_EQ(calibrate(sparse, calibrator), 3) << calibrator_name(calibrator);
  }
}

template <class Call>
void expect_refused(const Call& call, const std::string& text) {
  EXPECT_THAT(call, testing::ThrowsMessage<ContractError>(testing::HasSubstr(text)));
}

TEST(Calibrate, RefusesSamplesThatAreMissingOrNotFinite) {
  for (const Calibrator calibrator : kAllCalibrators) {
    expect_refused([&] { calibrate({}, calibrator); }, "calibrate: no samples");
    for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
      for (const std::size_t place : {0, 5, 20}) {
        std::vector<float> samples(21, 1.0F);
        samples[20] = kNan;
        samples[place] = bad;
        const std::string text = "samples[" + std::to_string(place) + "] is ";
        expect_refused([&] { calibrate(samples, calibrator); }, "calibrate: " + text);
        expect_refused([&] { mean_squared_error(samples, 1); }, "mean_squared_error: " + text);
        expect_refused([&] { magnitude_histogram(samples, 1); }, "magnitude_histogram: " + text);
      }
    }
  }
}

TEST(Calibrate, RefusesNumbersOutsideTheirRange) {
  const std::vector<float> samples = {1, 2, 3};
  for (const double bad : {0.0, -1.0, 100.5, double{kNan}}) {
    expect_refused([&] { calibrate(samples, Calibrator::kPercentile, bad); },
                   "is outside (0, 100]");
  }
  EXPECT_EQ(calibrate(samples, Calibrator::kAbsmax, -1), 3) << "only kPercentile has a percentile";
  for (const float bad : {0.0F, -1.0F, kNan, kInfinity}) {
    expect_refused([&] { magnitude_histogram(samples, bad); }, "magnitude_histogram: absmax is ");
  }
  for (const float bad : {-1.0F, kNan, kInfinity}) {
    expect_refused([&] { mean_squared_error(samples, bad); }, "mean_squared_error: threshold is ");
  }
  std::vector<std::int64_t> histogram(kHistogramBins);
  expect_refused([&] { entropy_of_clipping(histogram, 128); }, "the histogram is empty");
  histogram[3] = 1;
  for (const std::int64_t bad : {-1, 0, 127, 2049}) {
    expect_refused([&] { entropy_of_clipping(histogram, bad); }, "are outside 128 … 2048");
  }
  histogram.pop_back();
  expect_refused([&] { entropy_of_clipping(histogram, 128); }, "has 2047 bins, expected 2048");
}

}  // namespace
}  // namespace qlab::test
