// SPDX-License-Identifier: Apache-2.0
/// \file
/// The report that people read: quality, speed, memory, then the written table with its claims.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "lab/report_text.h"
#include "lab/results.h"
#include "lab/text.h"

namespace qlab {
namespace {

/// Builds the report section by section.
class Report : ReportText {
 public:
  Report(const Results& results, const Terminal& terminal) : ReportText(terminal), r_(results) {}

  std::string text() {
    report_head(r_, *this);
    report_quality(r_, *this);
    speed();
    memory();
    serving();
    table();
    claims();
    return finished();
  }

 private:
  void speed() {
    title("2. Speed: operations of a 7B model (Llama 2), time as a ratio to FP16");
    note(fmt::format(
        "medians of interleaved rounds [95 % interval]; shares of this run's read bandwidth and "
        "multiply-add peak ({}); noise: twice what FP16 differs from itself",
        on_gpu() ? "FP16 on tensor cores, which INT8 may pass" : "FP32"));
    std::string operation;
    for (const SpeedRow& row : r_.speed.rows) {
      if (is_batched(row)) continue;
      if (row.operation != operation) {
        operation = row.operation;
        line("  " + styled(Style::kBold, operation) +
             styled(Style::kDim,
                    fmt::format(", {} rounds, noise {:.1f} %", row.rounds, 100 * row.noise)));
        line(styled(Style::kDim, fmt::format("  {:<20}{:<13}{:>8}  {:<21}{:>8}{:>8}", "config",
                                             "path", on_gpu() ? "us" : "ms", "of FP16's time",
                                             "of read", on_gpu() ? "of peak" : "of FMA")));
      }
      line(fmt::format("  {:<20}{:<13}{:>8.{}f}  {:<21}{:>8}{:>8}", row.name, row.path_name(),
                       row.seconds.value * (on_gpu() ? 1e6 : 1e3), on_gpu() ? 2 : 3,
                       row.name == "fp16" ? "1" : with_interval(row.to_fp16),
                       fmt::format("{:.0f} %", 100 * row.read_bandwidth_share),
                       fmt::format("{:.0f} %", 100 * row.fma_peak_share)));
      if (!(row.read_bandwidth_share <= 1.05)) {
        note(
            "more than the memory can deliver: the cache held a part of it, or the bandwidth was "
            "measured in a disturbed moment");
      }
    }
    for (const std::string& sentence : r_.speed.about) note(sentence);
    batches();
    crossovers();
  }

  bool on_gpu() const { return r_.circumstances.gpu.has_value(); }

  static bool is_batched(const SpeedRow& row) {
    return row.operation.starts_with("batched attention");
  }

  /// A column a batch and context, a line a format.
  void batches() {
    std::vector<std::string> names, columns;
    const auto add = [](std::vector<std::string>& to, const std::string& what) {
      if (std::ranges::find(to, what) == to.end()) to.push_back(what);
    };
    for (const SpeedRow& row : r_.speed.rows) {
      if (!is_batched(row)) continue;
      add(names, row.name);
      add(columns, batch_of(row));
    }
    if (names.empty()) return;
    line("  " +
         styled(Style::kBold, "decode attention of a batch: tokens a second against FP16's"));
    note(
        "sequences x tokens of context; 32 query heads on 8 KV heads of 128, one layer, every "
        "sequence a cache of its own");
    std::string head = fmt::format("  {:<14}", "config");
    for (const std::string& column : columns) head += fmt::format("{:>10}", column);
    line(styled(Style::kDim, head));
    for (const std::string& name : names) {
      std::string cells = fmt::format("  {:<14}", name);
      for (const std::string& column : columns) cells += fmt::format("{:>10}", cell(name, column));
      line(cells);
    }
  }

  /// FP16: tokens a second; other formats: as a ratio.
  std::string cell(const std::string& name, const std::string& column) const {
    const auto row = std::ranges::find_if(r_.speed.rows, [&](const SpeedRow& r) {
      return is_batched(r) && r.name == name && batch_of(r) == column;
    });
    if (name != "fp16") return fmt::format("{:.2f}", 1 / row->to_fp16.value);
    return fmt::format("{:.0f}/s", std::stod(column) / row->seconds.value);
  }

  /// "int4_g128 gains nothing over FP16 from M = 256 on"
  void crossovers() {
    for (const Crossover& c : r_.speed.crossovers) {
      note(std::isinf(c.tokens.value)
               ? fmt::format("{} gains at every M that was timed", c.name)
               : fmt::format("{} gains nothing over FP16 from M = {} on", c.name, c.tokens.value));
    }
  }

  void memory() {
    title("3. Memory: as stored here, and what it comes to in a 7B model");
    note(fmt::format(
        "{} GiB hold a 7B model's weights and its cache: the context that fits, and the "
        "sequences of {} tokens. KV: for each token",
        r_.circumstances.budget_gib, kBatchContext));
    line(styled(Style::kDim,
                fmt::format("  {:<20}{:>9}{:>7}{:>8}{:>10}{:>9}{:>8}{:>6}", "config", "weights",
                            "bits", "KV", "7B", "7B KV", "context", "batch")));
    for (const MemoryRow& row : r_.memory) {
      line(fmt::format(
          "  {:<20}{:>9}{:>7.3f}{:>8}{:>10}{:>9}{:>8}{:>6}", row.configuration->name,
          fmt::format("{:.2f} MiB", static_cast<double>(row.weight_bytes) / 0x1p20),
          row.bits_per_weight, fmt::format("{} B", row.kv_bytes_per_token),
          fmt::format("{:.2f} GiB", static_cast<double>(row.big_weight_bytes) / 0x1p30),
          fmt::format("{:.0f} KiB", static_cast<double>(row.big_kv_bytes_per_token) / 0x1p10),
          row.context, row.batch));
    }
  }

  void serving() {
    title("4. Serving: what users wait for as requests come faster");
    for (const ServingSweep& sweep : r_.serving) report_serving(sweep, *this);
    note("p50, p90, p99, and other models, rates, traces: ./lab serve-bench --help");
  }

  void table() {
    title("5. The tradeoff table");
    note(
        "against FP16. Time: of a linear layer at M tokens; for the KV cache, of decode attention. "
        "Bytes: of the linear layers; for the KV cache, of the cache");
    line(styled(Style::kDim, fmt::format("  {:<22}{:>9}{:>8}{:>8}{:>9}{:>7}  {}", "Config",
                                         "bits/B", "recall", "M = 1", "M = 256", "bytes", "path")));
    const std::vector<TableRow> rows = r_.table();
    for (const TableRow& row : rows) {
      const bool baseline = row.quality->configuration->name == "fp16";
      const bool cache = row.quality->configuration->recipe.kv != KvFormat::kFp16;
      const double bytes =
          cache ? ratio(row.memory->kv_bytes_per_token, rows[0].memory->kv_bytes_per_token)
                : ratio(row.memory->linear_bytes, rows[0].memory->linear_bytes);
      line(fmt::format("  {:<22}{:>9}{:>8}{:>8}{:>9}{:>7}  {}", row.written->config,
                       baseline ? fmt::format("{:.4f}", row.quality->bits_per_byte.value)
                                : fmt::format("{:+.4f}", row.quality->delta.value),
                       fmt::format("{:.1f} %", 100 * row.quality->recall.value),
                       baseline ? "1" : first_time(row), baseline ? "1" : time_at(row.speed, 256),
                       baseline ? "1" : fmt::format("{:.3f}", bytes),
                       row.speed.empty() ? "-" : row.speed.front()->path_name()));
      if (!row.yours.empty()) with_your_kernel(row.yours);
    }
  }

  static double ratio(std::int64_t a, std::int64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  }

  /// The times of the row above with the learner's kernel in place of ours.
  void with_your_kernel(const std::vector<const SpeedRow*>& yours) {
    line(fmt::format("  {:<22}{:>9}{:>8}{:>8.2f}{:>9}{:>7}  {}", "  with your kernel", "", "",
                     yours.front()->to_fp16.value, time_at(yours, 256), "", "yours"));
  }

  static std::string first_time(const TableRow& row) {
    return row.speed.empty() ? "-" : fmt::format("{:.2f}", row.speed.front()->to_fp16.value);
  }

  /// Time of FP16's at M tokens, in the first layer that was timed; "-" for a cache, which has no M.
  static std::string time_at(const std::vector<const SpeedRow*>& speed, std::int64_t M) {
    for (const SpeedRow* timed : speed) {
      if (timed->operation.ends_with(fmt::format("M = {}", M))) {
        return fmt::format("{:.2f}", timed->to_fp16.value);
      }
    }
    return "-";
  }

  void claims() {
    std::string heading;
    std::array<int, 3> totals{};
    const std::vector<JudgedClaim> judged = r_.claims();
    for (const auto& [claim, verdict] : judged) {
      const std::string here = claim->row + " · " + claim->cell + written_cell(*claim);
      if (here != heading) {
        heading = here;
        line();
        line("  " + styled(Style::kBold, heading));
      }
      ++totals[static_cast<std::size_t>(verdict.outcome)];
      claim_lines(*claim, verdict);
    }
    line();
    line(styled(Style::kBold,
                fmt::format("{} claims: {} held, {} did not hold here, {} not measured here",
                            judged.size(), totals[0], totals[1], totals[2])));
  }

  /// ": stable baseline", the words of the cell that a claim is about.
  std::string written_cell(const Claim& claim) const {
    for (const PlanRow& row : r_.plan.rows) {
      if (row.config != claim.row) continue;
      if (claim.cell == "Description") return ": " + row.description;
      if (claim.cell == "Expected benefit") return ": " + row.benefit;
      if (claim.cell == "Main risk") return ": " + row.risk;
    }
    return "";
  }

  void claim_lines(const Claim& claim, const ClaimVerdict& verdict) {
    constexpr std::array<Style, 3> kStyles = {Style::kGreen, Style::kYellow, Style::kDim};
    const Style style = kStyles[static_cast<std::size_t>(verdict.outcome)];
    std::string found = verdict.reason;
    if (verdict.outcome != Outcome::kNotMeasured) {
      const auto& m = std::get<Measurement>(r_.measurements.at(claim.measure));
      found = with_interval(m.interval) + (m.unit.empty() ? "" : " " + m.unit) +
              (found.empty() ? "" : ", " + found);
    }
    line(fmt::format("    {} {}  {}, claimed {}",
                     styled(style, padded(outcome_name(verdict.outcome), 17)), claim.id, found,
                     claim.holds.text));
    paragraph(claim.says, "      ");
  }

  const Results& r_;
};

}  // namespace

std::string report(const Results& results, const Terminal& terminal) {
  return Report(results, terminal).text();
}

}  // namespace qlab
