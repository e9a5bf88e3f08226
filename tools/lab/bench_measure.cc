// SPDX-License-Identifier: Apache-2.0
/// \file
/// Chooses what a slow rung computes, times the rungs in turns, and makes rows of the times.
#include "lab/bench_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "lab/timed_mine.h"
#include "support/roofline.h"

namespace qlab {
namespace {

using test::flush_caches;

constexpr std::int64_t kProbe = 64;          // columns; a multiple of every panel
constexpr const char* kHere = "this table";  // in sentences about the learner's kernel
constexpr double kLongCall = 0.2;  // seconds; above it a rung computes a part of the columns

/// A candidate, how much of the call it does, and what the whole call costs.
struct Timed {
  Candidate candidate;
  Cost whole;
  double part = 1;
};

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// `make(columns)` for all columns, or for as many as take kLongCall: a slow rung must not take
/// minutes. A call that long computes, so its time is proportional to the columns.
template <class Make>
Timed within_time(std::int64_t columns, Make make) {
  Candidate whole = make(columns);
  const Cost cost = whole.cost;
  if (columns <= 2 * kProbe) return {std::move(whole), cost};
  const Candidate probe = make(kProbe);
  probe.run();
  const double seconds = std::max(seconds_of(probe.run), 1e-9);  // a clock may not have moved
  const auto fit = static_cast<std::int64_t>(kLongCall / seconds) * kProbe;
  if (fit >= columns) return {std::move(whole), cost};
  const std::int64_t part = std::max(fit, kProbe);
  return {make(part), cost, static_cast<double>(part) / static_cast<double>(columns)};
}

std::vector<Timed> rungs_within_time(const BenchProblem& problem, std::int64_t M,
                                     const Machine& machine, std::vector<std::string>& notes) {
  std::vector<Timed> all;
  const std::vector<Candidate> whole = problem.rungs(M, problem.columns, machine.threads);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].path > machine.isa) {
      notes.push_back(fmt::format("{} is not run: it needs {}, and this run takes {} at most.",
                                  whole[i].name, isa_name(whole[i].path), isa_name(machine.isa)));
      continue;
    }
    all.push_back(within_time(problem.columns, [&](std::int64_t columns) {
      return problem.rungs(M, columns, machine.threads)[i];
    }));
  }
  return all;
}

/// What the learner's candidate aims at, and the candidate; nothing unless it is right and fast
/// enough.
std::vector<Timed> yours_within_time(const BenchProblem& problem, std::int64_t M,
                                     const BenchSetting& setting, std::vector<std::string>& notes) {
  if (problem.yours(setting.mine, M, problem.columns).empty()) return {};
  const auto yours = [&](std::int64_t columns) {
    return problem.yours(setting.mine, M, columns)[0];
  };
  // A call that throws would leave nothing to divide by, so it is tried first on few columns.
  if (!admit_mine(yours(std::min(problem.columns, kProbe)), kHere, notes)) return {};
  Timed timed = within_time(problem.columns, yours);
  if (!admit_mine(timed.candidate, kHere, notes)) return {};
  Timed aim = within_time(problem.columns, [&](std::int64_t columns) {
    return problem.rungs(M, columns, setting.one_thread)[0];
  });
  aim.candidate.name = aim.candidate.name.substr(0, aim.candidate.name.find('_')) + ", 1 thread";
  return {std::move(aim), std::move(timed)};
}

Interval inverse(const Interval& ratio) { return {1 / ratio.value, 1 / ratio.high, 1 / ratio.low}; }

/// Times of whole calls.
Times whole_times(const std::vector<Timed>& timed, Times times) {
  for (std::size_t i = 0; i < times.size(); ++i) {
    for (double& seconds : times[i]) seconds /= timed[i].part;
  }
  return times;
}

std::optional<Counts> counts_of(const Timed& timed, bool cold, PerfCounters& counters) {
  if (timed.part < 1 || !counters.available()) return std::nullopt;
  if (cold) flush_caches();
  return counters.counted(timed.candidate.run);
}

BenchRow row_of(const Timed& timed, const std::vector<double>& times, std::uint64_t seed) {
  return {.rung = timed.candidate.yours() ? "yours" : timed.candidate.name,
          .path = timed.candidate.path,
          .yours = timed.candidate.yours(),
          .cost = timed.whole,
          .seconds = median_interval(times, seed),
          .rounds = std::ssize(times),
          .part = timed.part};
}

/// Rows in the order of the table; the first `rungs` of them are those of the ladder.
std::vector<BenchRow> rows_of(const std::vector<Timed>& timed, const Times& times,
                              std::size_t rungs, bool cold, const BenchSetting& setting) {
  std::vector<BenchRow> rows;
  for (std::size_t i = 0; i < timed.size(); ++i) {
    rows.push_back(row_of(timed[i], times[i], setting.seed));
    // The learner's kernel may have fewer rounds than what it is compared with, so it leads.
    if (i != 0 && i != rungs) {
      rows.back().speedup = inverse(time_ratio(times[i], times[i - 1], setting.seed));
    }
    rows.back().counts = counts_of(timed[i], cold, setting.counters);
  }
  return rows;
}

}  // namespace

BenchTable measure_ladder(const BenchLadder& ladder, const std::string& label,
                          const BenchProblem& problem, const BenchShape& shape, std::int64_t M,
                          const BenchSetting& setting) {
  BenchTable table{.operation = std::string(ladder.name),
                   .label = label,
                   .products = ladder.products,
                   .M = M,
                   .N = problem.columns,
                   .K = ladder.of_context ? 0 : shape.K,
                   .cold = starts_cold(ladder, M)};
  std::vector<Timed> timed = rungs_within_time(problem, M, setting.machine, table.notes);
  const std::size_t rungs = timed.size();
  for (Timed& one : yours_within_time(problem, M, setting, table.notes)) {
    timed.push_back(std::move(one));
  }
  const auto read_warm = [&] {
    return table.cold ? 0
                      : warm_read_bytes_per_second(setting.machine.threads, timed[0].whole.bytes);
  };
  const double read_before = read_warm();
  std::vector<Candidate> candidates;
  for (const Timed& one : timed) candidates.push_back(one.candidate);
  Pace pace = setting.pace;
  pace.cold = table.cold;
  Times times =
      interleaved(candidates, pace, setting.seed, [&] { flush_caches(setting.machine.threads); });
  drop_troubled(candidates, times, kHere, table.notes);
  timed.resize(candidates.size(), timed[0]);  // the learner's is the last
  times = whole_times(timed, std::move(times));
  table.rows = rows_of(timed, times, rungs, table.cold, setting);
  if (table.rows.back().yours) table.aim = BenchAim{.speed = *table.rows.back().speedup};
  table.bytes_per_second = std::max(read_before, read_warm());
  return table;
}

}  // namespace qlab
