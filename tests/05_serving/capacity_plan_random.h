// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random plans, which the learner's code and the given one must judge alike.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "05_serving/capacity_plan_checks.h"

namespace qlab::test {

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

inline void check_random_plans(std::uint64_t seed) {
  Random random(seed);
  std::vector<Time> counts;
  std::vector<Answer> met, rates, choices;
  for (int plan = 0; plan < 40; ++plan) {
    const std::string of = " of plan " + std::to_string(plan);
    const auto eighths = [&](std::int64_t most) { return 0.125 * double(1 + random.below(most)); };
    const CapacityGoals goals{{eighths(24), eighths(4), eighths(64)},
                              12.5 * double(random.below(9)),
                              random.below(2) == 0 ? 0 : eighths(8)};
    std::vector<ServedConfig> configs;
    for (int i = 0; i < 4; ++i) configs.push_back(random_config(random));
    const std::int64_t memory = 100 + random.below(900), block = 1 + random.below(16);
    const std::int64_t longest = 1 + random.below(300);
    const ServedConfig& first = configs[0];
    for (const LoadPoint& point : first.points) {
      ask_met(met, text_of(point.rate) + " requests/s" + of, goals, first, point,
              qlab::meets_goals(goals, first, point));
    }
    rates.push_back({"the first configuration" + of, exercise::highest_rate(goals, first),
                     qlab::highest_rate(goals, first)});
    ask_blocks(counts, memory, first.weight_bytes, first.kv_bytes_per_token, block,
               qlab::cache_blocks(memory, first.weight_bytes, first.kv_bytes_per_token, block));
    choices.push_back(
        {"1 request/s" + of,
         number_of(exercise::choose_config(goals, 1, memory, longest, block, configs)),
         number_of(qlab::choose_config(goals, 1, memory, longest, block, configs))});
  }
  const std::string name = "random plans, seed " + std::to_string(seed);
  judge_times(name, counts, 0);
  judge_met(name, met);
  judge_rates(name, rates);
  judge_choices(name, choices);
}

}  // namespace qlab::test
