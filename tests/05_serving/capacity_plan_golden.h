// SPDX-License-Identifier: Apache-2.0
/// \file
/// The golden plan of capacity_plan, as gen_capacity_plan.py wrote it.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "05_serving/capacity_plan_checks.h"

namespace qlab::test {

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
