// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of capacity_plan put their questions: load tests to ask about, answers in words.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/capacity_plan.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/exercise.h"

namespace qlab::test {

/// One answer of the learner's code, a number from -1 to 125 in steps of 1/8.
struct Answer {
  std::string what;
  double got, expected;
};

/// Each answer is judged as 1024·(its place + 1) + 8·(answer + 1), so that no wrong one looks like
/// the right one of a neighbour. `words` says it. What is outside counts as 126.
inline void judge_answers(const std::string& name, const std::vector<Answer>& answers,
                          const std::function<std::string(double)>& words) {
  const auto n = static_cast<std::int64_t>(answers.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  const auto code = [](std::int64_t i, double answer) {
    const double inside = answer >= -1 && answer <= 125 ? answer : 126;
    return static_cast<double>(1024 * (i + 1)) + std::round(8 * (inside + 1));
  };
  for (std::int64_t i = 0; i < n; ++i) {
    const Answer& answer = answers[static_cast<std::size_t>(i)];
    got(0, i) = static_cast<float>(code(i, answer.got));
    expected(0, i) = code(i, answer.expected);
  }
  judge({.name = name,
         .place = [&](auto, auto i) { return answers[static_cast<std::size_t>(i)].what; },
         .value =
             [&](double v) {
               const double answer = std::fmod(v, 1024) / 8 - 1;
               return answer > 125 ? std::string("neither") : words(answer);
             }},
        got.view(), expected.view(), exactly());
}

inline void judge_met(const std::string& name, const std::vector<Answer>& answers) {
  judge_answers(name, answers, [](double met) { return met == 0 ? "not met" : "met"; });
}

inline void judge_rates(const std::string& name, const std::vector<Answer>& answers) {
  judge_answers(name, answers, [](double rate) {
    return rate == 0 ? std::string("0, no rate") : text_of(rate) + " requests/s";
  });
}

inline void judge_choices(const std::string& name, const std::vector<Answer>& answers) {
  judge_answers(name, answers, [](double index) {
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

/// A configuration whose numbers are all small, so that plans often meet a limit exactly.
inline ServedConfig random_config(Random& random) {
  const auto eighths = [&](std::int64_t most) { return 0.125 * double(random.below(most)); };
  ServedConfig config{"a server",          eighths(9),      1 + random.below(400),
                      1 + random.below(3), 4 + eighths(64), {}};
  for (int rate = 1; rate <= 6; ++rate) {
    LoadPoint point{double(rate), {}};
    for (std::int64_t i = 1 + random.below(20); i > 0; --i) {
      const double ttft = eighths(8), tpot = eighths(4);
      point.latencies.push_back(nine_tokens(rate * ttft, tpot));
    }
    config.points.push_back(std::move(point));
  }
  return config;
}

struct GoldenChoice {
  std::size_t goals;
  double rate;
  std::int64_t memory, longest, block;
  double chosen;
};

/// What gen_capacity_plan.py wrote; `passes` and `highest` are of each goal, then of each config.
struct GoldenPlan {
  std::vector<ServedConfig> configs;
  std::vector<CapacityGoals> goals;
  std::vector<std::vector<std::string>> passes;
  std::vector<std::vector<double>> highest;
  std::vector<GoldenChoice> choices;
};

inline GoldenPlan read_golden_plan() {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/05_serving/golden/capacity_plan.txt");
  EXPECT_TRUE(file) << "tests/05_serving/golden/capacity_plan.txt cannot be read";
  GoldenPlan golden;
  for (std::string line, kind; std::getline(file, line);) {
    std::istringstream cells(line);
    cells >> kind;
    const auto number = [&] {
      double value = std::nan("");
      cells >> value;
      return value;
    };
    const auto seconds = [&] { return number() / 1e3; };
    if (kind == "config") {
      ServedConfig c{};
      cells >> c.name >> c.recall >> c.weight_bytes >> c.kv_bytes_per_token >> c.saturated_rate;
      golden.configs.push_back(std::move(c));
      number();
    }
    if (kind == "point") {
      LoadPoint point{number(), {}};
      point.latencies.resize(static_cast<std::size_t>(number()));
      for (auto& [ttft, e2e, tpot] : point.latencies) {
        ttft = seconds(), tpot = seconds(), e2e = seconds();
      }
      golden.configs.back().points.push_back(std::move(point));
    }
    if (kind == "goals") {
      CapacityGoals goals;
      goals.latency.ttft = seconds(), goals.latency.tpot = seconds(), goals.latency.e2e = seconds();
      goals.percentile = number(), goals.least_recall = number();
      golden.goals.push_back(goals);
      golden.passes.emplace_back(golden.configs.size());
      for (std::string& passes : golden.passes.back()) cells >> passes;
      golden.highest.emplace_back();
      while (golden.highest.back().size() < golden.configs.size()) {
        golden.highest.back().push_back(number());
      }
    }
    if (kind == "choice") {
      GoldenChoice c{};
      cells >> c.goals >> c.rate >> c.memory >> c.longest >> c.block >> c.chosen;
      golden.choices.push_back(c);
    }
    EXPECT_TRUE(cells || kind == "#") << line;
  }
  EXPECT_EQ(golden.configs.size(), 5U);
  EXPECT_EQ(golden.goals.size(), 6U);
  EXPECT_EQ(golden.choices.size(), 144U);
  return golden;
}

}  // namespace qlab::test
