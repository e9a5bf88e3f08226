// SPDX-License-Identifier: Apache-2.0
/// \file
/// calibrate: your turn. Replace each todo() with your code, then run `./lab check calibrate`.
#include "02_int8_calibration/calibrate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "02_int8_calibration/quantize_rows.h"

namespace qlab::exercise {
namespace {

[[noreturn]] void refuse(std::size_t batch, std::size_t i, float x) {
  fail_contract("collect: batches[", batch, "][", i, "] is ", x,
                "; a scale needs finite values, so drop it or mend the layer before");
}

void check_samples(const char* operation, std::span<const float> samples) {
  QLAB_CHECK(!samples.empty(), operation, ": no samples; give it one batch at least");
  for (std::size_t i = 0; i < samples.size(); ++i) {
    QLAB_CHECK(std::isfinite(samples[i]), operation, ": samples[", i, "] is ", samples[i],
               "; a scale needs finite values");
  }
}

/// Σ p · ln(p / q), each divided by its sum first. +∞ where p has mass and q has none.
double kl_divergence(std::span<const double> p, std::span<const double> q) {
  double p_sum = 0;
  double q_sum = 0;
  for (std::size_t b = 0; b < p.size(); ++b) {
    p_sum += p[b];
    q_sum += q[b];
  }
  double divergence = 0;
  for (std::size_t b = 0; b < p.size(); ++b) {
    if (p[b] == 0) continue;
    if (q[b] == 0) return std::numeric_limits<double>::infinity();
    divergence += p[b] / p_sum * std::log(p[b] / p_sum / (q[b] / q_sum));
  }
  return divergence;
}

}  // namespace

MagnitudeHistogram collect(std::span<const std::span<const float>> batches) {
  QLAB_CHECK(std::ranges::any_of(batches, [](auto batch) { return !batch.empty(); }),
             "collect: no samples; give it one batch at least");
  MagnitudeHistogram result;
  result.count.resize(kHistogramBins);
  // TODO [calibrate_collect] Find the range of all batches, then count
  // Set result.absmax to the largest magnitude of all batches, then add 1 to the bin of each sample
  // in result.count: bin ⌊|x| / absmax · kHistogramBins⌋, in double, and never beyond the last one.
  // All zeros are in bin 0. Call refuse(batch, i, x) for the first x that is not finite.
  todo("calibrate_collect");
  return result;
}

float percentile_threshold(std::span<const float> samples, double percentile) {
  check_samples("percentile_threshold", samples);
  QLAB_CHECK(percentile > 0 && percentile <= 100, "percentile_threshold: percentile ", percentile,
             " is outside (0, 100]; 99.99 is usual");
  std::vector<float> magnitude(samples.begin(), samples.end());
  double threshold = 0;
  // TODO [calibrate_percentile] Interpolate between two magnitudes
  // Turn `magnitude` into magnitudes and put them in order. Set `threshold` to the value at position
  // (n - 1) · percentile / 100, in double: between two of them in proportion.
  todo("calibrate_percentile");
  // Of sparse samples the percentile can be 0, which would lose all the others.
  return threshold > 0 ? static_cast<float>(threshold) : std::ranges::max(magnitude);
}

float mse_threshold(std::span<const float> samples, float absmax) {
  check_samples("mse_threshold", samples);
  float best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 100; ++i) {
    const auto threshold = static_cast<float>(double{absmax} * (100 - i) / 100);
    const float scale = int8_scale(threshold);
    // TODO [calibrate_mse] Measure what a threshold costs
    // Add up (x - scale · code)² of all samples in double; code is x / scale, in FP32, to the nearest
    // whole number, ties to even, clamped to ±127. If that is less than `least`, keep it there and
    // the threshold in `best`.
    todo("calibrate_mse");
  }
  return best;
}

double divergence_of_clipping(std::span<const std::int64_t> histogram, std::int64_t bins) {
  QLAB_CHECK(
      std::ssize(histogram) == kHistogramBins && bins >= kHistogramLevels && bins <= kHistogramBins,
      "divergence_of_clipping: ", bins, " of ", histogram.size(), " bins; give it ", kHistogramBins,
      " and keep ", kHistogramLevels, " at least");
  const auto size = static_cast<std::size_t>(bins);
  const auto levels = static_cast<std::size_t>(kHistogramLevels);
  std::vector<double> p(size);                       // what clipping leaves of the samples
  std::vector<double> q(size);                       // the same in 128 levels
  std::vector<double> mass(levels), filled(levels);  // of each level: samples, bins that have any
  // TODO [calibrate_entropy] Clip the histogram and give it 128 levels
  // p: the first `size` bins, with the samples of all bins beyond added to the last of them.
  // q: bin b belongs to level ⌊levels · b / size⌋. The samples of a level, those clipped not among
  // them, are spread evenly over its bins that are not empty; an empty bin of the histogram gets 0.
  todo("calibrate_entropy");
  return kl_divergence(p, q);
}

float entropy_threshold(const MagnitudeHistogram& histogram) {
  std::int64_t best = kHistogramBins;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t bins = kHistogramLevels; bins <= kHistogramBins; ++bins) {
    const double divergence = divergence_of_clipping(histogram.count, bins);
    if (divergence < least) {
      least = divergence;
      best = bins;
    }
  }
  return static_cast<float>(double{histogram.absmax} * static_cast<double>(best) / kHistogramBins);
}

}  // namespace qlab::exercise
