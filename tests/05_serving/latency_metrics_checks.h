// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of latency_metrics put their questions, and requests to ask about.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/judge_times.h"
#include "05_serving/latency_metrics.h"
#include "common/random.h"

namespace qlab::test {

/// "arrival 0.25, admitted 0.5, 3 tokens from 1 to 2".
inline std::string text_of(const RequestTimes& r) {
  const std::vector<double>& tokens = r.token_times;
  const std::string waited =
      "arrival " + text_of(r.arrival) + ", admitted " + text_of(r.admitted) + ", ";
  if (tokens.size() == 1) return waited + "1 token at " + text_of(tokens[0]);
  return waited + std::to_string(tokens.size()) + " tokens from " + text_of(tokens.front()) +
         " to " + text_of(tokens.back());
}

inline void ask_latency(std::vector<Time>& times, const RequestTimes& request,
                        const RequestLatency& expected) {
  const RequestLatency got = exercise::request_latency(request);
  times.push_back({"ttft, " + text_of(request), got.ttft, expected.ttft});
  times.push_back({"tpot, " + text_of(request), got.tpot, expected.tpot});
  times.push_back({"e2e, " + text_of(request), got.e2e, expected.e2e});
}

inline void ask_rates(std::vector<Time>& times, const std::string& of, const ServingRates& got,
                      const ServingRates& expected) {
  times.push_back({"goodput" + of, got.goodput, expected.goodput});
  times.push_back({"seconds" + of, got.seconds, expected.seconds});
  times.push_back({"tokens a second" + of, got.tokens_per_second, expected.tokens_per_second});
  times.push_back(
      {"requests a second" + of, got.requests_per_second, expected.requests_per_second});
}

/// The gaps of these requests, how many first; a missing one is NaN.
inline void ask_gaps(std::vector<Time>& times, const std::string& of,
                     std::span<const RequestTimes> requests, const std::vector<double>& expected) {
  const std::vector<double> got = exercise::inter_token_latencies(requests);
  times.push_back({"number of gaps" + of, static_cast<double>(got.size()),
                   static_cast<double>(expected.size())});
  for (std::size_t i = 0; i < expected.size(); ++i) {
    times.push_back(
        {"gap " + std::to_string(i) + of, i < got.size() ? got[i] : std::nan(""), expected[i]});
  }
}

/// Requests whose times are multiples of 2⁻¹⁰ s, so that differences and sums are exact.
inline std::vector<RequestTimes> random_requests(Random& random, std::int64_t count) {
  std::vector<RequestTimes> requests;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto later = [&](double time, std::int64_t most) {
      return time + static_cast<double>(random.below(most)) * 0x1p-10;
    };
    RequestTimes request{later(3, 20'000), 0, {}};
    request.admitted = later(request.arrival, 500);
    double time = later(request.admitted, 300);
    for (std::int64_t n = 1 + random.below(random.below(2) == 0 ? 3 : 40); n > 0; --n) {
      request.token_times.push_back(time);
      time = later(time, 60);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

/// What gen_latency_metrics.py wrote.
struct GoldenMetrics {
  std::vector<double> values;
  std::vector<std::pair<double, double>> percentiles;  // p, value
  std::vector<RequestTimes> requests;
  std::vector<RequestLatency> latencies;
  std::vector<double> gaps;
  LatencyGoals goals;
  ServingRates rates{};
  double mean_tpot = 0, mean_gap = 0;
};

inline GoldenMetrics read_golden_metrics() {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/05_serving/golden/latency_metrics.txt");
  EXPECT_TRUE(file) << "tests/05_serving/golden/latency_metrics.txt cannot be read";
  GoldenMetrics golden;
  for (std::string line, kind; std::getline(file, line);) {
    std::istringstream cells(line);
    cells >> kind;
    const auto number = [&] {
      double value = std::nan("");
      cells >> value;
      return value;
    };
    const auto list = [&] {
      std::vector<double> values(static_cast<std::size_t>(number()));
      for (double& value : values) value = number();
      return values;
    };
    if (kind == "values") golden.values = list();
    if (kind == "gaps") golden.gaps = list();
    if (kind == "percentile") {
      const double p = number();
      golden.percentiles.emplace_back(p, number());
    }
    if (kind == "request") {
      const double arrival = number(), admitted = number();
      golden.requests.push_back({arrival, admitted, list()});
    }
    if (kind == "latency") {
      const double ttft = number(), e2e = number(), tpot = number();
      golden.latencies.push_back({ttft, e2e, tpot});
    }
    if (kind == "goals") cells >> golden.goals.ttft >> golden.goals.tpot;
    if (kind == "rates") {
      auto& [seconds, requests, tokens, good] = golden.rates;
      cells >> seconds >> requests >> tokens >> good;
    }
    if (kind == "means") cells >> golden.mean_tpot >> golden.mean_gap;
    EXPECT_TRUE(cells || kind == "#") << line;
  }
  EXPECT_EQ(golden.percentiles.size(), 7U);
  EXPECT_EQ(golden.latencies.size(), 4U);
  return golden;
}

inline void check_latency_metrics_refusals() {
  const double nan = std::nan("");
  const auto request = [](RequestTimes r) { return [=] { exercise::request_latency(r); }; };
  const auto gaps = [](std::vector<RequestTimes> r) {
    return [=] { exercise::inter_token_latencies(r); };
  };
  const auto rates = [](std::vector<RequestTimes> r, LatencyGoals goals) {
    return [=] { exercise::serving_rates(r, goals); };
  };
  const auto percentile = [](std::vector<double> values, double p) {
    return [=] { exercise::percentile(values, p); };
  };
  const RequestTimes good{0, 1, {2, 3}};
  check_refusals(
      "refusals",
      {{"no requests, rates", "there is no request", rates({}, {})},
       {"no requests, gaps", "there is no request", gaps({})},
       {"no token", "request 1 has no token", gaps({good, {0, 1, {}}})},
       {"tokens that go backwards", "token 2 of request 0 at 2 s is before the one in front of it",
        request({0, 1, {2, 3, 2}})},
       {"a first token before the arrival", "token 0 of request 0 at 2 s is before its admission",
        request({5, 5, {2, 6}})},
       {"an admission before the arrival", "admission of request 1 at 1 s is before its arrival",
        gaps({good, {5, 1, {6}}})},
       {"an arrival that is NaN", "arrival of request 0 is nan", request({nan, 1, {2}})},
       {"an admission that is NaN", "admission of request 0 is nan", request({0, nan, {2}})},
       {"a token that is NaN", "token 1 of request 0 is nan", request({0, 1, {2, nan}})},
       {"a token that never came", "token 1 of request 1 is inf",
        rates({good, {0, 1, {2, HUGE_VAL}}}, {})},
       {"no time at all", "rates need a duration", rates({{7, 7, {7, 7}}, {7, 7, {7}}}, {})},
       {"a negative goal", "the goal for ttft is -1", rates({good}, {.ttft = -1})},
       {"a goal that is NaN", "the goal for tpot is nan", rates({good}, {.tpot = nan})},
       {"no values", "a percentile of no values", percentile({}, 50)},
       {"p of -1", "p = -1 is outside", percentile({1, 2}, -1)},
       {"p of 101", "p = 101 is outside", percentile({1, 2}, 101)},
       {"p that is NaN", "p = nan is outside", percentile({1, 2}, nan)},
       {"a value that is NaN", "value 1 is nan", percentile({1, nan}, 50)},
       {"an endless value", "value 0 is inf", percentile({HUGE_VAL, 1}, 50)}});
  // The nearest that must be measured: all at once, and several tokens at a time.
  std::vector<Time> times;
  ask_latency(times, {7, 7, {7}}, {0, 0, 0});
  ask_latency(times, {1, 1, {1, 1, 1, 4}}, {0, 3, 1});
  ask_rates(times, ", no goal promises anything",
            exercise::serving_rates(std::vector<RequestTimes>{good, {4, 4, {4, 4}}}, {}),
            {4, 0.5, 1, 0.5});
  judge_times("the nearest that is none", times, 0);
}

}  // namespace qlab::test
