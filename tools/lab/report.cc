// SPDX-License-Identifier: Apache-2.0
/// \file
/// The report that people read: quality, speed, memory, then the written table with its claims.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "lab/results.h"

namespace qlab {
namespace {

/// Characters on screen: bytes that do not continue a UTF-8 sequence.
std::int64_t width_of(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
}

std::string padded(std::string text, std::int64_t width) {
  text.append(static_cast<std::size_t>(std::max<std::int64_t>(0, width - width_of(text))), ' ');
  return text;
}

/// `text` in lines of at most `width` characters, each but the first behind `indent` spaces.
std::string wrapped(const std::string& text, std::int64_t width, std::int64_t indent) {
  std::string result;
  std::int64_t column = indent;
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t space = std::min(text.find(' ', from), text.size());
    const std::string word = text.substr(from, space - from);
    if (column > indent && column + 1 + width_of(word) > width) {
      result += "\n" + std::string(static_cast<std::size_t>(indent), ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += width_of(word);
    from = space + 1;
  }
  return result;
}

std::string number(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  if (size >= 0.1) return fmt::format("{:.3f}", value);
  return fmt::format("{:.2g}", value);
}

std::string with_interval(const Interval& interval) {
  if (interval.low == interval.high) return number(interval.value);
  return fmt::format("{} [{}, {}]", number(interval.value), number(interval.low),
                     number(interval.high));
}

/// Builds the report section by section.
class Report {
 public:
  Report(const Results& results, const Terminal& terminal)
      : r_(results), terminal_(terminal), width_(std::clamp(terminal.width, 40, 80)) {}

  std::string text() {
    head();
    quality();
    speed();
    memory();
    table();
    claims();
    return terminal_.plain(std::move(out_));
  }

 private:
  void line(const std::string& text = "") { out_ += text + "\n"; }
  void title(const std::string& text) {
    line();
    line(terminal_.styled(Style::kBold, text));
  }
  void note(const std::string& text) {
    line(terminal_.styled(Style::kDim, "  " + wrapped(text, width_ - 2, 2)));
  }

  void head() {
    const Circumstances& c = r_.circumstances;
    line(terminal_.styled(
        Style::kBold,
        fmt::format("Quantization Lab {}: the tradeoff table, measured here", QLAB_VERSION)));
    note(fmt::format("{} · {} {} · kernels up to {}{} · load {:.1f} · {}", c.cpu, c.threads,
                     c.threads == 1 ? "thread" : "threads", isa_name(c.isa),
                     c.isa_forced ? " (forced)" : "", c.load, c.date));
    if (c.load > 0.5) {
      note("other programs are running: times will be noisy, and more claims undecided");
    }
    note(
        fmt::format("read bandwidth {:.1f} GB/s · multiply-add peak {:.0f} GFLOP/s, measured in "
                    "this run · seed {}{}",
                    r_.speed.read_bytes_per_second * 1e-9, r_.speed.fma_flops_per_second * 1e-9,
                    c.seed, c.quick ? " · quick" : ""));
  }

  void quality() {
    title("1. Quality: what is lost against FP16");
    note(
        fmt::format("{}, {:.2f} M parameters · {} bytes of held-out text · {} recall queries · "
                    "[95 % interval over documents]",
                    r_.circumstances.model, static_cast<double>(r_.circumstances.parameters) * 1e-6,
                    r_.quality.text_bytes, r_.quality.recall_queries));
    if (r_.circumstances.isa_forced) {
      note(
          "on this machine's fastest kernels, whatever --isa says: the path changes times, and "
          "predictions only by rounding");
    }
    quality_head();
    for (const QualityRow& row : r_.quality.rows) {
      if (row.configuration->part == Part::kMain) quality_row(row, row.configuration->name);
    }
    quality_details();
  }

  void quality_head() {
    line(terminal_.styled(Style::kDim,
                          fmt::format("  {:<22}{:>7}  {:<26}{:>8}{:>7}{:>8}", "config", "bits/B",
                                      "more than FP16", "KL nats", "flips", "recall")));
  }

  void quality_row(const QualityRow& row, const std::string& name) {
    const bool reference = row.configuration->name == "fp16";
    const std::string delta = reference ? "-"
                                        : fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", row.delta.value,
                                                      row.delta.low, row.delta.high);
    line(fmt::format("  {:<22}{:>7.4f}  {:<26}{:>8}{:>7}{:>8}", name, row.bits_per_byte.value,
                     delta, reference ? "-" : number(row.kl.value),
                     reference ? "-" : fmt::format("{:.1f} %", 100 * row.flips.value),
                     fmt::format("{:.1f} %", 100 * row.recall.value)));
  }

  /// Activations in INT8: where scales come from, and what mends outliers.
  void quality_details() {
    const auto is_detail = [](const QualityRow& row) {
      return row.configuration->part == Part::kDetail;
    };
    if (std::ranges::none_of(r_.quality.rows, is_detail)) return;
    line();
    line("  " + terminal_.styled(Style::kBold, "INT8 in detail: where the scales come from"));
    note(
        "static: one scale a layer, fixed beforehand on other text (digits: on names and digits; "
        "8_bytes: on eight bytes), by the largest magnitude or as the name says, digits and "
        "8_bytes "
        "by percentile 99.99. New rows: on a part of the documents");
    detail_rows(/*outliers=*/false);
    line("  " + terminal_.styled(Style::kBold, "INT8 in detail: with outliers planted"));
    note(
        "planted: four channels of every norm 64 times larger, the weights that read them smaller, "
        "so that nothing changes in FP32. smooth: SmoothQuant with alpha 0.5 (0.25, 0.75); llm: "
        "LLM.int8(), columns from 6 on in FP16 (codes: their weights from the INT8 codes)");
    detail_rows(/*outliers=*/true);
  }

  /// Next to the details stand the rows of the same kind that everybody sees.
  void detail_rows(bool outliers) {
    quality_head();
    for (const QualityRow& row : r_.quality.rows) {
      const Configuration& c = *row.configuration;
      if (!in_family(c, "int8") || c.outliers != outliers) continue;
      std::string name = c.name;
      if (outliers) name.erase(name.rfind("_outliers"));
      quality_row(row, name);
    }
  }

  void speed() {
    title("2. Speed: operations of a 7B model (Llama 2), time as a ratio to FP16");
    note(
        "medians of interleaved rounds [95 % interval]; shares of this run's read bandwidth and "
        "multiply-add peak (FP32); noise: twice what FP16 differs from itself");
    std::string operation;
    for (const SpeedRow& row : r_.speed.rows) {
      if (row.operation != operation) {
        operation = row.operation;
        line("  " + terminal_.styled(Style::kBold, operation) +
             terminal_.styled(Style::kDim, fmt::format(", {} rounds, noise {:.1f} %", row.rounds,
                                                       100 * row.noise)));
        line(terminal_.styled(Style::kDim,
                              fmt::format("  {:<20}{:<12}{:>9}  {:<21}{:>8}{:>8}", "config", "path",
                                          "ms", "of FP16's time", "of read", "of FMA")));
      }
      line(fmt::format("  {:<20}{:<12}{:>9.3f}  {:<21}{:>8}{:>8}", row.name, isa_name(row.path),
                       row.seconds.value * 1e3,
                       row.name == "fp16" ? "1" : with_interval(row.to_fp16),
                       fmt::format("{:.0f} %", 100 * row.read_bandwidth_share),
                       fmt::format("{:.0f} %", 100 * row.fma_peak_share)));
      if (!(row.read_bandwidth_share <= 1.05)) {
        note(
            "more than the memory can deliver: the cache held a part of it, or the bandwidth was "
            "measured in a disturbed moment");
      }
    }
  }

  void memory() {
    title("3. Memory: as stored here, and what it comes to in a 7B model");
    note(fmt::format(
        "{} GiB hold a 7B model's weights and its cache: the context that fits, and the "
        "sequences of {} tokens. KV: for each token",
        r_.circumstances.budget_gib, kBatchContext));
    line(terminal_.styled(Style::kDim,
                          fmt::format("  {:<20}{:>9}{:>7}{:>8}{:>10}{:>9}{:>8}{:>6}", "config",
                                      "weights", "bits", "KV", "7B", "7B KV", "context", "batch")));
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

  void table() {
    title("4. The tradeoff table");
    note(
        "against FP16. Time: of a linear layer at M tokens; for the KV cache, of decode attention. "
        "Bytes: of the linear layers; for the KV cache, of the cache");
    line(terminal_.styled(Style::kDim,
                          fmt::format("  {:<22}{:>9}{:>8}{:>8}{:>9}{:>7}  {}", "Config", "bits/B",
                                      "recall", "M = 1", "M = 256", "bytes", "path")));
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
                       baseline ? "1" : fmt::format("{:.2f}", row.speed.front()->to_fp16.value),
                       baseline ? "1" : (cache ? "-" : fmt::format("{:.2f}", time_at(row, 256))),
                       baseline ? "1" : fmt::format("{:.3f}", bytes),
                       isa_name(row.speed.front()->path)));
    }
  }

  static double ratio(std::int64_t a, std::int64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  }

  /// Time of FP16's at M tokens, in the first layer that was timed.
  static double time_at(const TableRow& row, std::int64_t M) {
    for (const SpeedRow* timed : row.speed) {
      if (timed->operation.ends_with(fmt::format("M = {}", M))) return timed->to_fp16.value;
    }
    return std::numeric_limits<double>::quiet_NaN();
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
        line("  " + terminal_.styled(Style::kBold, heading));
      }
      ++totals[static_cast<std::size_t>(verdict.outcome)];
      claim_lines(*claim, verdict);
    }
    line();
    line(terminal_.styled(
        Style::kBold, fmt::format("{} claims: {} held, {} did not hold here, {} not measured here",
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

  void claim_lines(const Claim& claim, const Verdict& verdict) {
    constexpr std::array<Style, 3> kStyles = {Style::kGreen, Style::kYellow, Style::kDim};
    const Style style = kStyles[static_cast<std::size_t>(verdict.outcome)];
    std::string found = verdict.reason;
    if (verdict.outcome != Outcome::kNotMeasured) {
      const auto& m = std::get<Measurement>(r_.measurements.at(claim.measure));
      found = with_interval(m.interval) + (m.unit.empty() ? "" : " " + m.unit);
    }
    line(fmt::format("    {} {}  {}, claimed {}",
                     terminal_.styled(style, padded(outcome_name(verdict.outcome), 17)), claim.id,
                     found, claim.holds.text));
    line("      " + wrapped(claim.says, width_, 6));
  }

  const Results& r_;
  const Terminal& terminal_;
  std::int64_t width_;
  std::string out_;
};

}  // namespace

std::string report(const Results& results, const Terminal& terminal) {
  return Report(results, terminal).text();
}

}  // namespace qlab
