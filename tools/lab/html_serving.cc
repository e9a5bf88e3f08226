// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tail latency against load.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/html_charts.h"
#include "lab/report_text.h"
#include "lab/svg_style.h"

namespace qlab {
namespace {

/// The first formats of the sweep, as many as can be told apart.
std::vector<const ServingRow*> shown_rows(const ServingSweep& sweep) {
  std::vector<const ServingRow*> rows;
  for (const ServingRow& row : sweep.rows) {
    if (!row.points.empty() && rows.size() < kMostSeries) rows.push_back(&row);
  }
  return rows;
}

ChartPanel panel_of(const std::vector<const ServingRow*>& rows, const std::string& label,
                    Percentiles ServingPoint::*metric) {
  ChartPanel panel{.x = {.label = "requests a second, log scale", .log = true},
                   .y = {.label = label, .log = true},
                   .height = 210};
  double low = rows[0]->points[0].rate, high = low;
  for (const ServingRow* row : rows) {
    ChartLine line{.name = row->config, .x = {}, .y = {}, .marks = true};
    for (const ServingPoint& point : row->points) {
      if (!std::isfinite((point.*metric).p99)) continue;  // nothing came of these requests
      line.x.push_back(point.rate);
      line.y.push_back(1e3 * (point.*metric).p99);
      low = std::min(low, point.rate);
      high = std::max(high, point.rate);
    }
    const auto shown = [](double y) { return y > 0; };
    if (std::ranges::any_of(line.y, shown)) panel.lines.push_back(line);
  }
  panel.x.low = low * 0.9;
  panel.x.high = high * 1.1;
  return panel;
}

/// "8", "2.5", "593".
std::string short_number(double value) {
  return value < 1000 ? fmt::format("{:.3g}", value) : fmt::format("{:.0f}", value);
}

std::string milliseconds(double seconds) { return number(1e3 * seconds); }

/// How many times the 99th percentile grows from the lowest rate to the highest.
double growth(const ServingRow& row, Percentiles ServingPoint::*metric) {
  return (row.points.back().*metric).p99 / (row.points.front().*metric).p99;
}

std::string bottleneck(const ServingRow& row) {
  const ServingPoint &first = row.points.front(), &last = row.points.back();
  if (row.points.size() == 1 || first.tpot.p99 <= 0 || first.ttft.p99 <= 0) {
    return fmt::format("at a rate of {} a second, {} uses {:.0f} % of what it can do.",
                       short_number(first.rate), row.config, 100 * first.utilisation);
  }
  const double ttft = growth(row, &ServingPoint::ttft), tpot = growth(row, &ServingPoint::tpot);
  const std::string what = last.utilisation >= 1 ? "the server's capacity, so that requests queue"
                           : ttft > tpot         ? "waiting for the first step"
                                                 : "the step, which grows with its batch";
  return fmt::format(
      "{}; from {} to {} requests a second ({:.0f} % to {:.0f} % of what it can do) the p99 of {} "
      "grows {} times to the first token and {} times between tokens.",
      what, short_number(first.rate), short_number(last.rate), 100 * first.utilisation,
      100 * last.utilisation, row.config, short_number(ttft), short_number(tpot));
}

}  // namespace

std::optional<HtmlFigure> serving_figure(const ServingSweep& sweep, std::size_t number_of_sweep) {
  const std::vector<const ServingRow*> rows = shown_rows(sweep);
  if (rows.empty()) return std::nullopt;
  HtmlTable table{
      .caption = fmt::format("Tail latency of {} on {}", sweep.model, sweep.machine),
      .head = {"Format", "Requests a second", "Share of its capacity", "p99 TTFT, ms",
               "p99 TPOT, ms", "p50 TTFT, ms", "p50 TPOT, ms", "Requests in time, a second",
               "Tokens a second", "Batch", "Cache in use", "Preemptions"},
      .rows = {}};
  std::size_t formats = 0;
  for (const ServingRow& row : sweep.rows) {  // those without a line too
    formats += row.points.empty() ? 0 : 1;
    for (const ServingPoint& p : row.points) {
      table.rows.push_back(
          {row.config, short_number(p.rate), fmt::format("{:.0f} %", 100 * p.utilisation),
           milliseconds(p.ttft.p99), milliseconds(p.tpot.p99), milliseconds(p.ttft.p50),
           milliseconds(p.tpot.p50), number(p.goodput), number(p.tokens_per_second),
           number(p.batch), fmt::format("{:.0f} %", 100 * p.kv_used),
           fmt::format("{}", p.preemptions)});
    }
  }
  std::vector<ChartPanel> panels = {
      panel_of(rows, "p99 time to first token, ms, log scale", &ServingPoint::ttft),
      panel_of(rows, "p99 time of an output token, ms, log scale", &ServingPoint::tpot)};
  std::erase_if(panels, [](const ChartPanel& panel) { return panel.lines.empty(); });
  if (panels.empty()) return std::nullopt;
  for (std::size_t i = 0; i + 1 < panels.size(); ++i) panels[i].x.label = "";  // the last has it
  return HtmlFigure{
      .id = fmt::format("serving-{}", number_of_sweep),
      .heading = fmt::format("Tail latency against load: {}, {}", sweep.model, sweep.machine),
      .chart = {.title = fmt::format("Tail latency of {} on {}", sweep.model, sweep.machine),
                .subtitle = "",
                .description = fmt::format(
                    "Two panels against the rate of requests, a line for each of {} formats: the "
                    "99th percentile of the time to the first token, and of the time of each "
                    "token behind it. The table below has every point.",
                    rows.size()),
                .panels = panels},
      .reading = fmt::format(
          "{} requests, in every format the same at the same times{}. In time is a "
          "request with its "
          "first token within {} ms and the others within {} ms each.{}",
          sweep.requests,
          sweep.modelled ? "; times come from the cost model, not from a clock" : "",
          short_number(1e3 * sweep.ttft_goal), short_number(1e3 * sweep.tpot_goal),
          formats > rows.size()
              ? fmt::format(" Lines are the first {} of {} formats.", rows.size(), formats)
              : ""),
      .bottleneck = bottleneck(*rows.front()),
      .table = table};
}

std::vector<HtmlFigure> html_figures(const Results& results) {
  std::vector<HtmlFigure> figures;
  const auto add = [&](std::optional<HtmlFigure> figure) {
    if (figure) figures.push_back(std::move(*figure));
  };
  add(roofline_figure(results));
  add(quality_figure(results));
  add(latency_figure(results));
  for (std::size_t i = 0; i < results.serving.size(); ++i) {
    add(serving_figure(results.serving[i], i + 1));
  }
  add(recall_figure(results));
  return figures;
}

}  // namespace qlab
