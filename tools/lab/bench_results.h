// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `lab bench` finds, and how it is said: as text, as a page and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/contract.h"
#include "common/isa.h"
#include "common/statistics.h"
#include "lab/peaks.h"
#include "lab/perf_counters.h"
#include "lab/terminal.h"

namespace qlab {

/// A share above it is an error of measurement, not a fast kernel.
inline constexpr double kMostShare = 1.05;

/// One rung at one M.
struct BenchRow {
  std::string rung;
  Isa path;
  bool yours = false;  ///< the learner's kernel, whose path is none of ours
  Cost cost;           ///< of the whole call
  Interval seconds;    ///< median; of the whole call also where a part was timed
  /// Time of the rung before / its own; nothing for the first one.
  std::optional<Interval> speedup = {};
  std::int64_t rounds = 0;
  double part = 1;  ///< of the columns that were timed, and the time multiplied accordingly
  std::optional<Counts> counts = {};

  // From set_shares().
  double share = 0;        ///< of the roofline: the least time that both ceilings allow / the time
  bool by_memory = false;  ///< bytes need longer than operations do
  /// The word of reports.
  const char* bound() const { return by_memory ? "memory" : "compute"; }

  double ops_per_second() const { return static_cast<double>(cost.flops) / seconds.value; }
  double bytes_per_second() const { return static_cast<double>(cost.bytes) / seconds.value; }
};

/// A learner's right kernel beside the rung it aims at.
struct BenchAim {
  Interval speed;  ///< the rung's time / the learner's
  int rung = 1;
  bool slow() const { return speed.high < 1; }
};

/// A ladder at one M.
struct BenchTable {
  std::string operation;
  std::string label = {};  ///< the format of the cache, or empty
  Products products = Products::kFloat;
  /// Of attention M is the context, and N and K are 0; a quantizer of rows has no N.
  std::int64_t M = 1, N = 0, K = 0;
  bool cold = true;
  double bytes_per_second = 0;  ///< what memory, or warm caches, give
  std::vector<BenchRow> rows = {};
  std::optional<BenchAim> aim = {};
  std::vector<std::string> notes = {};  ///< sentences: what was not run, and why

  /// "w8a8_gemm, M = 1, N = 4096, K = 4096", "attention_decode int8, context 4096".
  std::string title() const;
};

struct BenchResults {
  std::string cpu, date;
  int threads = 1;
  Isa isa = Isa::kScalar;
  double load = 0;
  std::uint64_t seed = 1;
  double memory_bytes_per_second = 0;
  std::vector<Peak> peaks = {};
  std::string counters = {};  ///< why there are none; empty when there are
  std::vector<BenchTable> tables = {};
  std::vector<std::string> remarks = {};  ///< sentences about the whole run
};

/// Fills the shares of a table from its own bytes a second and the peak that each path can use. A
/// path without a measured peak is held against memory alone.
void set_shares(BenchTable& table, const std::vector<Peak>& peaks);

/// The peak of the fastest unit that any rung of these tables can use; 0 without one.
double roof_of(const BenchResults& results);

/// The report, in 80 columns.
std::string bench_text(const BenchResults& results, const Terminal& terminal);

/// {"schema": "qlab.bench", "version": 1, …}
std::string bench_json(const BenchResults& results);

/// Text: the rungs of all tables under the roof that memory and the best path's peak make. Empty
/// without rows. Only ASCII.
std::string bench_plot(const BenchResults& results);

/// A page that needs nothing else: the roofline as a picture, and every number of the tables.
std::string bench_html(const BenchResults& results);

}  // namespace qlab
