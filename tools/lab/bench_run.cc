// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ceilings, then every part of a ladder at every M, then ceilings again.
#include <fmt/format.h>

#include <algorithm>

#include "lab/bench_measure.h"
#include "lab/results.h"
#include "support/roofline.h"

namespace qlab {
namespace {

void measure_ceilings(ThreadPool& threads, BenchResults& results) {
  results.memory_bytes_per_second =
      std::max(results.memory_bytes_per_second, test::read_bytes_per_second(threads));
  const std::vector<Peak> peaks = measure_peaks(threads);
  if (results.peaks.empty()) results.peaks = peaks;
  keep_better(results.peaks, peaks);
}

}  // namespace

BenchResults measure_bench(const BenchLadder& ladder, const BenchPlan& plan,
                           const Terminal& terminal) {
  BenchResults results{.cpu = cpu_name(),
                       .date = utc_now(),
                       .threads = plan.threads,
                       .isa = plan.isa,
                       .load = load_average(),
                       .seed = plan.seed};
  PerfCounters counters;  // before the threads, or it would not count them
  results.counters = counters.refusal();
  ThreadPool threads(plan.threads), one_thread(1);
  const Machine machine{threads, plan.isa};
  const BenchSetting setting{machine, one_thread, plan.mine, counters, plan.pace, plan.seed};
  Progress progress(terminal, static_cast<double>(ladder.parts.size() * plan.sizes.size() + 1));
  const auto show = [&](const std::string& what) {
    progress.show(static_cast<double>(results.tables.size()), what);
  };
  show("ceilings of this machine");
  measure_ceilings(threads, results);
  BenchShape shape = plan.shape;
  shape.most_m = *std::ranges::max_element(plan.sizes);
  shape.seed = plan.seed;
  for (const BenchPart& part : ladder.parts) {
    show(fmt::format("{} {}: making operands", ladder.name, part.label));
    const BenchProblem problem = part.make(shape);
    for (const std::int64_t M : plan.sizes) {
      show(fmt::format("{} {}: {} = {}", ladder.name, part.label,
                       ladder.of_context ? "context" : "M", M));
      results.tables.push_back(measure_ladder(ladder, part.label, problem, shape, M, setting));
    }
  }
  // The machine may have been slower when it was asked first: the better reading is the ceiling.
  measure_ceilings(threads, results);
  for (BenchTable& table : results.tables) {
    if (table.cold) table.bytes_per_second = results.memory_bytes_per_second;
    set_shares(table, results.peaks);
  }
  return results;
}

}  // namespace qlab
