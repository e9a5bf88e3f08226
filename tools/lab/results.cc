// SPDX-License-Identifier: Apache-2.0
/// \file
/// Puts the numbers of one run beside the rows and the claims of the plan.
#include "lab/results.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace qlab {
namespace {

/// The configuration that stands for a row of the table.
std::size_t configuration_of(const PlanRow& row) {
  for (std::size_t i = 0; i < configurations().size(); ++i) {
    if (configurations()[i].row == row.config) return i;
  }
  throw std::logic_error(
      fmt::format("the plan's row \"{}\" has no configuration that stands for it", row.config));
}

}  // namespace

std::vector<TableRow> Results::table() const {
  std::vector<TableRow> rows;
  for (const PlanRow& written : plan.rows) {
    const std::size_t i = configuration_of(written);
    TableRow row{&written, &quality.rows[i], &memory[i], {}};
    for (const SpeedRow& timed : speed.rows) {
      const bool attention = timed.operation.starts_with("decode attention");
      const bool about_cache = configurations()[i].recipe.kv != KvFormat::kFp16;
      if (timed.name == configurations()[i].name && attention == about_cache) {
        row.speed.push_back(&timed);
      }
    }
    rows.push_back(row);
  }
  return rows;
}

std::vector<JudgedClaim> Results::claims() const {
  std::vector<JudgedClaim> judged;
  for (const Claim& claim : plan.claims) judged.push_back({&claim, judge(claim, measurements)});
  return judged;
}

bool all_held(const Results& results) {
  return std::ranges::none_of(results.claims(), [](const JudgedClaim& judged) {
    return judged.verdict.outcome == Outcome::kDidNotHold;
  });
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown processor";
}

double load_average() {
  double load = 0;
  getloadavg(&load, 1);
  return load;
}

std::string utc_now() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

}  // namespace qlab
