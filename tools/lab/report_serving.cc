// SPDX-License-Identifier: Apache-2.0
/// \file
/// The section on serving: a table a sweep, of `lab compare` and `lab serve-bench` alike.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/report_text.h"
#include "lab/serving.h"

namespace qlab {
namespace {

std::string milliseconds(double seconds) {
  const double ms = 1e3 * seconds;
  return fmt::format("{:.{}f}", ms, ms < 10 ? 2 : ms < 100 ? 1 : 0);
}

std::string three(const Percentiles& p) {
  return fmt::format("{:>6}{:>6}{:>6}", milliseconds(p.p50), milliseconds(p.p90),
                     milliseconds(p.p99));
}

/// A run at a rate that the server cannot keep up with says how long it was, and nothing else.
std::string load_text(const ServingPoint& point) {
  return fmt::format("{:.0f} %{}", 100 * point.utilisation, point.utilisation < 1 ? " " : "!");
}

void report_row(const ServingRow& row, const ServingSweep& sweep, ReportText& text) {
  text.line("  " + text.styled(Style::kBold, row.config));
  if (!row.why_not.empty()) {
    text.paragraph("cannot be served: " + row.why_not, "    ");
    return;
  }
  text.note(fmt::format(
      "{} tokens of cache · {:.3g} requests a second at most{} · goals met up to {:.3g}",
      row.cache_tokens, row.saturated,
      row.saturated_to_first && row.config != sweep.rows.front().config
          ? fmt::format(", {} times {}'s", with_interval(*row.saturated_to_first),
                        sweep.rows.front().config)
          : "",
      row.highest));
  for (const ServingPoint& p : row.points) {
    text.line(fmt::format("  {:>7.3g}{:>8}{}{}{:>7.3g}{:>6.3g}{:>4.0f} %{:>6}", p.rate,
                          load_text(p), three(p.ttft), three(p.tpot), p.goodput, p.batch,
                          100 * p.kv_used, p.preemptions));
  }
}

}  // namespace

void report_serving(const ServingSweep& sweep, ReportText& text) {
  text.line("  " +
            text.styled(Style::kBold, fmt::format("{} on {}, weights and cache in {}", sweep.model,
                                                  sweep.machine, sweep.memory)));
  text.note(fmt::format(
      "{} requests; latencies in ms; goals: TTFT {:.4g} ms and TPOT {:.4g} ms for 99 of 100. {}",
      sweep.requests, 1e3 * sweep.ttft_goal, 1e3 * sweep.tpot_goal,
      sweep.modelled ? "Times are those of the cost model"
                     : "Times are this machine's; when nobody is there, the clock jumps"));
  text.line(
      text.styled(Style::kDim, fmt::format("  {:>8}{:>8}{:>24}{:>24}{:>7}{:>6}{:>8}{:>6}", "rate/s",
                                           "load", "TTFT p50 / p90 / p99", "TPOT p50 / p90 / p99",
                                           "good/s", "batch", "KV", "evict")));
  bool behind = false;
  for (const ServingRow& row : sweep.rows) {
    report_row(row, sweep, text);
    behind |= std::ranges::any_of(row.points, [](const auto& p) { return p.utilisation >= 1; });
  }
  if (behind) {
    text.note(
        "! saturated: requests come faster than they are served. The queue grows as long as they "
        "come, so these latencies say how long the run was");
  }
}

}  // namespace qlab
