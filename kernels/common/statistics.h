// SPDX-License-Identifier: Apache-2.0
/// \file
/// Interval, percentiles and the paired bootstrap: what a measurement says, and how surely.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace qlab {

/// A measured value and its 95 % interval. Exact quantities have low = value = high.
struct Interval {
  double value, low, high;
};

/// Percentile of type 7 (linear between order statistics; numpy's default): p in 0 … 100.
/// \throws ContractError for no values or p outside 0 … 100.
double percentile(std::vector<double> values, double p);
/// Of one value or more; the mean of the two in the middle of an even count.
double median(std::vector<double> values);

/// The statistic of all `units`, and the 2.5 and 97.5 percentiles of the statistic of `resamples`
/// draws with replacement. The statistic gets the indices of the drawn units, so that whatever is
/// paired by index stays paired. Source: Efron, Tibshirani, "An Introduction to the Bootstrap",
/// 1993, chapter 13; the draws are SplitMix64(seed), index = ⌊u · n⌋.
Interval bootstrap(std::int64_t units, std::uint64_t seed, std::int64_t resamples,
                   const std::function<double(std::span<const std::int64_t>)>& statistic);

/// Bootstrap of the median.
Interval median_interval(std::span<const double> values, std::uint64_t seed);

}  // namespace qlab
