// SPDX-License-Identifier: Apache-2.0
/// \file
/// calibrate: checks the samples, then absmax, percentile or the search for the least squared
/// error. The entropy calibrator stands in calibrate_entropy.cc.
#include "02_int8_calibration/calibrate.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "02_int8_calibration/calibrate_parts.h"

namespace qlab {
namespace {

constexpr std::string_view kNames[] = {"absmax", "percentile", "mse", "entropy"};  // as enumerated

constexpr int kMseCandidates = 100;

float percentile_of_magnitudes(std::span<const float> samples, double percentile, float absmax) {
  std::vector<float> magnitude(samples.size());
  std::ranges::transform(samples, magnitude.begin(), [](float x) { return std::abs(x); });

  // Two order statistics do not need the whole order: nth_element puts the lower one in its place
  // with the larger values behind it, and the upper one is the least of those.
  const double position = static_cast<double>(samples.size() - 1) * percentile / 100;
  const auto below = magnitude.begin() + static_cast<std::ptrdiff_t>(position);
  std::nth_element(magnitude.begin(), below, magnitude.end());
  const float low = *below;
  const float high =
      below + 1 == magnitude.end() ? low : *std::min_element(below + 1, magnitude.end());
  const float threshold =
      static_cast<float>(std::lerp(double{low}, double{high}, position - std::floor(position)));
  return threshold > 0 ? threshold : absmax;
}

float least_mse(std::span<const float> samples, float absmax) {
  float best = absmax;
  double least = mean_squared_error(samples, absmax);
  for (int i = 1; i < kMseCandidates; ++i) {
    const auto threshold =
        static_cast<float>(double{absmax} * (kMseCandidates - i) / kMseCandidates);
    const double error = mean_squared_error(samples, threshold);
    if (error < least) {  // a tie stays with the larger threshold
      least = error;
      best = threshold;
    }
  }
  return best;
}

}  // namespace

std::string_view calibrator_name(Calibrator calibrator) {
  return kNames[static_cast<std::size_t>(calibrator)];
}

std::optional<Calibrator> calibrator_named(std::string_view name) {
  for (const Calibrator calibrator : kAllCalibrators) {
    if (calibrator_name(calibrator) == name) return calibrator;
  }
  return std::nullopt;
}

float largest_magnitude(const char* operation, std::span<const float> samples) {
  QLAB_CHECK(!samples.empty(), operation,
             ": no samples; give it the activations of one batch at "
             "least");
  // Bits of floats without their sign rise with the magnitude and end with infinity and NaN, so a
  // NaN wins here, where std::max would drop it.
  std::uint32_t largest = 0;
  for (const float x : samples) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFF);
  }
  const auto absmax = std::bit_cast<float>(largest);
  if (!std::isfinite(absmax)) {
    const auto bad = std::ranges::find_if(samples, [](float x) { return !std::isfinite(x); });
    fail_contract(operation, ": samples[", bad - samples.begin(), "] is ", *bad,
                  "; a threshold needs finite values");
  }
  return absmax;
}

float calibrate(std::span<const float> samples, Calibrator calibrator, double percentile) {
  const float absmax = largest_magnitude("calibrate", samples);
  if (calibrator == Calibrator::kPercentile) {
    QLAB_CHECK(percentile > 0 && percentile <= 100, "calibrate: percentile ", percentile,
               " is outside (0, 100]; 99.99 is usual");
  }
  if (absmax == 0) return 0;
  switch (calibrator) {
    case Calibrator::kAbsmax:
      return absmax;
    case Calibrator::kPercentile:
      return percentile_of_magnitudes(samples, percentile, absmax);
    case Calibrator::kMse:
      return least_mse(samples, absmax);
    case Calibrator::kEntropy:
      return least_entropy(samples, absmax);
  }
  fail_contract("calibrate: no calibrator has the number ", static_cast<int>(calibrator));
}

}  // namespace qlab
