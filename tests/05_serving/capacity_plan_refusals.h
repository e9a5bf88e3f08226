// SPDX-License-Identifier: Apache-2.0
/// \file
/// What capacity_plan must refuse.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "05_serving/capacity_plan_checks.h"

namespace qlab::test {

inline void check_capacity_plan_refusals() {
  const double nan = std::nan("");
  const auto blocks = [](std::int64_t memory, std::int64_t weights, std::int64_t kv,
                         std::int64_t block) {
    return [=] { exercise::cache_blocks(memory, weights, kv, block); };
  };
  const LoadPoint good{1, {one_token(1)}};
  const auto goals = [=](CapacityGoals g) {
    return [=] { exercise::meets_goals(g, served(2, {good}), good); };
  };
  const auto point = [=](LoadPoint p) {
    return [=] { exercise::meets_goals({}, served(2, {good}), p); };
  };
  const auto rate = [](ServedConfig c) { return [=] { exercise::highest_rate({}, c); }; };
  const auto choose = [](double r, std::int64_t memory, std::int64_t longest, std::int64_t block,
                         std::vector<ServedConfig> configs) {
    return [=] { exercise::choose_config({}, r, memory, longest, block, configs); };
  };
  const ServedConfig fine = served(2, {good});
  const ServedConfig weightless{"x", 1, 0, 1, 2, {good}}, cacheless{"x", 1, 1, 0, 2, {good}};
  check_refusals(
      "refusals",
      {{"negative memory", "memory_bytes is -1; choose 0 to", blocks(-1, 1, 1, 1)},
       {"no weights", "weight_bytes is 0; choose 1 to", blocks(1, 0, 1, 1)},
       {"no KV", "kv_bytes_per_token is 0; choose 1 to", blocks(1, 1, 0, 1)},
       {"blocks of no tokens", "block_tokens is 0; choose 1 to", blocks(1, 1, 1, 0)},
       {"a negative goal", "the goal for ttft is -1", goals({.latency = {.ttft = -1}})},
       {"a goal that is NaN", "the goal for e2e is nan", goals({.latency = {.e2e = nan}})},
       {"p-1", "the percentile -1 is outside", goals({.latency = {}, .percentile = -1})},
       {"p101", "the percentile 101 is outside", goals({.latency = {}, .percentile = 101})},
       {"p that is NaN", "the percentile nan is outside",
        goals({.latency = {}, .percentile = nan})},
       {"a floor of 90 %", "least_recall is 90; it is a share",
        goals({.latency = {}, .percentile = 99, .least_recall = 90})},
       {"a rate of 0", "a rate of 'a server' is 0", point({0, {one_token(1)}})},
       {"a rate that is NaN", "a rate of 'a server' is nan", point({nan, {one_token(1)}})},
       {"no latencies", "'a server' at 1 requests/s has no latencies", point({1, {}})},
       {"a wait that is NaN", "ttft of request 1 of 'a server' is nan",
        point({1, {one_token(1), one_token(nan)}})},
       {"an endless wait", "e2e of request 0 of 'a server' is inf", point({1, {{1, HUGE_VAL, 1}}})},
       {"a negative time per token", "tpot of request 0 of 'a server' is -1",
        point({1, {{1, 2, -1}}})},
       {"an end before the first token", "request 0 of 'a server' ended after 1 s",
        point({1, {{2, 1, 1}}})},
       {"no load test", "'a server' has no load test", rate(served(2, {}))},
       {"a rate twice", "the rate 1 of 'a server' comes after 1", rate(served(2, {good, good}))},
       {"a saturated rate of 0", "saturated_rate of 'a server' is 0", rate(served(0, {good}))},
       {"a saturated rate of NaN", "saturated_rate of 'a server' is nan",
        rate(served(nan, {good}))},
       {"a recall of 2", "recall is 2; it is a share", rate(served(2, {good}, 2))},
       {"a recall that is NaN", "recall is nan", rate(served(2, {good}, nan))},
       {"no rate to serve", "the rate to serve is 0", choose(0, 9, 1, 1, {fine})},
       {"a rate to serve of NaN", "the rate to serve is nan", choose(nan, 9, 1, 1, {fine})},
       {"a choice with negative memory", "memory_bytes is -1", choose(1, -1, 1, 1, {fine})},
       {"no token", "longest_request_tokens is 0", choose(1, 9, 0, 1, {fine})},
       {"a choice with blocks of no tokens", "block_tokens is 0", choose(1, 9, 1, 0, {fine})},
       {"a second without weights", "weight_bytes is 0", choose(1, 9, 1, 1, {fine, weightless})},
       {"a second without KV", "kv_bytes_per_token is 0", choose(1, 9, 1, 1, {fine, cacheless})}});
  // The nearest that must be answered.
  judge_choices(
      "choices among nothing",
      {{"no configuration at all", number_of(exercise::choose_config({}, 1, 0, 1, 1, {})), -1}});
  judge_met("the nearest that is none",
            {{"no goal at all", double(exercise::meets_goals({}, fine, good)), 1},
             {"the goal of TTFT is 0 s",
              double(exercise::meets_goals({.latency = {.ttft = 0}}, fine, good)), 0}});
}

}  // namespace qlab::test
