// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of capacity_plan put their questions: load tests to ask about, answers in words.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/capacity_plan.h"
#include "05_serving/judge_times.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/exercise.h"

namespace qlab::test {

/// One answer of the learner's code.
struct Answer {
  std::string what;
  double got, expected;
};

/// An answer is a number from -1 to 125 in steps of 1 / `steps`; what is outside counts as 126. Of
/// n answers, number i is judged as n·u + i, where u counts its steps from -1: so no wrong one
/// looks like the right one of a neighbour, nor like a multiple of its own. `words` says it.
inline void judge_answers(const std::string& name, const std::vector<Answer>& answers, int steps,
                          const std::function<std::string(double)>& words) {
  const auto n = static_cast<std::int64_t>(answers.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  const auto code = [&](std::int64_t i, double answer) {
    const double inside = answer >= -1 && answer <= 125 ? answer : 126;
    return static_cast<double>(n) * std::round(steps * (inside + 1)) + static_cast<double>(i);
  };
  for (std::int64_t i = 0; i < n; ++i) {
    const Answer& answer = answers[static_cast<std::size_t>(i)];
    got(0, i) = static_cast<float>(code(i, answer.got));
    expected(0, i) = code(i, answer.expected);
  }
  const auto place = [&](auto, auto i) { return answers[static_cast<std::size_t>(i)].what; };
  const auto value = [&](double v) {
    const double answer = std::floor(v / static_cast<double>(n)) / steps - 1;
    return answer > 125 ? std::string("none of the possible answers") : words(answer);
  };
  judge({.name = name, .place = place, .value = value}, got.view(), expected.view(), exactly());
}

inline void judge_met(const std::string& name, const std::vector<Answer>& answers) {
  judge_answers(name, answers, 1, [](double met) { return met == 0 ? "not met" : "met"; });
}

inline void judge_rates(const std::string& name, const std::vector<Answer>& answers) {
  judge_answers(name, answers, 2, [](double rate) {
    return rate == 0 ? std::string("0, no rate") : text_of(rate) + " requests/s";
  });
}

inline void judge_choices(const std::string& name, const std::vector<Answer>& answers) {
  judge_answers(name, answers, 1, [](double index) {
    return index == -1 ? std::string("none") : "configuration " + text_of(index);
  });
}

inline double number_of(const std::optional<std::size_t>& index) {
  return index ? static_cast<double>(*index) : -1;
}

/// A request of one token, or of 9.
inline RequestLatency one_token(double ttft) { return {ttft, ttft, 0}; }
inline RequestLatency nine_tokens(double ttft, double tpot) {
  return {ttft, ttft + 8 * tpot, tpot};
}

/// A load test in which `slow` of `count` requests wait `late` seconds, and the others `early`. The
/// slow ones stand in the middle: a burst.
inline LoadPoint bursty(double rate, std::int64_t count, std::int64_t slow, double early,
                        double late) {
  LoadPoint point{rate, {}};
  const std::int64_t from = (count - slow) / 2;
  for (std::int64_t i = 0; i < count; ++i) {
    point.latencies.push_back(nine_tokens(i >= from && i < from + slow ? late : early, 0x1p-5));
  }
  return point;
}

/// A configuration of 1,000 bytes of weights and 1 byte a token, saturated at `saturated`.
inline ServedConfig served(double saturated, std::vector<LoadPoint> points, double recall = 1) {
  return {"a server", recall, 1000, 1, saturated, std::move(points)};
}

/// Load tests in which everybody waits as long: `waits` of 1, 2, 3 … requests a second.
inline std::vector<LoadPoint> rising(const std::vector<double>& waits) {
  std::vector<LoadPoint> points;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    points.push_back({static_cast<double>(i + 1), {nine_tokens(waits[i], 0x1p-5)}});
  }
  return points;
}

/// One server that takes `service` seconds for each request, and requests that come at random,
/// `rate` a second. Source of the model: queue M/D/1.
inline LoadPoint simulated(std::uint64_t seed, double rate, double service, std::int64_t count) {
  Random random(seed);
  LoadPoint point{rate, {}};
  double clock = 0, free = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    clock -= std::log(1 - random.uniform()) / rate;
    free = std::max(free, clock) + service;
    point.latencies.push_back(one_token(free - clock));
  }
  return point;
}

inline void ask_met(std::vector<Answer>& answers, const std::string& what,
                    const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point,
                    bool met) {
  answers.push_back({what, double(exercise::meets_goals(goals, config, point)), double(met)});
}

inline void ask_blocks(std::vector<Time>& counts, std::int64_t memory, std::int64_t weights,
                       std::int64_t kv, std::int64_t block, std::int64_t expected) {
  std::ostringstream what;
  what << "blocks of " << block << " tokens of " << kv << " bytes, memory " << memory
       << ", weights " << weights;
  const std::int64_t got = exercise::cache_blocks(memory, weights, kv, block);
  counts.push_back({what.str(), static_cast<double>(got), static_cast<double>(expected)});
}

}  // namespace qlab::test
