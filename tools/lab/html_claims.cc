// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tradeoff table with its numbers, and each claim with its verdict.
#include <fmt/format.h>

#include <array>
#include <map>

#include "lab/html_report.h"
#include "lab/html_text.h"
#include "lab/report_text.h"

namespace qlab {
namespace {

/// How many claims held, did not hold, were not measured.
using Totals = std::array<int, 3>;
constexpr std::array<const char*, 3> kClasses = {"held", "fell", "not"};

std::size_t index_of(Outcome outcome) { return static_cast<std::size_t>(outcome); }

/// "3 held, 1 not measured here"
std::string in_words(const Totals& totals) {
  std::string text;
  for (const Outcome outcome : {Outcome::kHeld, Outcome::kDidNotHold, Outcome::kNotMeasured}) {
    const int count = totals[index_of(outcome)];
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, outcome_name(outcome));
  }
  return text;
}

std::map<std::string, Totals> totals_of_cells(const Results& results) {
  std::map<std::string, Totals> totals;
  for (const auto& [claim, verdict] : results.claims()) {
    ++totals[claim->row + "/" + claim->cell][index_of(verdict.outcome)];
  }
  return totals;
}

std::string ratio(double a, double b) { return fmt::format("{:.3f}", a / b); }

/// Time of FP16's at M tokens, in the first layer that was timed.
std::string time_at(const TableRow& row, std::int64_t M) {
  for (const SpeedRow* timed : row.speed) {
    if (timed->operation.ends_with(fmt::format("M = {}", M))) return with_interval(timed->to_fp16);
  }
  return "-";
}

std::vector<std::string> measured_cells(const TableRow& row, const TableRow& fp16) {
  const Configuration& c = *row.quality->configuration;
  const bool baseline = c.name == "fp16", cache = c.recipe.kv != KvFormat::kFp16;
  const MemoryRow &mine = *row.memory, &theirs = *fp16.memory;
  const std::string bytes = cache ? ratio(static_cast<double>(mine.kv_bytes_per_token),
                                          static_cast<double>(theirs.kv_bytes_per_token))
                                  : ratio(static_cast<double>(mine.linear_bytes),
                                          static_cast<double>(theirs.linear_bytes));
  const bool timed = !row.speed.empty();
  return {row.written->config,
          c.name,
          timed ? std::string(row.speed.front()->path_name()) : "-",
          number(row.quality->bits_per_byte.value),
          baseline ? "-" : with_interval(row.quality->delta),
          fmt::format("{:.1f}\u00A0%", 100 * row.quality->recall.value),
          baseline ? "1"
          : !timed ? "-"
                   : with_interval(row.speed.front()->to_fp16),
          baseline ? "1" : time_at(row, 256),
          baseline ? "1" : bytes};
}

/// The words of the cell that a claim is about.
std::string written_cell(const Results& results, const Claim& claim) {
  for (const PlanRow& row : results.plan.rows) {
    if (row.config != claim.row) continue;
    if (claim.cell == "Description") return ": " + row.description;
    if (claim.cell == "Expected benefit") return ": " + row.benefit;
    if (claim.cell == "Main risk") return ": " + row.risk;
  }
  return "";
}

/// "< 0.9" in one line.
std::string unbroken(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == ' ') {
      result += "\u00A0";
    } else {
      result += c;
    }
  }
  return result;
}

std::string claim_item(const Results& results, const JudgedClaim& judged) {
  const auto& [claim, verdict] = judged;
  std::string found = verdict.reason;
  const auto measured = results.measurements.find(claim->measure);
  if (measured != results.measurements.end()) {
    if (const auto* m = std::get_if<Measurement>(&measured->second)) {
      const std::string value = with_interval(m->interval) + (m->unit.empty() ? "" : " " + m->unit);
      found = found.empty() ? value : value + ", " + found;
    }
  }
  return fmt::format(
      "<li id=\"{0}\"><p><span class=\"{1}\">{2}</span> · {0} · {3}, claimed {4}</p>\n"
      "<p>{5}</p>\n<p class=\"dim\"><code>{6}</code></p></li>\n",
      html_text(claim->id), kClasses[index_of(verdict.outcome)], outcome_name(verdict.outcome),
      html_text(found), html_text(unbroken(claim->holds.text)), html_text(claim->says),
      html_text(claim->measure));
}

}  // namespace

std::string html_tradeoff_table(const Results& results) {
  const std::map<std::string, Totals> totals = totals_of_cells(results);
  HtmlTable written{.caption = "The table as written, with the verdicts on its claims",
                    .head = {"Config", "Description", "Expected benefit", "Main risk"},
                    .rows = {},
                    .words = 4};
  const auto cell = [&](const PlanRow& row, const std::string& words, const std::string& column) {
    const auto found = totals.find(row.config + "/" + column);
    return found == totals.end() ? words : words + " (" + in_words(found->second) + ")";
  };
  for (const PlanRow& row : results.plan.rows) {
    written.rows.push_back({row.config, cell(row, row.description, "Description"),
                            cell(row, row.benefit, "Expected benefit"),
                            cell(row, row.risk, "Main risk")});
  }
  HtmlTable measured{.caption = "The same rows, measured here, against FP16",
                     .head = {"Config", "Measured as", "Path", "Bits/byte", "More than FP16",
                              "Recall", "Time at M = 1", "Time at M = 256", "Bytes"},
                     .rows = {},
                     .words = 3};
  const std::vector<TableRow> rows = results.table();
  for (const TableRow& row : rows) measured.rows.push_back(measured_cells(row, rows[0]));
  return html_table(written, "written") + (rows.empty() ? "" : html_table(measured, "measured")) +
         html_element("p",
                      "Time: of a linear layer at M tokens, in the row of the KV cache of decode "
                      "attention, as a ratio to FP16. Bytes: of the linear layers, in that row of "
                      "the cache, as a ratio. In brackets 95 % intervals.",
                      "class=\"dim\"");
}

std::string html_claims(const Results& results) {
  const std::vector<JudgedClaim> judged = results.claims();
  Totals totals{};
  for (const JudgedClaim& j : judged) ++totals[index_of(j.verdict.outcome)];
  std::string html = html_element(
      "p", fmt::format("{} claims: {}.", judged.size(), in_words(totals)), "class=\"totals\"");
  std::string row, cell;
  for (const JudgedClaim& j : judged) {
    const Claim& claim = *j.claim;
    if (claim.row == row && claim.cell == cell) {
      html += claim_item(results, j);
      continue;
    }
    if (!row.empty()) html += "</ul>\n";
    if (claim.row != row) html += html_element("h3", claim.row);
    html += html_element("h4", claim.cell + written_cell(results, claim));
    html += "<ul class=\"claims\">\n" + claim_item(results, j);
    row = claim.row;
    cell = claim.cell;
  }
  return html + (row.empty() ? "" : "</ul>\n");
}

}  // namespace qlab
