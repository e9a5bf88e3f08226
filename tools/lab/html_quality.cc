// SPDX-License-Identifier: Apache-2.0
/// \file
/// Quality against the bits of weights, and recall against the bits of the cache.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/html_charts.h"
#include "lab/report_text.h"

namespace qlab {
namespace {

struct Weighed {
  const QualityRow* quality;
  double bits;
};

/// Bits a weight: its own, or of the configuration that stores the very same bytes.
std::optional<double> weight_bits(const Results& results, const Configuration& c) {
  for (const MemoryRow& row : results.memory) {
    if (row.configuration->name == c.name) return row.bits_per_weight;
  }
  for (const MemoryRow& row : results.memory) {
    const Recipe& recipe = row.configuration->recipe;
    if (recipe.weights == c.recipe.weights && recipe.group_size == c.recipe.group_size &&
        !recipe.activations.outliers_from) {
      return row.bits_per_weight;
    }
  }
  return std::nullopt;
}

/// What changes weights or activations only, on the model as it was trained. FP16 is what they are
/// compared with, and FP32 the ruler.
std::vector<Weighed> weighed(const Results& results) {
  std::vector<Weighed> rows;
  for (const QualityRow& row : results.quality.rows) {
    const Configuration& c = *row.configuration;
    if (c.outliers || c.recipe.kv != KvFormat::kFp16 || c.name == "fp16") continue;
    const auto bits = weight_bits(results, c);
    if (bits && row.kl.value > 0 && std::isfinite(row.kl.value)) rows.push_back({&row, *bits});
  }
  return rows;
}

/// "4.188", "16".
std::string bits_text(double bits) { return fmt::format("{:.4g}", bits); }

std::string percent(double share) { return fmt::format("{:.1f}\u00A0%", 100 * share); }

std::string percents(const Interval& share) {
  if (share.low == share.high) return percent(share.value);
  return fmt::format("{} [{}, {}]", percent(share.value), percent(share.low), percent(share.high));
}

bool about_cache_only(const QualityRow& row) {
  const Recipe& recipe = row.configuration->recipe;
  return row.configuration->name == "fp16" ||
         (recipe.weights == WeightFormat::kFp16 && recipe.kv != KvFormat::kFp16 &&
          !row.configuration->outliers);
}

}  // namespace

std::optional<HtmlFigure> quality_figure(const Results& results) {
  const std::vector<Weighed> rows = weighed(results);
  if (rows.empty()) return std::nullopt;
  HtmlTable table{
      .caption = "Quality and bits of each format",
      .head = {"Format", "Bits a weight", "KL, nats a byte", "Bits/byte more than FP16", "Recall"},
      .rows = {}};
  ChartPoints points{.name = "formats", .points = {}};
  double low = rows[0].bits, high = low;
  for (const auto& [quality, bits] : rows) {
    points.points.push_back({bits, quality->kl.value, quality->configuration->name});
    table.rows.push_back({quality->configuration->name, bits_text(bits), with_interval(quality->kl),
                          with_interval(quality->delta), percents(quality->recall)});
    low = std::min(low, bits);
    high = std::max(high, bits);
  }
  const auto fewest = std::ranges::min_element(
      rows, {}, [](const Weighed& w) { return std::pair(w.bits, w.quality->kl.value); });
  const auto nearest =
      std::ranges::min_element(rows, {}, [](const Weighed& w) { return w.quality->kl.value; });
  return HtmlFigure{
      .id = "quality",
      .heading = "Quality against bytes: what fewer bits cost",
      .chart = {.title = "Divergence from FP16 against bits a weight",
                .subtitle = "",
                .description = "Kullback-Leibler divergence of predictions from those of FP16 "
                               "against the bits that a weight takes. The table below has every "
                               "point.",
                .panels = {{.x = {.label = "bits a weight, scales included, log scale",
                                  .log = true,
                                  .low = low / 1.3,
                                  .high = high * 1.5},
                            .y = {.label = "KL from FP16, nats a byte, log scale", .log = true},
                            .points = {points},
                            .height =
                                std::min(320 + 8.0 * static_cast<double>(rows.size()), 520.0)}}},
      .reading =
          "Lower is nearer to FP16, and to the left is smaller. FP16 itself takes 16 bits and "
          "has KL 0, which a log axis cannot show. Names are explained in the plan. In "
          "brackets 95 % intervals over documents.",
      .bottleneck = fmt::format(
          "the precision of a code, not its storage: with the fewest bits, {} ({}), predictions "
          "move by {} nats a byte; they move least with {} ({} bits), by {}.",
          bits_text(fewest->bits), fewest->quality->configuration->name,
          number(fewest->quality->kl.value), nearest->quality->configuration->name,
          bits_text(nearest->bits), number(nearest->quality->kl.value)),
      .table = table};
}

std::optional<HtmlFigure> recall_figure(const Results& results) {
  ChartPoints points{.name = "formats", .points = {}};
  HtmlTable table{.caption = "Recall and bits of each format of the cache",
                  .head = {"Format", "Bits a value", "Recall", "Recall more than FP16",
                           "Bits/byte more than FP16"},
                  .rows = {}};
  const QualityRow *fp16 = nullptr, *fewest = nullptr;
  const auto bits_of = [](const QualityRow& row) { return kv_bits(row.configuration->recipe.kv); };
  for (const QualityRow& row : results.quality.rows) {
    if (!about_cache_only(row) || !std::isfinite(row.recall.value)) continue;
    const Interval& recall = row.recall;
    // Of few documents the interval of a bootstrap need not reach the value.
    points.points.push_back({bits_of(row), 100 * recall.value, row.configuration->name,
                             100 * std::min(recall.low, recall.value),
                             100 * std::max(recall.high, recall.value)});
    table.rows.push_back({row.configuration->name, bits_text(bits_of(row)), percents(recall),
                          percents(row.recall_delta), with_interval(row.delta)});
    if (row.configuration->name == "fp16") fp16 = &row;
    if (fp16 != nullptr && recall.high >= fp16->recall.value &&
        (fewest == nullptr || bits_of(row) < bits_of(*fewest))) {
      fewest = &row;
    }
  }
  if (points.points.size() < 2 || fewest == nullptr) return std::nullopt;
  return HtmlFigure{
      .id = "recall",
      .heading = "Recall against the bits of the KV cache",
      .chart = {.title = "Recall against bits of the KV cache",
                .subtitle = "",
                .description = "Share of looked-up names that were recalled against the bits that "
                               "a value of K or V takes. The table below has every point.",
                .panels = {{.x = {.label = "bits a value of K or V, scales included",
                                  .low = 2,
                                  .high = 18},
                            .y = {.label = "recall, %", .low = 0, .high = 105},
                            .points = {points},
                            .height = 320}}},
      .reading = std::string("Vertical lines are 95 % intervals over documents.") +
                 (results.circumstances.quick && results.circumstances.only.empty()
                      ? " A run with --only kv, or one that is not quick, has more formats."
                      : ""),
      .bottleneck = fmt::format(
          "the bits of K and V; the fewest whose interval reaches FP16's recall of {} are {}, "
          "of {}.",
          percent(fp16->recall.value), bits_text(bits_of(*fewest)), fewest->configuration->name),
      .table = table};
}

}  // namespace qlab
