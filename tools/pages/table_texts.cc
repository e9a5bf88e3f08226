// SPDX-License-Identifier: Apache-2.0
/// \file
/// Blocks of the tradeoff table: as the plan has it, with what the reference machine measured.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "lab/gpu_speed.h"
#include "lab/plan.h"
#include "lab/serving.h"
#include "pages/block_texts.h"

namespace qlab {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kReference = "xeon_2threads";

const Json& all_claims(const Docs& docs) { return docs.measured.at(kReference, "claims"); }

/// "3 held, 1 not measured here", or "all 4 held": the verdicts of a cell.
std::string verdicts_of(const Docs& docs, const std::string& row, const std::string& cell) {
  int total = 0, held = 0, failed = 0;
  for (const Json& claim : all_claims(docs)) {
    if (claim.at("row") != row || claim.at("cell") != cell) continue;
    ++total;
    held += claim.at("verdict") == "held";
    failed += claim.at("verdict") == "did not hold here";
  }
  const int open = total - held - failed;
  if (held == total)
    return total == 1 ? "its claim held" : fmt::format("all {} claims held", total);
  std::string text = fmt::format("{} of {} claims held", held, total);
  if (failed > 0) text += fmt::format(", {} did not hold here", failed);
  if (open > 0) text += fmt::format(", {} not measured here", open);
  return text;
}

/// "0.605 (0.601 … 0.622)", with the claim's unit.
std::string interval(const Json& claim) {
  const Json& m = claim.at("measured");
  if (m.is_null()) return "no number";
  const auto number = [](double value) {
    if (std::abs(value) >= 100) return fmt::format("{:.0f}", value);
    return fmt::format("{:.3g}", value);
  };
  const auto value = m.at("value").get<double>();
  const auto low = m.at("low").get<double>(), high = m.at("high").get<double>();
  std::string text = number(value);
  if (number(low) != number(high)) text += fmt::format(" ({} … {})", number(low), number(high));
  const auto unit = m.at("unit").get<std::string>();
  return unit.empty() ? text : text + " " + unit;
}

std::string claim_line(const Json& claim) {
  const auto reason = claim.at("reason").get<std::string>();
  return fmt::format("- **{} {}.** {} *Measured:* {}; holds {}, `{}`{}.\n",
                     claim.at("id").get<std::string>(), claim.at("verdict").get<std::string>(),
                     claim.at("says").get<std::string>(), interval(claim),
                     claim.at("holds").get<std::string>(), claim.at("measure").get<std::string>(),
                     reason.empty() ? "" : " (" + reason + ")");
}

/// Times decide it, or what the cost model makes of them.
bool is_of_a_device(const Json& claim) {
  const auto measure = claim.at("measure").get<std::string>();
  return is_about_time(measure) ||
         std::ranges::any_of(kServingMeasures,
                             [&](std::string_view begin) { return measure.starts_with(begin); });
}

/// "held: 0.605 (0.601 … 0.622)", or why there is no verdict.
std::string finding(const Json& claim) {
  const auto verdict = claim.at("verdict").get<std::string>();
  const auto reason = claim.at("reason").get<std::string>();
  if (claim.at("measured").is_null()) return verdict + ": " + reason;
  return verdict + ": " + interval(claim) + (reason.empty() ? "" : ", " + reason);
}

/// The device of a run on a GPU, or the processor.
std::string machine_of(const Docs& docs, std::string_view file) {
  const Json& c = docs.measured.at(file, "circumstances");
  return c.at(c.contains("device") ? "device" : "cpu").get<std::string>();
}

}  // namespace

std::string table_block(const BlockPlace& place, const std::string& /*nothing*/) {
  const Plan plan = read_plan(place.docs.places.root / "plan/quantization_comparison_plan.md");
  std::string text =
      "| Config | Description | Expected benefit | Main risk |\n| --- | --- | --- | --- |\n";
  for (const PlanRow& row : plan.rows) {
    const auto cell = [&](const std::string& words, const char* column) {
      return fmt::format("{}: {}", words, verdicts_of(place.docs, row.config, column));
    };
    text += fmt::format("| {} | {} | {} | {} |\n", row.config, cell(row.description, "Description"),
                        cell(row.benefit, "Expected benefit"), cell(row.risk, "Main risk"));
  }
  return text;
}

std::string claims_block(const BlockPlace& place, const std::string& /*nothing*/) {
  std::string text, row, cell;
  for (const Json& claim : all_claims(place.docs)) {
    if (claim.at("row") != row) {
      row = claim.at("row").get<std::string>();
      cell.clear();
      text += fmt::format("{}### {}\n\n", text.empty() ? "" : "\n", row);
    }
    if (claim.at("cell") != cell) {
      text += cell.empty() ? "" : "\n";
      cell = claim.at("cell").get<std::string>();
      text += fmt::format("*{}*\n\n", cell);
    }
    text += claim_line(claim);
  }
  return text;
}

std::string verdicts_block(const BlockPlace& place, const std::string& file) {
  const Docs& docs = place.docs;
  std::string rows;
  std::array<int, 3> counts{};
  for (const Json& there : docs.measured.at(file, "claims")) {
    if (!is_of_a_device(there)) continue;
    const auto id = there.at("id").get<std::string>();
    const Json& here = docs.measured.at(kReference, fmt::format("claims[id={}]", id));
    const auto& verdict = there.at("verdict");
    ++counts[verdict == "held" ? 0 : verdict == "did not hold here" ? 1 : 2];
    rows += fmt::format("| {} | {} | {} | {} | {} |\n", id, there.at("says").get<std::string>(),
                        there.at("holds").get<std::string>(), finding(here), finding(there));
  }
  const std::string device = machine_of(docs, file);
  return fmt::format(
             "Of the claims that a device decides, {} held on the {}, {} did not, and {} were not "
             "measured or are open.\n\n| | The claim | holds | {} | {} |\n"
             "| --- | --- | --- | --- | --- |\n",
             counts[0], device, counts[1], counts[2], machine_of(docs, kReference), device) +
         rows;
}

}  // namespace qlab
