// SPDX-License-Identifier: Apache-2.0
/// \file
/// Percentiles and the paired bootstrap.
#include "common/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/contract.h"
#include "common/random.h"

namespace qlab {

double percentile(std::vector<double> values, double p) {
  QLAB_CHECK(!values.empty(), "percentile: no values");
  QLAB_CHECK(p >= 0 && p <= 100, "percentile: p = ", p, " is outside 0 … 100");
  std::ranges::sort(values);
  const double position = static_cast<double>(values.size() - 1) * p / 100;
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - std::floor(position)) * (values[above] - values[below]);
}

double median(std::vector<double> values) { return percentile(std::move(values), 50); }

Interval bootstrap(std::int64_t units, std::uint64_t seed, std::int64_t resamples,
                   const std::function<double(std::span<const std::int64_t>)>& statistic) {
  QLAB_CHECK(units >= 1 && resamples >= 1, "bootstrap: ", units, " units, ", resamples,
             " resamples; both must be 1 or more");
  std::vector<std::int64_t> drawn(static_cast<std::size_t>(units));
  std::iota(drawn.begin(), drawn.end(), 0);
  const double value = statistic(drawn);
  Random random(seed);
  std::vector<double> values(static_cast<std::size_t>(resamples));
  for (double& resampled : values) {
    for (std::int64_t& unit : drawn) unit = random.below(units);
    resampled = statistic(drawn);
  }
  return {.value = value, .low = percentile(values, 2.5), .high = percentile(values, 97.5)};
}

Interval median_interval(std::span<const double> values, std::uint64_t seed) {
  std::vector<double> sample(values.size());
  return bootstrap(std::ssize(values), seed, 2000, [&](std::span<const std::int64_t> drawn) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      sample[i] = values[static_cast<std::size_t>(drawn[i])];
    }
    return median(sample);
  });
}

}  // namespace qlab
