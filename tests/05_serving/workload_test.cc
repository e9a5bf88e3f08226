// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the Poisson workload: gaps, lengths, seeds, refusals.
#include "05_serving/workload.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "common/statistics.h"

namespace qlab::test {
namespace {

constexpr WorkloadConfig kUsual{.requests = 40'000,
                                .rate = 5,
                                .prompt = {.median = 100, .spread = 0.8, .most = 1000},
                                .output = {.median = 40, .spread = 0.5, .most = 200},
                                .seed = 3};

TEST(Workload, GapsAreExponential) {
  const std::vector<ServeRequest> requests = poisson_workload(kUsual);
  double before = 0, sum = 0, squares = 0;
  std::int64_t longer = 0;
  for (const ServeRequest& r : requests) {
    const double gap = r.arrival - before;
    before = r.arrival;
    sum += gap;
    squares += gap * gap;
    if (gap > 0.2) ++longer;
  }
  // Four standard errors: of a mean 1/√n, of a mean square √20/2/√n (moments of the exponential), of a
  // share √(p(1 - p)/n) with p = 1/e.
  const auto n = static_cast<double>(requests.size());
  EXPECT_NEAR(sum / n * 5, 1, 4 / std::sqrt(n));
  EXPECT_NEAR(squares / n * 25 / 2, 1, 4 * std::sqrt(5 / n));
  EXPECT_NEAR(static_cast<double>(longer) / n, std::exp(-1), 4 * std::sqrt(0.2325 / n));
}

TEST(Workload, LengthsHaveTheirMedianAndTheirMost) {
  std::vector<double> prompts, outputs;
  for (const ServeRequest& r : poisson_workload(kUsual)) {
    prompts.push_back(static_cast<double>(r.prompt_tokens));
    outputs.push_back(static_cast<double>(r.output_tokens));
    ASSERT_GE(r.prompt_tokens, 1);
    ASSERT_LE(r.prompt_tokens, 1000);
    ASSERT_LE(r.output_tokens, 200);
  }
  // The median of n normal values has a standard error of √(π/2/n): 0.0063 of a deviation. Lengths are
  // whole, so it may be off by half a token more.
  EXPECT_NEAR(median(prompts), 100, 4 * 0.0063 * 0.8 * 100 + 0.5);
  EXPECT_NEAR(median(outputs), 40, 4 * 0.0063 * 0.5 * 40 + 0.5);
  // One deviation up: exp(spread) times as long. The 84.134th percentile's error is 1.53/√n deviations.
  EXPECT_NEAR(std::log(percentile(prompts, 84.134) / 100), 0.8, 4 * 0.0077 * 0.8 + 0.005);
}

TEST(Workload, AnotherRateIsTheSameRequestsNearerToEachOther) {
  WorkloadConfig fast = kUsual;
  fast.rate = 20;
  const std::vector<ServeRequest> a = poisson_workload(kUsual), b = poisson_workload(fast);
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].prompt_tokens, b[i].prompt_tokens);
    ASSERT_EQ(a[i].output_tokens, b[i].output_tokens);
    ASSERT_DOUBLE_EQ(a[i].arrival, 4 * b[i].arrival);
  }
}

TEST(Workload, TheSeedDecides) {
  WorkloadConfig other = kUsual;
  other.seed = 4;
  const auto arrival = [](const WorkloadConfig& c) { return poisson_workload(c)[10].arrival; };
  EXPECT_EQ(arrival(kUsual), arrival(kUsual));
  EXPECT_NE(arrival(kUsual), arrival(other));
}

TEST(Workload, RefusesInOneSentence) {
  const auto with = [](auto change) {
    return [=] {
      WorkloadConfig config = kUsual;
      config.requests = 2;
      change(config);
      poisson_workload(config);
    };
  };
  using C = WorkloadConfig;
  check_refusals(
      "workload",
      {{"nobody", "0 requests; choose", with([](C& c) { c.requests = 0; })},
       {"no rate", "a rate of 0 requests", with([](C& c) { c.rate = 0; })},
       {"a rate of NaN", "a rate of nan", with([](C& c) { c.rate = std::nan(""); })},
       {"a gap without end", "choose one above 0", with([](C& c) { c.rate = 1e-310; })},
       {"half a token", "a median prompt of 0.5", with([](C& c) { c.prompt.median = 0.5; })},
       {"a median over the most", "a median output of 201",
        with([](C& c) { c.output.median = 201; })},
       {"a spread of 4", "the spread of output lengths is 4",
        with([](C& c) { c.output.spread = 4; })},
       {"at most none", "a prompt of at most 0", with([](C& c) { c.prompt.most = 0; })}});
}

}  // namespace
}  // namespace qlab::test
