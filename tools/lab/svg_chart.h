// SPDX-License-Identifier: Apache-2.0
/// \file
/// svg_chart: a chart as an SVG file that needs nothing else, readable in light and dark, on a
/// phone and on paper.
///
/// Nothing depends on colour alone: lines differ in their dashes too, points in their marks, and a
/// marker has its label at its own line. Text is text, in whatever font the reader has.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlab {

struct ChartAxis {
  std::string label;
  bool log = false;
  std::optional<double> low = {}, high = {};  ///< without them, what the data needs
};

/// Points in the order in which they are joined. A y of +∞ interrupts the line.
struct ChartLine {
  std::string name;
  std::vector<double> x, y;
  bool marks = false;  ///< a mark at every point
};

/// A point with its name beside it, if it has one, and its interval as a vertical line, if it has
/// one.
struct ChartPoint {
  double x, y;
  std::string label = {};
  std::optional<double> low = {}, high = {};  ///< of y
};

/// Points of one kind: they have one mark and are not joined.
struct ChartPoints {
  std::string name;
  std::vector<ChartPoint> points;
};

/// Bar i stands over [edges[i], edges[i + 1]] and is heights[i] tall.
struct ChartBars {
  std::string name;
  std::vector<double> edges, heights;
};

/// A vertical line with its label above the plot, if it has one.
struct ChartMarker {
  double x;
  std::string label;
};

/// One pair of axes. A log axis leaves out what is not above 0. Two or more series get a legend,
/// six are the most. The label of a point that has no room in the plot gets a number there, and
/// stands below.
struct ChartPanel {
  ChartAxis x, y;
  std::vector<ChartBars> bars = {};
  std::vector<ChartLine> lines = {};
  std::vector<ChartPoints> points = {};
  std::vector<ChartMarker> markers = {};  ///< six at most
  double height = 200;                    ///< of the plot itself, in the units of the viewBox
};

/// Panels stand below each other.
struct Chart {
  std::string title, subtitle;
  std::string description;  ///< for somebody who cannot see it
  std::vector<ChartPanel> panels;
};

/// \throws ContractError for a chart without panels, a panel without data (or without any that its
///         axes can show), NaN, an infinity other than a line's +∞ in y, sizes that differ.
std::string svg_chart(const Chart& chart);

/// The same as a part of an HTML page that holds svg_style() once: ids begin with `id`, and the
/// title is there for screen readers only, as the page has a heading for it.
std::string svg_figure(const Chart& chart, std::string_view id);

}  // namespace qlab
