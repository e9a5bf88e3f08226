// SPDX-License-Identifier: Apache-2.0
/// \file
/// Results: everything one run of `lab compare` measured, for the report and the JSON file alike.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/gpu_times.h"
#include "lab/memory.h"
#include "lab/mine.h"
#include "lab/plan.h"
#include "lab/quality.h"
#include "lab/serving.h"
#include "lab/speed.h"
#include "lab/verdict.h"

namespace qlab {

/// Where and how the run took place.
struct Circumstances {
  std::string date;  ///< ISO 8601, UTC
  std::string cpu;
  double load;  ///< average number of running programs in the minute before
  int threads;
  Isa isa;            ///< highest level that kernels could take
  bool isa_forced;    ///< below what the processor has
  std::string model;  ///< as named on the command line, or "the lab's own"
  std::int64_t parameters;
  std::string inputs;  ///< hash of the model's weights and of the documents
  bool quick;
  std::uint64_t seed;
  double budget_gib;
  std::string only;                ///< the family that the run was limited to, or nothing
  MineUse mine = {};               ///< which of the learner's code took part
  std::optional<GpuRun> gpu = {};  ///< whose times these are; quality and bytes are the CPU's
};

/// One row of the written table with its numbers.
struct TableRow {
  const PlanRow* written;
  const QualityRow* quality;
  const MemoryRow* memory;
  std::vector<const SpeedRow*> speed;  ///< its linear layers, or decode attention for the KV row
  std::vector<const SpeedRow*> yours;  ///< the same with the learner's kernel, where it was timed
};

struct JudgedClaim {
  const Claim* claim;
  ClaimVerdict verdict;
};

struct Results {
  Circumstances circumstances;
  Plan plan;
  Quality quality;
  Speed speed;
  std::vector<MemoryRow> memory;
  std::vector<ServingSweep> serving;
  Measurements measurements;

  /// Rows of the plan that this run measured.
  std::vector<TableRow> table() const;
  /// Every claim. What a limited run left out is not measured, and says so.
  std::vector<JudgedClaim> claims() const;
};

/// No claim was measured and did not hold.
bool all_held(const Results& results);

/// A GPU and its run in a line: "NVIDIA H200 · 132 multiprocessors · …"; and what it can do at
/// most.
std::string gpu_text(const GpuRun& gpu);
std::string gpu_limits(const GpuRun& gpu);

/// What the machine says of itself.
std::string cpu_name();
double load_average();
std::string utc_now();

/// The whole report as text for a terminal.
std::string report(const Results& results, const Terminal& terminal);

/// The same as JSON; docs/compare_json.md describes it.
std::string to_json(const Results& results);

/// Version of the JSON; rises when a reader of the old one would fail or be misled.
inline constexpr int kJsonSchemaVersion = 1;

}  // namespace qlab
