// SPDX-License-Identifier: Apache-2.0
/// \file
/// Checks a panel and finds the ranges of its axes.
#include "lab/svg_panel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/contract.h"
#include "lab/svg_style.h"

namespace qlab {
namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
};

/// Takes in the value if the axis can show it.
void widen(Range& range, double value, bool log) {
  if (std::isinf(value) || (log && value <= 0)) return;
  range.low = std::min(range.low, value);
  range.high = std::max(range.high, value);
}

void widen(Range& range, const std::vector<double>& values, bool log) {
  for (const double value : values) widen(range, value, log);
}

bool finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

void check_points(const ChartPoints& points) {
  QLAB_CHECK(!points.points.empty(), "svg_chart: '", points.name, "' has no points");
  for (const ChartPoint& p : points.points) {
    const double low = p.low.value_or(p.y), high = p.high.value_or(p.y);
    QLAB_CHECK(finite({p.x, p.y, low, high}), "svg_chart: point '", p.label,
               "' has a value that is not finite");
    QLAB_CHECK(low <= p.y && p.y <= high, "svg_chart: point '", p.label, "' at ", p.y,
               " is outside of its interval, ", low, " to ", high);
  }
}

}  // namespace

std::size_t series_of(const ChartPanel& panel) {
  return panel.bars.size() + panel.lines.size() + panel.points.size();
}

void check_panel(const ChartPanel& panel) {
  QLAB_CHECK(series_of(panel) > 0, "svg_chart: a panel has no data");
  QLAB_CHECK(panel.bars.size() <= 4 && series_of(panel) <= kMostSeries, "svg_chart: '",
             panel.y.label, "' has more than ", kMostSeries,
             " series or 4 of bars; nobody could tell them apart");
  for (const ChartBars& bars : panel.bars) {
    QLAB_CHECK(!bars.heights.empty() && bars.edges.size() == bars.heights.size() + 1,
               "svg_chart: '", bars.name, "' has ", bars.heights.size(), " bars and ",
               bars.edges.size(), " edges; there must be one edge more than bars");
    QLAB_CHECK(finite(bars.heights) && finite(bars.edges), "svg_chart: '", bars.name,
               "' has a value that is not finite");
  }
  for (const ChartLine& line : panel.lines) {
    QLAB_CHECK(!line.x.empty() && line.x.size() == line.y.size(), "svg_chart: '", line.name,
               "' has ", line.x.size(), " x and ", line.y.size(), " y");
    QLAB_CHECK(finite(line.x) &&
                   std::ranges::all_of(line.y, [](double y) { return std::isfinite(y) || y > 0; }),
               "svg_chart: '", line.name, "' has a value that is not finite");
  }
  for (const ChartPoints& points : panel.points) check_points(points);
  for (const ChartMarker& marker : panel.markers) {
    QLAB_CHECK(std::isfinite(marker.x), "svg_chart: marker '", marker.label, "' is at no place");
  }
}

SvgAxis y_axis(const ChartPanel& panel, double top) {
  Range range;
  for (const ChartBars& bars : panel.bars) widen(range, bars.heights, panel.y.log);
  for (const ChartLine& line : panel.lines) widen(range, line.y, panel.y.log);
  for (const ChartPoints& points : panel.points) {
    for (const ChartPoint& p : points.points) {
      for (const double y : {p.low.value_or(p.y), p.y, p.high.value_or(p.y)}) {
        widen(range, y, panel.y.log);
      }
    }
  }
  QLAB_CHECK(range.low <= range.high, "svg_chart: '", panel.y.label,
             "' has no value that its axis can show");
  // Bars stand on 0; a log axis has none and begins a little below the least.
  if (!panel.y.log) {
    if (!panel.bars.empty()) range.low = std::min(range.low, 0.0);
    range.high += (range.high - range.low) * 0.05 + (range.high == range.low ? 1 : 0);
  } else {
    range.low = round_below(range.low * 0.8);
    range.high = round_above(range.high * 1.02);
  }
  return {panel.y.log, panel.y.low.value_or(range.low), panel.y.high.value_or(range.high),
          top + panel.height, top};
}

SvgAxis x_axis(const ChartPanel& panel, double left) {
  Range range;
  for (const ChartBars& bars : panel.bars) widen(range, bars.edges, panel.x.log);
  for (const ChartLine& line : panel.lines) widen(range, line.x, panel.x.log);
  for (const ChartPoints& points : panel.points) {
    for (const ChartPoint& p : points.points) widen(range, p.x, panel.x.log);
  }
  return {panel.x.log, panel.x.low.value_or(range.low), panel.x.high.value_or(range.high), left,
          kChartRight};
}

}  // namespace qlab
