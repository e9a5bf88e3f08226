// SPDX-License-Identifier: Apache-2.0
/// \file
/// The roofline, and the time of a layer against the tokens of a call.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lab/html_charts.h"
#include "lab/report_text.h"
#include "lab/svg_style.h"

namespace qlab {
namespace {

constexpr double kFarFromBoth = 0.3;  // of either limit; below it the kernel itself sets the pace

bool is_linear(const SpeedRow& row) { return row.operation.find(", M = ") != std::string::npos; }

/// Forced portable paths would need as many names again, and lie where nobody runs.
bool is_fallback(const SpeedRow& row) { return row.name.ends_with(" on scalar"); }

std::int64_t tokens_of(const SpeedRow& row) {
  return std::stoll(row.operation.substr(row.operation.find(", M = ") + 6));
}

/// "attention projection 4096×4096", also of "attention projection 1792 of 4096×4096, M = 256".
std::string layer_of(const SpeedRow& row) {
  std::string name = row.operation.substr(0, row.operation.find(", M = "));
  const std::size_t of = name.find(" of ");
  if (of != std::string::npos) {
    const std::size_t part = name.rfind(' ', of - 1) + 1;
    name.erase(part, of + 4 - part);
  }
  return name;
}

/// The layer that claims are about: the first.
std::vector<const SpeedRow*> first_layer(const Results& results) {
  std::vector<const SpeedRow*> rows;
  for (const SpeedRow& row : results.speed.rows) {
    if (!is_linear(row) || is_fallback(row)) continue;
    if (rows.empty() || layer_of(row) == layer_of(*rows.front())) rows.push_back(&row);
  }
  return rows;
}

std::vector<const SpeedRow*> at(const std::vector<const SpeedRow*>& rows, std::int64_t tokens) {
  std::vector<const SpeedRow*> found;
  for (const SpeedRow* row : rows) {
    if (tokens_of(*row) == tokens) found.push_back(row);
  }
  return found;
}

std::vector<const SpeedRow*> decode_attention(const Results& results) {
  std::vector<const SpeedRow*> rows;
  for (const SpeedRow& row : results.speed.rows) {
    if (!row.operation.starts_with("decode attention") || is_fallback(row)) continue;
    if (rows.empty() || row.operation == rows.front()->operation) rows.push_back(&row);
  }
  return rows;
}

std::string limit_of(const SpeedRow& row) {
  const double read = row.read_bandwidth_share, fma = row.fma_peak_share;
  const std::string name = std::max(read, fma) < kFarFromBoth ? "the kernel's own instructions"
                           : read >= fma                      ? "read bandwidth"
                                                              : "arithmetic";
  return fmt::format("{} ({:.0f} % of the bandwidth, {:.0f} % of the peak)", name, 100 * read,
                     100 * fma);
}

double intensity(const SpeedRow& row) {
  return static_cast<double>(row.cost.flops) / static_cast<double>(row.cost.bytes);
}

double gflops(const SpeedRow& row) {
  return static_cast<double>(row.cost.flops) / row.seconds.value * 1e-9;
}

/// The kinds of points of the roofline, with their names.
using Kinds = std::vector<std::pair<std::string, std::vector<const SpeedRow*>>>;

Chart roofline_chart(const Speed& speed, const Kinds& kinds) {
  const double bandwidth = speed.read_bytes_per_second * 1e-9;
  const double peak = speed.fma_flops_per_second * 1e-9;
  double low = peak / bandwidth, high = low;
  ChartPanel panel{.x = {.label = "operations for a byte moved, log scale", .log = true},
                   .y = {.label = "GFLOP/s, log scale", .log = true},
                   .height = 380};
  for (const auto& [name, rows] : kinds) {
    ChartPoints points{.name = name, .points = {}};
    for (const SpeedRow* row : rows) {
      low = std::min(low, intensity(*row));
      high = std::max(high, intensity(*row));
      points.points.push_back({intensity(*row), gflops(*row), row->name});
    }
    panel.points.push_back(points);
  }
  low /= 1.7;
  high *= 2;
  panel.x.low = low;
  panel.x.high = high;
  panel.lines = {
      {.name = "roof", .x = {low, peak / bandwidth, high}, .y = {bandwidth * low, peak, peak}}};
  return {.title = "Roofline of this run",
          .subtitle = "",
          .description = fmt::format(
              "Operations a second against operations a byte. The roof rises with {:.1f} GB/s of "
              "read bandwidth to {:.0f} GFLOP/s of multiply-adds, from {:.2g} operations a byte "
              "on. The table below has every point.",
              bandwidth, peak, peak / bandwidth),
          .panels = {panel}};
}

/// "; faster than FP16 at every M that was timed: int8; no faster: int4_g128 from M = 16 on"
std::string gains(const std::vector<Crossover>& crossovers) {
  std::string always, until;
  for (const Crossover& c : crossovers) {
    if (std::isinf(c.tokens.value)) {
      always += (always.empty() ? "" : ", ") + c.name;
    } else {
      until +=
          fmt::format("{}{} from M = {} on", until.empty() ? "" : ", ", c.name, c.tokens.value);
    }
  }
  return (always.empty() ? "" : "; faster than FP16 at every M that was timed: " + always) +
         (until.empty() ? "" : "; no faster: " + until);
}

}  // namespace

std::optional<HtmlFigure> roofline_figure(const Results& results) {
  const std::vector<const SpeedRow*> layer = first_layer(results);
  const auto attention = decode_attention(results);
  Kinds kinds;
  for (const std::int64_t M : {1, 256}) {
    if (!at(layer, M).empty()) {
      kinds.emplace_back(fmt::format("linear layer, M = {}", M), at(layer, M));
    }
  }
  if (!attention.empty()) kinds.emplace_back("decode attention", attention);
  if (kinds.empty()) return std::nullopt;

  HtmlFigure figure{
      .id = "roofline",
      .heading = fmt::format(
          "Roofline: what each operation reaches of {}",
          results.circumstances.gpu ? "the " + results.circumstances.gpu->device : "this machine"),
      .chart = roofline_chart(results.speed, kinds),
      .reading =
          fmt::format("Under the slope an operation waits for memory, under the flat roof for "
                      "arithmetic. The roof is of multiply-adds in {} and of reading from memory: "
                      "integer instructions can pass the flat part, cached data the slope.",
                      results.circumstances.gpu ? "FP16 on tensor cores" : "FP32"),
      .bottleneck = "",
      .table = {.caption = "Points of the roofline",
                .head = {"Operation", "Format", "Path", "Operations a byte", "GFLOP/s",
                         "Share of read bandwidth", "Share of multiply-add peak"},
                .rows = {},
                .words = 3}};
  for (const auto& [name, rows] : kinds) {
    for (const SpeedRow* row : rows) {
      figure.table.rows.push_back({row->operation, row->name, std::string(row->path_name()),
                                   number(intensity(*row)), number(gflops(*row)),
                                   fmt::format("{:.0f} %", 100 * row->read_bandwidth_share),
                                   fmt::format("{:.0f} %", 100 * row->fma_peak_share)});
    }
    figure.bottleneck += fmt::format("{} {}: {}", figure.bottleneck.empty() ? "for FP16," : ";",
                                     name, limit_of(*rows.front()));
  }
  figure.bottleneck += ".";
  return figure;
}

std::optional<HtmlFigure> latency_figure(const Results& results) {
  const std::vector<const SpeedRow*> layer = first_layer(results);
  if (layer.empty()) return std::nullopt;
  const SpeedRow& first = *layer.front();
  const double flops_of_a_token =
      static_cast<double>(first.cost.flops) / static_cast<double>(tokens_of(first));
  std::vector<ChartLine> lines;
  HtmlTable table{.caption = "Time of a call of " + layer_of(first),
                  .head = {"Format", "M", "ms", "Of FP16's time"},
                  .rows = {}};
  double most = 1;
  for (const SpeedRow* row : layer) {
    auto line = std::ranges::find(lines, row->name, &ChartLine::name);
    if (line == lines.end()) {
      if (lines.size() == kMostSeries) continue;
      line = lines.insert(lines.end(), {.name = row->name, .x = {}, .y = {}, .marks = true});
    }
    const auto tokens = static_cast<double>(tokens_of(*row));
    // Of a long call only a part of the columns is computed; the layer takes as much longer.
    const double scale = flops_of_a_token * tokens / static_cast<double>(row->cost.flops);
    line->x.push_back(tokens);
    line->y.push_back(1e3 * row->seconds.value * scale);
    most = std::max(most, tokens);
    const Interval ms{line->y.back(), 1e3 * row->seconds.low * scale,
                      1e3 * row->seconds.high * scale};
    table.rows.push_back({row->name, fmt::format("{}", tokens), with_interval(ms),
                          row->name == "fp16" ? "1" : with_interval(row->to_fp16)});
  }
  if (most == 1) return std::nullopt;  // one M is no curve
  std::ranges::stable_sort(table.rows, {}, [&](const std::vector<std::string>& row) {
    return std::ranges::find(lines, row[0], &ChartLine::name) - lines.begin();
  });

  const auto ends = [&](std::int64_t M) {
    std::string text;
    for (const SpeedRow* row : at(layer, M)) {
      if (row->name == "fp16") text += limit_of(*row);
    }
    return text;
  };
  const auto last = static_cast<std::int64_t>(most);
  return HtmlFigure{
      .id = "latency",
      .heading = "Latency against batch: a linear layer at M tokens",
      .chart = {.title = "Latency against batch",
                .subtitle = "",
                .description = fmt::format("Milliseconds of a call against the tokens in it, a "
                                           "line for each of {} formats. The table below has "
                                           "every point.",
                                           lines.size()),
                .panels = {{.x = {.label = "M, tokens of a call, log scale",
                                  .log = true,
                                  .low = 0.9,
                                  .high = 1.1 * most},
                            .y = {.label = "milliseconds, log scale", .log = true},
                            .lines = lines,
                            .height = 300}}},
      .reading = fmt::format("{}, in each format the kernel of this run. Where a call took long, a "
                             "part of its columns was timed and scaled to the layer. In brackets "
                             "95 % intervals.",
                             layer_of(first)),
      .bottleneck =
          fmt::format("for FP16 at M = {}, {}; at M = {}, {}{}.", tokens_of(first),
                      ends(tokens_of(first)), last, ends(last), gains(results.speed.crossovers)),
      .table = table};
}

}  // namespace qlab
