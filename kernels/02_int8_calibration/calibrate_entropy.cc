// SPDX-License-Identifier: Apache-2.0
/// \file
/// calibrate, by entropy: the histogram of magnitudes, and how much a clipped one tells of it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "02_int8_calibration/calibrate.h"
#include "02_int8_calibration/calibrate_parts.h"

namespace qlab {

std::vector<std::int64_t> magnitude_histogram(std::span<const float> samples, float absmax) {
  QLAB_CHECK(absmax > 0 && std::isfinite(absmax), "magnitude_histogram: absmax is ", absmax,
             "; bins need a range that is finite and above 0");
  largest_magnitude("magnitude_histogram", samples);  // refuses what no bin could take
  std::vector<std::int64_t> count(kHistogramBins);
  for (const float x : samples) {
    // The smaller of two doubles comes before the cast: a bin beyond 2⁶³ could not be cast.
    const double bin = std::abs(double{x}) / absmax * kHistogramBins;
    ++count[static_cast<std::size_t>(std::min(bin, double{kHistogramBins - 1}))];
  }
  return count;
}

double entropy_of_clipping(std::span<const std::int64_t> histogram, std::int64_t bins) {
  QLAB_CHECK(std::ssize(histogram) == kHistogramBins, "entropy_of_clipping: the histogram has ",
             histogram.size(), " bins, expected ", kHistogramBins);
  QLAB_CHECK(bins >= kHistogramLevels && bins <= kHistogramBins, "entropy_of_clipping: ", bins,
             " bins are outside ", kHistogramLevels, " … ", kHistogramBins);
  const std::span<const std::int64_t> kept = histogram.first(static_cast<std::size_t>(bins));
  const std::int64_t total = std::reduce(histogram.begin(), histogram.end());
  const std::int64_t inside = std::reduce(kept.begin(), kept.end());
  QLAB_CHECK(total > 0, "entropy_of_clipping: the histogram is empty");
  if (kept.back() == 0 && inside < total) return std::numeric_limits<double>::infinity();

  // Both are normalized: P sums to `total`, since what is clipped was added to its last bin, and Q
  // to `inside`, since it is made of the bins as they are.
  const double q_over_p = static_cast<double>(total) / static_cast<double>(inside);
  double divergence = 0;
  for (std::int64_t first = 0, last = 0; first < bins; first = last) {
    // Cell c holds the bins b with ⌊128 · b / bins⌋ = c, so it ends before ⌈(c + 1) · bins / 128⌉.
    const std::int64_t cell = first * kHistogramLevels / bins;
    last = ((cell + 1) * bins + kHistogramLevels - 1) / kHistogramLevels;
    std::int64_t mass = 0;
    std::int64_t filled = 0;
    for (std::int64_t b = first; b < last; ++b) {
      mass += kept[static_cast<std::size_t>(b)];
      filled += kept[static_cast<std::size_t>(b)] != 0;
    }
    for (std::int64_t b = first; b < last; ++b) {
      if (kept[static_cast<std::size_t>(b)] == 0) continue;
      const std::int64_t tail = b == bins - 1 ? total - inside : 0;
      const auto p = static_cast<double>(kept[static_cast<std::size_t>(b)] + tail);
      const double q = static_cast<double>(mass) / static_cast<double>(filled) * q_over_p;
      divergence += p * std::log(p / q);
    }
  }
  return divergence / static_cast<double>(total);
}

float least_entropy(std::span<const float> samples, float absmax) {
  const std::vector<std::int64_t> histogram = magnitude_histogram(samples, absmax);
  // Keeping every bin is always finite, so the search ends with a threshold.
  double least = std::numeric_limits<double>::infinity();
  std::int64_t best = kHistogramBins;
  for (std::int64_t bins = kHistogramLevels; bins <= kHistogramBins; ++bins) {
    const double divergence = entropy_of_clipping(histogram, bins);
    if (divergence < least) {
      least = divergence;
      best = bins;
    }
  }
  return static_cast<float>(double{absmax} * static_cast<double>(best) / kHistogramBins);
}

}  // namespace qlab
