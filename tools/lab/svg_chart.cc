// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lays out a chart from top to bottom: title, then for each panel its heading, legend, labels of
/// markers, plot and ticks.
#include "lab/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/contract.h"
#include "lab/svg_axis.h"
#include "lab/svg_labels.h"

namespace qlab {
namespace {

// In units of the viewBox: at 390 pixels, the width of a phone, text of 15 is 10 pixels tall.
constexpr double kWidth = 560, kEdge = 12, kText = 15, kTitle = 18, kLine = 20;
constexpr double kBold = 1.15;          // how much wider its letters are
constexpr double kRight = kWidth - 26;  // of the plots; half a tick label hangs over

// Blue, vermilion, green and purple of Okabe and Ito, "Color Universal Design", 2008, dark enough for
// thin lines on white; lighter ones on black.
constexpr const char* kStyle =
    R"(text{font:15px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2328}
.t{font-size:18px;font-weight:600}.q{fill:#59636e}.bg{fill:#fff}
path{fill:none}.ax{stroke:#59636e}.gr{stroke:#d8dee4}
.l{stroke-width:2.2;stroke-linejoin:round}.d{stroke-width:5;stroke-linecap:round}.k{stroke-width:2}
.c0{stroke:#0072b2}.c1{stroke:#b84c00}.c2{stroke:#00795a}.c3{stroke:#9a3f86}.c4{stroke:#1f2328}.c5{stroke:#7a5c00}
.b{fill-opacity:.8}.f0{fill:#0072b2}.f1{fill:#b84c00}.f2{fill:#00795a}.f3{fill:#9a3f86}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9da7b3}.bg{fill:#0d1117}.ax{stroke:#9da7b3}.gr{stroke:#30363d}
.c0{stroke:#56b4e9}.c1{stroke:#ff9147}.c2{stroke:#3fd0a4}.c3{stroke:#e5a0d0}.c4{stroke:#e6edf3}.c5{stroke:#e3c04b}
.f0{fill:#56b4e9}.f1{fill:#ff9147}.f2{fill:#3fd0a4}.f3{fill:#e5a0d0}})";
constexpr const char* kDashes[] = {"none", "8 4", "2 3", "9 3 2 3", "5 5", "14 4"};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
};

/// Takes in what the axis can show of the values.
void widen(Range& range, const std::vector<double>& values, bool log) {
  for (const double value : values) {
    if (std::isinf(value) || (log && value <= 0)) continue;
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  }
}

SvgAxis y_axis(const ChartPanel& panel, double top) {
  Range range;
  for (const ChartBars& bars : panel.bars) widen(range, bars.heights, panel.y.log);
  for (const ChartLine& line : panel.lines) widen(range, line.y, panel.y.log);
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
  return {panel.x.log, panel.x.low.value_or(range.low), panel.x.high.value_or(range.high), left,
          kRight};
}

void check(const ChartPanel& panel) {
  const auto finite = [](const std::vector<double>& values) {
    return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
  };
  QLAB_CHECK(!panel.bars.empty() || !panel.lines.empty(), "svg_chart: a panel has no data");
  QLAB_CHECK(panel.bars.size() + panel.lines.size() <= 4, "svg_chart: '", panel.y.label,
             "' has more than 4 series; nobody could tell them apart");
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
  for (const ChartMarker& marker : panel.markers) {
    QLAB_CHECK(std::isfinite(marker.x), "svg_chart: marker '", marker.label, "' is at no place");
  }
}

/// Grows downwards.
class Drawing {
 public:
  explicit Drawing(const Chart& chart) {
    y_ = kEdge;
    paragraph(chart.title, "t", kTitle, true);
    paragraph(chart.subtitle, "q", kText);
    // All plots begin at the same place, behind the widest label of a y axis.
    for (const ChartPanel& panel : chart.panels) {
      check(panel);
      for (const SvgTick& tick : y_axis(panel, 0).ticks(kLine)) {
        left_ = std::max(left_, kEdge + text_width(tick.label, kText) + 8);
      }
    }
    for (const ChartPanel& panel : chart.panels) add(panel);
  }

  std::string finish(const Chart& chart) const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" role=\"img\" aria-labelledby=\"title desc\">\n"
        "<title id=\"title\">{2}</title>\n<desc id=\"desc\">{3}</desc>\n<style>{4}</style>\n"
        "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n{5}</svg>\n",
        kWidth, y_ + kEdge, xml_text(chart.title), xml_text(chart.description), kStyle, svg_);
  }

 private:
  void text(double x, double y, std::string_view words, const char* anchor = "start",
            const char* classes = "") {
    svg_ +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                    x, y, anchor, classes, xml_text(words));
  }

  void path(const std::string& classes, const std::string& data, const char* dashes = "none") {
    svg_ += fmt::format("<path class=\"{}\" stroke-dasharray=\"{}\" d=\"{}\"/>\n", classes, dashes,
                        data);
  }

  void paragraph(const std::string& words, const char* classes, double font_size,
                 bool bold = false) {
    for (const std::string& line :
         text_lines(words, bold ? kBold * font_size : font_size, kWidth - 2 * kEdge)) {
      y_ += font_size + 5;
      text(kEdge, y_ - 5, line, "start", classes);
    }
  }

  void add(const ChartPanel& panel) {
    y_ += 14;
    paragraph(panel.y.label, "", kText);
    y_ += 8;
    add_legend(panel);
    const SvgAxis x = x_axis(panel, left_);
    add_markers(panel, x);
    const SvgAxis y = y_axis(panel, y_);
    const double bottom = y_ + panel.height;
    for (const SvgTick& tick : y.ticks(kLine)) {
      path("gr", fmt::format("M{:.1f} {:.1f}H{:.1f}", left_, tick.position, kRight));
      text(left_ - 6, tick.position + 5, tick.label, "end", "q");
    }
    std::size_t series = 0;
    for (const ChartBars& bars : panel.bars) add_bars(bars, x, y, bottom, series++);
    for (const ChartLine& line : panel.lines) add_line(line, x, y, panel.y.log, series++);
    svg_ += marker_paths_;
    path("ax", fmt::format("M{:.1f} {:.1f}H{:.1f}", left_, bottom, kRight));
    y_ = bottom;
    if (panel.x.label.empty()) return;  // the panel below has the ticks
    for (const SvgTick& tick : x.ticks(64)) {
      path("ax", fmt::format("M{:.1f} {:.1f}v5", tick.position, bottom));
      text(tick.position, bottom + kLine, tick.label, "middle", "q");
    }
    y_ += 24;
    for (const std::string& line : text_lines(panel.x.label, kText, kRight - left_)) {
      y_ += kLine;
      text((left_ + kRight) / 2, y_ - 5, line, "middle");
    }
  }

  void add_legend(const ChartPanel& panel) {
    if (panel.bars.size() + panel.lines.size() < 2) return;
    std::size_t series = 0;
    double x = left_;
    y_ += kLine;
    const auto entry = [&](const std::string& series_name, bool bar) {
      const std::string name = shortened(series_name, kText, kWidth - kEdge - left_ - 34);
      const double width = 34 + text_width(name, kText);
      if (x > left_ && x + width > kWidth - kEdge) {
        x = left_;
        y_ += kLine;
      }
      const std::string at = fmt::format("M{:.1f} {:.1f}", x, y_ - 10);
      if (bar) {
        path(fmt::format("b f{}", series), at + "h24v8h-24z");
      } else {
        path(fmt::format("l c{}", series), at + "h24", kDashes[series]);
      }
      text(x + 30, y_ - 5, name);
      x += width + 14;
      ++series;
    };
    for (const ChartBars& bars : panel.bars) entry(bars.name, true);
    for (const ChartLine& line : panel.lines) entry(line.name, false);
  }

  /// The labels now, in lanes above the plot; the lines later, on top of the data. Their colours are
  /// the ones that series leave.
  void add_markers(const ChartPanel& panel, const SvgAxis& x) {
    marker_paths_.clear();
    std::vector<double> at, width;
    for (const ChartMarker& marker : panel.markers) {
      if (marker.label.empty()) continue;
      at.push_back(x.position(marker.x));
      width.push_back(text_width(marker.label, kText));
    }
    const std::vector<LabelPlace> places = place_labels(at, width, left_, kWidth - 4);
    int lanes = 0;
    for (const LabelPlace& place : places) lanes = std::max(lanes, place.lane + 1);
    y_ += lanes * kLine;
    auto place = places.begin();
    for (std::size_t i = 0; i < panel.markers.size(); ++i) {
      const ChartMarker& marker = panel.markers[i];
      const double here = x.position(marker.x);
      double top = y_;
      if (!marker.label.empty()) {
        top -= (place->lane + 1) * kLine - 4;
        text(here + (place->to_left ? -kLabelGap : kLabelGap), top + 12, marker.label,
             place->to_left ? "end" : "start");
        ++place;
      }
      const std::size_t color = (i + panel.bars.size() + panel.lines.size()) % 6;
      marker_paths_ += fmt::format(
          "<path class=\"k c{}\" stroke-dasharray=\"{}\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>\n", color,
          kDashes[i % 6], here, top, y_ + panel.height);
    }
  }

  void add_bars(const ChartBars& bars, const SvgAxis& x, const SvgAxis& y, double bottom,
                std::size_t series) {
    std::string data;
    for (std::size_t i = 0; i < bars.heights.size(); ++i) {
      if (bars.heights[i] <= y.low()) continue;
      data += fmt::format("M{:.1f} {:.1f}V{:.1f}H{:.1f}V{:.1f}z", x.position(bars.edges[i]), bottom,
                          y.position(bars.heights[i]), x.position(bars.edges[i + 1]), bottom);
    }
    path(fmt::format("b f{}", series), data);
  }

  /// Points with a neighbour are joined; one without is a dot.
  void add_line(const ChartLine& line, const SvgAxis& x, const SvgAxis& y, bool log,
                std::size_t series) {
    const auto shown = [&](std::size_t i) {
      return i < line.y.size() && std::isfinite(line.y[i]) && !(log && line.y[i] <= 0);
    };
    std::string joined, dots;
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      if (!shown(i)) continue;
      const std::string at =
          fmt::format("{:.1f} {:.1f}", x.position(line.x[i]), y.position(line.y[i]));
      const bool first = i == 0 || !shown(i - 1);
      if (first && !shown(i + 1)) {
        dots += "M" + at + "h0";
      } else {
        joined += (first ? "M" : "L") + at;
      }
    }
    if (!joined.empty()) path(fmt::format("l c{}", series), joined, kDashes[series]);
    if (!dots.empty()) path(fmt::format("d c{}", series), dots);
  }

  std::string svg_, marker_paths_;
  double y_ = 0, left_ = 0;
};

}  // namespace

std::string svg_chart(const Chart& chart) {
  QLAB_CHECK(!chart.panels.empty(), "svg_chart: '", chart.title, "' has no panels");
  return Drawing(chart).finish(chart);
}

}  // namespace qlab
