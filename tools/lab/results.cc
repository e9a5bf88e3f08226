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

/// Of rows that each name a configuration, the one of this name, or none.
template <class Row>
const Row* row_of(const std::vector<Row>& rows, const std::string& configuration) {
  const auto found = std::ranges::find_if(
      rows, [&](const Row& row) { return row.configuration->name == configuration; });
  return found == rows.end() ? nullptr : &*found;
}

/// The configuration that stands for a row of the table.
const Configuration& configuration_of(const PlanRow& row) {
  const auto found = std::ranges::find(configurations(), row.config, &Configuration::row);
  if (found == configurations().end()) {
    throw std::logic_error(
        fmt::format("the plan's row \"{}\" has no configuration that stands for it", row.config));
  }
  return *found;
}

}  // namespace

std::vector<TableRow> Results::table() const {
  std::vector<TableRow> rows;
  for (const PlanRow& written : plan.rows) {
    const Configuration& configuration = configuration_of(written);
    TableRow row{.written = &written,
                 .quality = row_of(quality.rows, configuration.name),
                 .memory = row_of(memory, configuration.name),
                 .speed = {},
                 .yours = {}};
    if (row.quality == nullptr) continue;
    for (const SpeedRow& timed : speed.rows) {
      const bool attention = timed.operation.starts_with("decode attention");
      // Where only caches were timed, FP16 stands for its own.
      const bool about_cache =
          configuration.recipe.kv != KvFormat::kFp16 || circumstances.only == "kv";
      if (attention != about_cache) continue;
      if (timed.name == configuration.name) row.speed.push_back(&timed);
      if (timed.name == configuration.name + " (yours)") row.yours.push_back(&timed);
    }
    rows.push_back(row);
  }
  return rows;
}

std::vector<JudgedClaim> Results::claims() const {
  std::vector<JudgedClaim> judged;
  for (const Claim& claim : plan.claims) {
    const bool left_out = !measurements.contains(claim.measure);
    if (left_out && !circumstances.only.empty()) {
      const ClaimVerdict verdict{Outcome::kNotMeasured,
                                 fmt::format("--only {} leaves it out", circumstances.only)};
      judged.push_back({&claim, verdict});
    } else if (left_out && circumstances.quick) {
      const ClaimVerdict verdict{Outcome::kNotMeasured, "--quick leaves it out"};
      judged.push_back({&claim, verdict});
    } else {
      judged.push_back({&claim, judge(claim, measurements)});
    }
  }
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
