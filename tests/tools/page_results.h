// SPDX-License-Identifier: Apache-2.0
/// \file
/// The small run with a sweep of made-up times and names that HTML must not take for its own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/small_results.h"

namespace qlab::test {

inline const std::string kHostile = "<b>\"x\" & 'y'</b>";

/// Requests queue from `capacity` a second on.
inline ServingRow sweep_row(const std::string& config, double capacity) {
  ServingRow row{.config = config,
                 .cache_tokens = 1000,
                 .saturated = capacity,
                 .saturated_to_first = {},
                 .points = {},
                 .why_not = ""};
  for (const double rate : {1.0, 2.0, 4.0, 8.0}) {
    const double load = rate / capacity;
    const double ttft = load < 1 ? 0.03 / (1 - load) : 10 * load;
    const double tpot = 0.01 * (1 + load);
    row.points.push_back({.rate = rate,
                          .utilisation = load,
                          .ttft = {ttft / 2, ttft * 0.8, ttft},
                          .tpot = {tpot / 2, tpot * 0.8, tpot},
                          .itl = {tpot / 2, tpot * 0.8, tpot},
                          .goodput = rate / 2,
                          .tokens_per_second = 100 * rate,
                          .batch = 4 * load,
                          .kv_used = 0.1,
                          .kv_peak = 0.2,
                          .preemptions = load < 1 ? 0 : 3});
  }
  return row;
}

inline Results page_results() {
  Results r = small_results();
  r.circumstances.cpu = "A processor " + kHostile;
  r.circumstances.threads = 2;
  r.circumstances.isa = best_isa();
  r.circumstances.model = "the lab's tiny model, cut off";
  r.circumstances.parameters = 1'000'000;
  r.circumstances.inputs = "fnv1a:0123456789abcdef";
  r.circumstances.seed = 1;
  r.circumstances.budget_gib = 24;
  r.serving = {{.model = "Llama 2 7B",
                .machine = "a machine " + kHostile,
                .modelled = true,
                .requests = 500,
                .ttft_goal = 0.2,
                .tpot_goal = 0.05,
                .memory = "24 GiB",
                .rows = {sweep_row("fp16", 3), sweep_row("int8", 5), sweep_row("int4_g128", 7)}},
               {.model = "a sweep without rows",
                .machine = "none",
                .modelled = false,
                .requests = 0,
                .ttft_goal = 1,
                .tpot_goal = 1,
                .memory = "1 MiB",
                .rows = {}}};
  return r;
}

}  // namespace qlab::test
