// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise latency_metrics: times are multiples of powers of two where the answer is
/// exact, and decimal where it comes from golden data.
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "05_serving/latency_metrics_checks.h"
#include "common/statistics.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST(LatencyMetrics, MeasuresARequestByHand) {
  std::vector<Time> times;
  ask_latency(times, {0, 0, {2, 3, 4, 6, 8}}, {2, 8, 1.5});
  ask_latency(times, {10, 10, {10.5, 11}}, {0.5, 1, 0.5});
  ask_latency(times, {4, 4, {4.25, 4.5, 5.25}}, {0.25, 1.25, 0.5});
  // A long prompt changes nothing about the tokens after it.
  ask_latency(times, {0, 0, {100, 101, 102}}, {100, 102, 1});
  judge_times("admitted at once", times, 0);
}

TEST(LatencyMetrics, StartsTheClockWhenTheUserDoes) {
  std::vector<Time> times;
  ask_latency(times, {0, 6, {7, 8, 9}}, {7, 9, 1});
  ask_latency(times, {1, 3.5, {4, 5}}, {3, 4, 1});
  ask_latency(times, {2, 34, {34.5, 34.75, 35.5}}, {32.5, 33.5, 0.5});
  judge_times("requests that waited to be admitted", times, 0);
}

TEST(LatencyMetrics, HasNoTimePerTokenOfOneToken) {
  std::vector<Time> times;
  ask_latency(times, {1, 1, {3}}, {2, 2, 0});
  ask_latency(times, {0, 4, {4.5}}, {4.5, 4.5, 0});
  judge_times("requests of one token", times, 0);
}

TEST(LatencyMetrics, PoolsTheGapsOfAllRequests) {
  std::vector<Time> times;
  const std::vector<RequestTimes> requests{
      {0, 1, {2, 3, 7}}, {5, 5, {8.5}}, {1, 1, {6, 6, 6.25}}, {2, 2, {20, 36}}};
  ask_gaps(times, ", four requests", requests, {1, 4, 0, 0.25, 16});
  ask_gaps(times, ", one request of one token", std::vector<RequestTimes>{{0, 0, {3}}}, {});
  judge_times("gaps of 3, 1, 3 and 2 tokens", times, 0);
}

TEST(LatencyMetrics, MatchesTheGoldenRequests) {
  const GoldenMetrics golden = read_golden_metrics();
  std::vector<Time> times;
  for (std::size_t i = 0; i < golden.requests.size(); ++i) {
    ask_latency(times, golden.requests[i], golden.latencies[i]);
  }
  ask_gaps(times, " of the golden requests", golden.requests, golden.gaps);
  ask_rates(times, " of the golden requests, TTFT 0.6 s and TPOT 0.15 s",
            exercise::serving_rates(golden.requests, golden.goals), golden.rates);
  judge_times("golden requests", times);
}

TEST(LatencyMetrics, MatchesTheGoldenPercentiles) {
  const GoldenMetrics golden = read_golden_metrics();
  std::vector<Time> times;
  for (const auto& [p, value] : golden.percentiles) {
    times.push_back(
        {"p" + text_of(p) + " of ten values", exercise::percentile(golden.values, p), value});
  }
  judge_times("golden percentiles", times);
}

TEST(LatencyMetrics, GoesFromTheSmallestToTheLargestValue) {
  std::vector<Time> times;
  const auto ask = [&](const std::vector<double>& values, double p, double expected) {
    times.push_back({"p" + text_of(p) + " of " + std::to_string(values.size()) +
                         " values, the first " + text_of(values[0]),
                     exercise::percentile(values, p), expected});
  };
  for (const double p : {0, 1, 50, 99, 100}) ask({42}, p, 42);
  for (const double p : {0, 50, 100}) ask({7, 7, 7}, p, 7);
  ask({9, 1}, 0, 1);
  ask({9, 1}, 25, 3);
  ask({9, 1}, 50, 5);
  ask({9, 1}, 100, 9);
  ask({5, 80, 3, 20, 1}, 0, 1);
  ask({5, 80, 3, 20, 1}, 25, 3);
  ask({5, 80, 3, 20, 1}, 50, 5);
  ask({5, 80, 3, 20, 1}, 75, 20);
  ask({5, 80, 3, 20, 1}, 87.5, 50);
  ask({5, 80, 3, 20, 1}, 100, 80);
  ask({-4, -1, -16}, 50, -4);
  judge_times("percentiles by hand", times, 0);
}

TEST(LatencyMetrics, MovesAndStretchesWithItsValues) {
  const TestSeed seed;
  Random random(seed);
  std::vector<Time> times;
  for (int i = 0; i < 40; ++i) {
    // Integers, and p a multiple of 100/128 with n - 1 = 128: the shares of two values are exact.
    std::vector<double> values(129), moved;
    for (double& value : values) value = static_cast<double>(random.below(1000));
    for (const double value : values) moved.push_back(4 * value + 16);
    const double p = static_cast<double>(random.below(129)) * 100 / 128;
    const double before = qlab::percentile(values, p);
    const std::string of = ", p" + text_of(p);
    times.push_back({"of 129 values" + of, exercise::percentile(values, p), before});
    times.push_back(
        {"of 4 times these, and 16" + of, exercise::percentile(moved, p), 4 * before + 16});
  }
  judge_times("random values, seed " + std::to_string(seed), times, 0);
}

TEST(LatencyMetrics, AsksForAllGoalsAtOnce) {
  // 4 s in all. In turn: late, slow, long, all of it, nothing of it, and exactly as promised.
  const std::vector<RequestTimes> requests{
      {0, 0, {2, 2.25}}, {0, 0, {0.5, 2.5}},  {0, 0, {0.75, 1.5, 2.25, 3, 3.5}},
      {0, 0, {2, 4}},    {1, 1, {1.25, 1.5}}, {1, 1, {2, 3}}};
  std::vector<Time> times;
  const auto ask = [&](const std::string& goals, const LatencyGoals& limits, double good) {
    times.push_back(
        {"goodput, " + goals, exercise::serving_rates(requests, limits).goodput, good / 4});
  };
  ask("no goal", {}, 6);
  ask("TTFT 1 s", {.ttft = 1}, 4);
  ask("TPOT 1 s", {.tpot = 1}, 4);
  ask("E2E 2.25 s", {.e2e = 2.25}, 3);
  ask("TTFT 1 s, TPOT 1 s", {.ttft = 1, .tpot = 1}, 3);
  ask("TTFT 1 s, TPOT 1 s, E2E 2 s", {.ttft = 1, .tpot = 1, .e2e = 2}, 2);
  ask("TTFT 0 s", {.ttft = 0}, 0);
  judge_times("six requests in 4 s", times, 0);
}

TEST(LatencyMetrics, CountsAShortRequestAsGood) {
  // One token has no time per token that could be too long.
  const std::vector<RequestTimes> requests{{0, 0, {1}}, {0, 0, {1, 3}}, {0, 0, {2}}, {0, 0, {4}}};
  std::vector<Time> times;
  ask_rates(times, ", TTFT 2 s and TPOT 1 s",
            exercise::serving_rates(requests, {.ttft = 2, .tpot = 1}), {4, 1, 1.25, 0.5});
  ask_rates(times, ", TPOT 2 s", exercise::serving_rates(requests, {.tpot = 2}), {4, 1, 1.25, 1});
  judge_times("three requests of one token, one of two", times, 0);
}

TEST(LatencyMetrics, TimesTheServerFromTheFirstArrivalToTheLastToken) {
  std::vector<Time> times;
  const auto ask = [&](const std::string& of, const std::vector<RequestTimes>& requests,
                       const ServingRates& expected) {
    ask_rates(times, of, exercise::serving_rates(requests, {.ttft = 8}), expected);
  };
  ask(", the clock starts at 100", {{100, 101, {102, 104}}, {101, 102, {103, 108}}},
      {8, 0.25, 0.5, 0.25});
  ask(", the first request ends last", {{0, 0, {1, 2, 3, 16}}, {4, 4, {5}}, {5, 5, {6, 7, 8}}},
      {16, 0.1875, 0.5, 0.1875});
  ask(", the last of the list arrives first", {{20, 24, {32}}, {16, 16, {17, 20}}, {4, 4, {36}}},
      {32, 0.09375, 0.125, 0.03125});
  judge_times("requests overlap", times, 0);
}

TEST(LatencyMetrics, DoublesWithEveryTime) {
  const TestSeed seed;
  Random random(seed);
  std::vector<RequestTimes> requests = random_requests(random, 20), twice = requests;
  for (RequestTimes& request : twice) {
    request.arrival *= 2;
    request.admitted *= 2;
    for (double& time : request.token_times) time *= 2;
  }
  std::vector<Time> times;
  std::vector<double> gaps;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto [ttft, e2e, tpot] = qlab::request_latency(requests[i]);
    ask_latency(times, twice[i], {2 * ttft, 2 * e2e, 2 * tpot});
  }
  for (const double gap : qlab::inter_token_latencies(requests)) gaps.push_back(2 * gap);
  ask_gaps(times, ", all times doubled", twice, gaps);
  const LatencyGoals goals{0.25, 0.03125, 1}, doubled{0.5, 0.0625, 2};
  const auto [seconds, rps, tps, good] = qlab::serving_rates(requests, goals);
  ask_rates(times, ", all times and goals doubled", exercise::serving_rates(twice, doubled),
            {2 * seconds, rps / 2, tps / 2, good / 2});
  judge_times("random requests, seed " + std::to_string(seed), times);
}

TEST(LatencyMetrics, MakesTheMeanGapOfARequestItsTimePerToken) {
  const TestSeed seed;
  Random random(seed);
  std::vector<Time> times;
  for (const RequestTimes& request : random_requests(random, 40)) {
    if (request.token_times.size() == 1) continue;
    const std::vector<double> gaps = exercise::inter_token_latencies({&request, 1});
    const double tpot = qlab::request_latency(request).tpot;
    times.push_back({"mean gap, " + text_of(request), mean(gaps), tpot});
    times.push_back({"tpot, " + text_of(request), exercise::request_latency(request).tpot, tpot});
  }
  judge_times("random requests, seed " + std::to_string(seed), times);
}

TEST(LatencyMetrics, RefusesWhatIsNoMeasurement) { check_latency_metrics_refusals(); }

TEST(LatencyMetrics, TellsWhatAMeanHides) {
  // A hundred requests of 101 tokens, one each 1/64 s. The prompt of a neighbour stalls each of
  // them once, for half a second.
  std::vector<RequestTimes> requests;
  for (int i = 0; i < 100; ++i) {
    RequestTimes request{0.25 * i, 0.25 * i, {}};
    double time = request.arrival + 0.125;
    for (int t = 0; t < 101; ++t) {
      request.token_times.push_back(time);
      time += t == i ? 0.5 : 0x1p-6;
    }
    requests.push_back(std::move(request));
  }
  std::vector<double> tpots;
  for (const RequestTimes& request : requests) {
    tpots.push_back(exercise::request_latency(request).tpot);
  }
  const std::vector<double> gaps = exercise::inter_token_latencies(requests);
  const auto p = [](const std::vector<double>& of, double share) {
    return exercise::percentile(of, share);
  };
  // 99 gaps of 1/64 s and one of 1/2 s, over 100.
  const double tpot = (99 * 0x1p-6 + 0.5) / 100;
  judge_times("one stall of 0.5 s for each request", {{"p50 of TPOT", p(tpots, 50), tpot},
                                                      {"p99 of TPOT", p(tpots, 99), tpot},
                                                      {"p50 of the gaps", p(gaps, 50), 0x1p-6},
                                                      {"p99.5 of the gaps", p(gaps, 99.5), 0.5}});
  std::ostringstream fact;
  fact << std::fixed << std::setprecision(1)
       << "100 users read a token each 15.6 ms and are stalled once for 500 ms. TPOT: p50 "
       << 1e3 * p(tpots, 50) << " ms, p99 " << 1e3 * p(tpots, 99) << " ms. Gaps: p50 "
       << 1e3 * p(gaps, 50) << " ms, p99.5 " << 1e3 * p(gaps, 99.5)
       << " ms. Only the gaps show that everybody was stalled.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
