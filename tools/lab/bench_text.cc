// SPDX-License-Identifier: Apache-2.0
/// \file
/// The report of `lab bench` for a terminal, and the shares in it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/bench_results.h"
#include "lab/report_text.h"
#include "lab/text.h"

namespace qlab {
namespace {

/// "12.3 ms" without its unit, "36.1", "412": three digits, for columns of a fixed width.
std::string three_digits(double value) {
  if (value >= 99.95) return fmt::format("{:.0f}", value);
  if (value >= 9.995) return fmt::format("{:.1f}", value);
  return value >= 0.0995 ? fmt::format("{:.2f}", value) : fmt::format("{:.2g}", value);
}

/// The same for rates, which are small where a call is slow: "0.022" and no more columns.
std::string rate(double value) {
  return value < 0.0995 ? fmt::format("{:.3f}", value) : three_digits(value);
}

/// "16.8 MB", "1.07 GFLOP".
std::string scaled(double value, std::string_view unit) {
  constexpr std::pair<double, const char*> kPrefixes[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}};
  for (const auto& [size, prefix] : kPrefixes) {
    if (value >= size) return fmt::format("{} {}{}", three_digits(value / size), prefix, unit);
  }
  return fmt::format("{} k{}", three_digits(value / 1e3), unit);
}

/// Operations on bytes are none on floats.
std::string ops_name(Products products) { return products == Products::kFloat ? "FLOP" : "OP"; }

/// Of the interval's longer side.
std::string plus_minus(const Interval& interval) {
  const double side =
      std::max(interval.high - interval.value, interval.value - interval.low) / interval.value;
  return side > 0.995 ? ">±99 %" : fmt::format("±{:.0f} %", 100 * side);
}

/// "3.1x"; an interval that holds 1 is no difference.
std::string speedup_text(const std::optional<Interval>& speedup) {
  if (!speedup) return "-";
  if (speedup->low <= 1 && speedup->high >= 1) return "same";
  return three_digits(speedup->value) + "x";
}

/// `text` on the right of `width` columns; the signs in it take more bytes than columns.
std::string right(const std::string& text, std::size_t width) {
  const std::size_t have = columns(text);
  return (have < width ? std::string(width - have, ' ') : "") + text;
}

std::string table_line(const std::string& rung, const std::string& path,
                       const std::vector<std::string>& numbers) {
  constexpr std::size_t kWidths[] = {8, 7, 8, 7, 8, 8, 6};
  std::string line = fmt::format("  {:<15}{:<11}", rung, path);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    line += " " + right(numbers[i], kWidths[i] - 1);  // a blank even where a number is too long
  }
  return line;
}

std::string row_line(const BenchRow& row) {
  return table_line(
      row.rung, row.yours ? "yours" : std::string(isa_name(row.path)),
      {(row.part < 1 ? "~" : "") + three_digits(1e3 * row.seconds.value), plus_minus(row.seconds),
       speedup_text(row.speedup),
       fmt::format("{:.{}f} %", 100 * row.share, row.share < 0.0995 ? 1 : 0), row.bound(),
       rate(1e-9 * row.ops_per_second()), rate(1e-9 * row.bytes_per_second())});
}

std::string aim_line(const BenchAim& aim, const ReportText& text) {
  return fmt::format("  {}{}  {:.2f}x of rung {} ({:.2f}–{:.2f})",
                     text.styled(Style::kGreen, "DONE"),
                     aim.slow() ? ", " + text.styled(Style::kYellow, "SLOW") : "", aim.speed.value,
                     aim.rung, aim.speed.low, aim.speed.high);
}

void counters_lines(const BenchTable& table, ReportText& text) {
  if (std::ranges::none_of(table.rows,
                           [](const BenchRow& row) { return row.counts.has_value(); })) {
    return;
  }
  const auto line = [&](const std::string& rung, const std::string& instructions,
                        const std::string& per_cycle, const std::string& l1,
                        const std::string& memory) {
    text.line(
        fmt::format("  {:<15}{:>14}{:>10}{:>12}{:>14}", rung, instructions, per_cycle, l1, memory));
  };
  line("in one call", "instructions", "a cycle", "L1 misses", "from memory");
  for (const BenchRow& row : table.rows) {
    if (!row.counts) continue;
    const Counts& c = *row.counts;
    line(row.rung, scaled(static_cast<double>(c.instructions), ""),
         fmt::format("{:.2f}", c.per_cycle()), scaled(static_cast<double>(c.l1_misses), ""),
         scaled(static_cast<double>(c.bytes_from_memory()), "B"));
  }
}

void table_text(const BenchTable& table, ReportText& text) {
  text.title(table.title());
  const Cost& cost = table.rows.front().cost;
  text.note(fmt::format("A call: {} and {}, {:.1f} operations a byte. {}: {:.1f} GB/s.",
                        scaled(static_cast<double>(cost.bytes), "B"),
                        scaled(static_cast<double>(cost.flops), ops_name(table.products)),
                        static_cast<double>(cost.flops) / static_cast<double>(cost.bytes),
                        table.cold ? "Caches are emptied before it; memory reads"
                                   : "Its operands may stay in the caches, which read",
                        1e-9 * table.bytes_per_second));
  text.line(table_line(
      "rung", "path",
      {"ms", "", "faster", "share", "bound", "G" + ops_name(table.products) + "/s", "GB/s"}));
  for (const BenchRow& row : table.rows) text.line(row_line(row));
  for (const BenchRow& row : table.rows) {
    if (row.part < 1) {
      text.note(fmt::format("{}: {:.0f} of {} columns were timed, and the time multiplied.",
                            row.rung, row.part * static_cast<double>(table.N), table.N));
    }
    if (row.share > kMostShare) {
      text.note(fmt::format(
          "{}: {:.0f} % of the roofline is an error of measurement, not a fast kernel: its time or "
          "the ceiling was disturbed. Run it again on a quiet machine.",
          row.rung, 100 * row.share));
    }
  }
  if (table.aim) {
    text.line(aim_line(*table.aim, text));
    text.note(
        fmt::format("Rung {} on one thread, as yours runs, is the row above yours. Both are held "
                    "against the ceilings of all threads.",
                    table.aim->rung));
  }
  counters_lines(table, text);
  for (const std::string& note : table.notes) text.note(note);
}

void ceilings_text(const BenchResults& results, ReportText& text) {
  text.title("Ceilings, measured in this run");
  text.line(fmt::format("  read memory {:>16.1f} GB/s", 1e-9 * results.memory_bytes_per_second));
  for (const Peak& peak : results.peaks) {
    const char* const kind = peak.products == Products::kFloat ? "float" : "int8";
    const std::string per_cycle =
        peak.ops_per_cycle == 0 ? "" : fmt::format(", {:.0f} a cycle", peak.ops_per_cycle);
    text.line(fmt::format("  {:<5} {:<12}{:>10.0f} G{:<7} {}{}", kind, peak.level,
                          1e-9 * peak.ops_per_second, ops_name(peak.products) + "/s",
                          peak.instruction, per_cycle));
    if (peak.doubt.empty()) continue;
    text.note(fmt::format("Do not believe {} {}: {}.", kind, peak.level, peak.doubt));
  }
}

}  // namespace

std::string BenchTable::title() const {
  std::string text = operation + (label.empty() ? "" : " " + label);
  if (K == 0) return text + fmt::format(", context {}", M);
  text += fmt::format(", M = {}", M);
  return text + (N == 0 ? "" : fmt::format(", N = {}", N)) + fmt::format(", K = {}", K);
}

void set_shares(BenchTable& table, const std::vector<Peak>& peaks) {
  for (BenchRow& row : table.rows) {
    const Peak* peak = ceiling_of(peaks, table.products, row.path);
    const double of_bytes = static_cast<double>(row.cost.bytes) / table.bytes_per_second;
    const double of_ops =
        peak == nullptr ? 0 : static_cast<double>(row.cost.flops) / peak->ops_per_second;
    row.by_memory = of_bytes >= of_ops;
    row.share = std::max(of_bytes, of_ops) / row.seconds.value;
  }
}

std::string bench_text(const BenchResults& results, const Terminal& terminal) {
  ReportText text(terminal);
  text.line(fmt::format("{}, {} {}, kernels up to {}", results.cpu, results.threads,
                        results.threads == 1 ? "thread" : "threads", isa_name(results.isa)));
  text.note(fmt::format("{}, {:.1f} programs running before{}, seed {}, lab {}", results.date,
                        results.load, results.load > 0.5 ? ": times are noisy" : "", results.seed,
                        QLAB_VERSION));
  ceilings_text(results, text);
  for (const BenchTable& table : results.tables) table_text(table, text);
  text.line();
  text.line(bench_plot(results));
  text.note(
      "faster: than the rung before; same: the 95 % interval of the ratio holds 1. share: of the "
      "roofline, the least time that bytes and operations need at the ceilings / the time; bound: "
      "by which of the two. A rung is held against the fastest unit of its path. ±: 95 % interval "
      "of the median.");
  if (!results.counters.empty()) text.note(results.counters);
  for (const std::string& remark : results.remarks) text.note(remark);
  return text.finished();
}

}  // namespace qlab
