// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of percentiles and of the bootstrap, against golden draws and by their properties.
#include "common/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "common/contract.h"
#include "common/golden.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

const std::vector<double> kLatencies = {12, 15, 11, 30, 14, 13, 90, 16, 12.5, 18};

TEST(Percentile, MatchesGoldenDataToTheBit) {
  const std::vector<std::vector<std::string>> rows = read_golden("percentiles.csv", 2);
  EXPECT_EQ(rows.size(), 7u);
  for (const std::vector<std::string>& row : rows) {
    EXPECT_EQ(percentile(kLatencies, std::stod(row[0])), std::stod(row[1])) << "p = " << row[0];
  }
}

TEST(Percentile, OfOneValueIsThatValue) {
  for (const double p : {0.0, 33.3, 100.0}) EXPECT_EQ(percentile({7.25}, p), 7.25);
}

TEST(Percentile, RunsFromTheLeastToTheLargestAndNeverFalls) {
  const TestSeed seed;
  Random random(seed);
  std::vector<double> values(37);
  std::ranges::generate(values, [&] { return random.normal(); });
  EXPECT_EQ(percentile(values, 0), std::ranges::min(values));
  EXPECT_EQ(percentile(values, 100), std::ranges::max(values));
  double before = percentile(values, 0);
  for (double p = 0; p <= 100; p += 0.125) {
    EXPECT_GE(percentile(values, p), before) << p;
    before = percentile(values, p);
  }
}

TEST(Percentile, FollowsShiftsAndScales) {
  // Multiples of ½, a power of two and quarters of the range: nothing rounds.
  std::vector<double> moved = kLatencies;
  for (double& value : moved) value = 8 * value - 5;
  for (const double p : {0.0, 25.0, 50.0, 75.0, 100.0}) {
    EXPECT_EQ(percentile(moved, p), 8 * percentile(kLatencies, p) - 5) << p;
  }
}

TEST(Percentile, RefusesNoValuesAndAnotherRange) {
  EXPECT_THROW(percentile({}, 50), ContractError);
  for (const double p : {-0.1, 100.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(percentile({1, 2}, p), ContractError) << p;
  }
}

TEST(Median, LiesBetweenTheMiddleTwo) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(Bootstrap, MatchesGoldenDraws) {
  const std::vector<std::vector<std::string>> documents = read_golden("bootstrap_documents.csv", 3);
  const std::vector<std::string> golden = read_golden("bootstrap.csv", 8)[0];
  std::vector<double> seen;
  const auto difference = [&](std::span<const std::int64_t> drawn) {
    double nats = 0, bytes = 0;
    for (const std::int64_t i : drawn) {
      const std::vector<std::string>& document = documents[static_cast<std::size_t>(i)];
      bytes += std::stod(document[0]);
      nats += std::stod(document[2]) - std::stod(document[1]);
    }
    seen.push_back(nats / bytes / std::log(2));
    return seen.back();
  };
  const Interval got =
      bootstrap(std::ssize(documents), std::stoull(golden[0]), std::stoll(golden[1]), difference);
  // The sum of 24 differences rounds 23 times here and once there; none of them is negative, so
  // the error is under 24 u of the sum. A few u more for the divisions and the interpolation.
  const auto near = [](const std::string& expected) {
    return testing::DoubleNear(std::stod(expected), 32 * 0x1p-53 * std::stod(expected));
  };
  EXPECT_THAT(got.value, near(golden[2]));
  EXPECT_THAT(got.low, near(golden[3]));
  EXPECT_THAT(got.high, near(golden[4]));
  ASSERT_EQ(seen.size(), 2001u) << "all documents once, then the resamples";
  for (std::size_t i = 0; i < 3; ++i) EXPECT_THAT(seen[1 + i], near(golden[5 + i])) << i;
}

TEST(Bootstrap, GivesTheStatisticItsUnitsInOrderFirst) {
  std::vector<std::vector<std::int64_t>> seen;
  bootstrap(5, 1, 3, [&](std::span<const std::int64_t> drawn) {
    seen.emplace_back(drawn.begin(), drawn.end());
    return 0.0;
  });
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_THAT(seen[0], testing::ElementsAre(0, 1, 2, 3, 4));
  for (const std::vector<std::int64_t>& drawn : seen) {
    EXPECT_THAT(drawn, testing::SizeIs(5));
    EXPECT_THAT(drawn, testing::Each(testing::AllOf(testing::Ge(0), testing::Lt(5))));
  }
}

TEST(Bootstrap, OfAConstantHasNoWidth) {
  const double constant = 0.1;
  const Interval of_units = bootstrap(20, 3, 500, [&](auto) { return constant; });
  const Interval of_median = median_interval(std::vector<double>(20, constant), 3);
  for (const Interval& interval : {of_units, of_median}) {
    EXPECT_EQ(interval.value, constant);
    EXPECT_EQ(interval.low, constant);
    EXPECT_EQ(interval.high, constant);
  }
}

TEST(Bootstrap, RepeatsItselfForASeedAndDiffersForAnother) {
  const Interval one = median_interval(kLatencies, 1), again = median_interval(kLatencies, 1);
  EXPECT_EQ(one.low, again.low);
  EXPECT_EQ(one.high, again.high);
  // The mean takes many values, so that two sets of draws do not agree by chance.
  const auto mean = [](std::span<const std::int64_t> drawn) {
    double sum = 0;
    for (const std::int64_t i : drawn) sum += std::sqrt(static_cast<double>(i));
    return sum / static_cast<double>(drawn.size());
  };
  EXPECT_NE(bootstrap(50, 1, 200, mean).low, bootstrap(50, 2, 200, mean).low);
}

TEST(MedianInterval, HoldsTheMedianOfSymmetricValues) {
  std::vector<double> values(101);
  std::iota(values.begin(), values.end(), -50.0);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Interval interval = median_interval(values, seed);
    EXPECT_EQ(interval.value, 0);
    EXPECT_LT(interval.low, 0) << seed;
    EXPECT_GT(interval.high, 0) << seed;
  }
}

TEST(Bootstrap, RefusesNoUnitsAndNoResamples) {
  const auto zero = [](std::span<const std::int64_t>) { return 0.0; };
  EXPECT_THROW(bootstrap(0, 1, 10, zero), ContractError);
  EXPECT_THROW(bootstrap(10, 1, 0, zero), ContractError);
  EXPECT_THROW(median_interval({}, 1), ContractError);
}

}  // namespace
}  // namespace qlab::test
