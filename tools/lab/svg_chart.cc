// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lays out a chart from top to bottom: title, then for each panel its heading, legend, labels of
/// markers, plot and ticks.
#include "lab/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/contract.h"
#include "lab/svg_labels.h"
#include "lab/svg_panel.h"
#include "lab/svg_points.h"
#include "lab/svg_style.h"

namespace qlab {
namespace {

constexpr double kBold = 1.15;  // how much wider its letters are

/// Grows downwards.
class Drawing {
 public:
  Drawing(const Chart& chart, bool titled) {
    y_ = titled ? kChartEdge : 0;
    if (titled) {
      paragraph(chart.title, "t", kChartTitle, true);
      paragraph(chart.subtitle, "q", kChartText);
    }
    // All plots begin at the same place, behind the widest label of a y axis.
    for (const ChartPanel& panel : chart.panels) {
      check_panel(panel);
      for (const SvgTick& tick : y_axis(panel, 0).ticks(kChartLine)) {
        left_ = std::max(left_, kChartEdge + text_width(tick.label, kChartText) + 8);
      }
    }
    for (const ChartPanel& panel : chart.panels) add(panel);
  }

  /// `prefix`: of the ids. `style`: nothing where the page has it.
  std::string finish(const Chart& chart, std::string_view prefix, const std::string& style) const {
    return fmt::format(
        "<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\" "
        "aria-labelledby=\"{6}title {6}desc\">\n"
        "<title id=\"{6}title\">{2}</title>\n<desc id=\"{6}desc\">{3}</desc>\n{4}"
        "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n{5}</svg>\n",
        kChartWidth, y_ + kChartEdge, xml_text(chart.title), xml_text(chart.description),
        style.empty() ? "" : "<style>" + style + "</style>\n", svg_, prefix);
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
         text_lines(words, bold ? kBold * font_size : font_size, kChartWidth - 2 * kChartEdge)) {
      y_ += font_size + 5;
      text(kChartEdge, y_ - 5, line, "start", classes);
    }
  }

  void add(const ChartPanel& panel) {
    y_ += 14;
    paragraph(panel.y.label, "", kChartText);
    y_ += 8;
    add_legend(panel);
    const SvgAxis x = x_axis(panel, left_);
    add_markers(panel, x);
    const SvgAxis y = y_axis(panel, y_);
    const double bottom = y_ + panel.height;
    for (const SvgTick& tick : y.ticks(kChartLine)) {
      path("gr", fmt::format("M{:.1f} {:.1f}H{:.1f}", left_, tick.position, kChartRight));
      text(left_ - 6, tick.position + 5, tick.label, "end", "q");
    }
    std::size_t series = 0;
    for (const ChartBars& bars : panel.bars) add_bars(bars, x, y, bottom, series++);
    for (const ChartLine& line : panel.lines) add_line(line, x, y, panel.y.log, series++);
    for (const ChartPoints& points : panel.points) add_marks(points, x, y, panel, series++);
    const std::string key = add_point_labels(panel, x, y);
    svg_ += marker_paths_;
    path("ax", fmt::format("M{:.1f} {:.1f}H{:.1f}", left_, bottom, kChartRight));
    y_ = bottom;
    if (panel.x.label.empty()) return;  // the panel below has the ticks
    for (const SvgTick& tick : x.ticks(64)) {
      path("ax", fmt::format("M{:.1f} {:.1f}v5", tick.position, bottom));
      text(tick.position, bottom + kChartLine, tick.label, "middle", "q");
    }
    y_ += 24;
    for (const std::string& line : text_lines(panel.x.label, kChartText, kChartRight - left_)) {
      y_ += kChartLine;
      text((left_ + kChartRight) / 2, y_ - 5, line, "middle");
    }
    paragraph(key, "q", kChartText);
  }

  void add_legend(const ChartPanel& panel) {
    if (series_of(panel) < 2) return;
    std::size_t series = 0;
    double x = left_;
    y_ += kChartLine;
    enum class Kind { kBar, kLine, kMarkedLine, kPoints };
    const auto entry = [&](const std::string& series_name, Kind kind) {
      const std::string name =
          shortened(series_name, kChartText, kChartWidth - kChartEdge - left_ - 34);
      const double width = 34 + text_width(name, kChartText);
      if (x > left_ && x + width > kChartWidth - kChartEdge) {
        x = left_;
        y_ += kChartLine;
      }
      const std::string at = fmt::format("M{:.1f} {:.1f}", x, y_ - 10);
      if (kind == Kind::kBar) path(fmt::format("b f{}", series), at + "h24v8h-24z");
      if (kind == Kind::kLine || kind == Kind::kMarkedLine) {
        path(fmt::format("l c{}", series), at + "h24", kDashes[series]);
      }
      if (kind == Kind::kPoints || kind == Kind::kMarkedLine) {
        path(fmt::format("m f{}", series), mark_path(series, x + 12, y_ - 10));
      }
      text(x + 30, y_ - 5, name);
      x += width + 14;
      ++series;
    };
    for (const ChartBars& bars : panel.bars) entry(bars.name, Kind::kBar);
    for (const ChartLine& line : panel.lines) {
      entry(line.name, line.marks ? Kind::kMarkedLine : Kind::kLine);
    }
    for (const ChartPoints& points : panel.points) entry(points.name, Kind::kPoints);
  }

  /// The labels now, in lanes above the plot; the lines later, on top of the data. Their colours are
  /// the ones that series leave.
  void add_markers(const ChartPanel& panel, const SvgAxis& x) {
    marker_paths_.clear();
    std::vector<double> at, width;
    for (const ChartMarker& marker : panel.markers) {
      if (marker.label.empty()) continue;
      at.push_back(x.position(marker.x));
      width.push_back(text_width(marker.label, kChartText));
    }
    const std::vector<LabelPlace> places = place_labels(at, width, left_, kChartWidth - 4);
    int lanes = 0;
    for (const LabelPlace& place : places) lanes = std::max(lanes, place.lane + 1);
    y_ += lanes * kChartLine;
    auto place = places.begin();
    for (std::size_t i = 0; i < panel.markers.size(); ++i) {
      const ChartMarker& marker = panel.markers[i];
      const double here = x.position(marker.x);
      double top = y_;
      if (!marker.label.empty()) {
        top -= (place->lane + 1) * kChartLine - 4;
        text(here + (place->to_left ? -kLabelGap : kLabelGap), top + 12, marker.label,
             place->to_left ? "end" : "start");
        ++place;
      }
      const std::size_t color = (i + series_of(panel)) % kMostSeries;
      marker_paths_ += fmt::format(
          "<path class=\"k c{}\" stroke-dasharray=\"{}\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>\n", color,
          kDashes[i % kMostSeries], here, top, y_ + panel.height);
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
    std::string joined, dots, marks;
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      if (!shown(i)) continue;
      const double here_x = x.position(line.x[i]), here_y = y.position(line.y[i]);
      const std::string at = fmt::format("{:.1f} {:.1f}", here_x, here_y);
      if (line.marks) marks += mark_path(series, here_x, here_y);
      const bool first = i == 0 || !shown(i - 1);
      if (first && !shown(i + 1)) {
        dots += "M" + at + "h0";
      } else {
        joined += (first ? "M" : "L") + at;
      }
    }
    if (!joined.empty()) path(fmt::format("l c{}", series), joined, kDashes[series]);
    if (!dots.empty()) path(fmt::format("d c{}", series), dots);
    if (!marks.empty()) path(fmt::format("m f{}", series), marks);
  }

  /// Marks, and intervals behind them.
  void add_marks(const ChartPoints& points, const SvgAxis& x, const SvgAxis& y,
                 const ChartPanel& panel, std::size_t series) {
    std::string intervals, marks;
    for (const ChartPoint& p : points.points) {
      if (!can_show(p, panel)) continue;
      const double here = x.position(p.x);
      if (p.low && p.high) {
        intervals +=
            fmt::format("M{:.1f} {:.1f}V{:.1f}", here, y.position(*p.low), y.position(*p.high));
      }
      marks += mark_path(series, here, y.position(p.y));
    }
    if (!intervals.empty()) path(fmt::format("l c{}", series), intervals);
    if (!marks.empty()) path(fmt::format("m f{}", series), marks);
  }

  static bool can_show(const ChartPoint& p, const ChartPanel& panel) {
    return !(panel.x.log && p.x <= 0) && !(panel.y.log && p.y <= 0);
  }

  /// Names beside their points; returns what stands below the plot: those that found no room.
  std::string add_point_labels(const ChartPanel& panel, const SvgAxis& x, const SvgAxis& y) {
    std::vector<LabelledPoint> points;
    std::vector<std::string> names;
    std::vector<SvgSegment> lines;
    for (std::size_t kind = 0; kind < panel.points.size(); ++kind) {
      for (const ChartPoint& p : panel.points[kind].points) {
        if (!can_show(p, panel)) continue;
        const double here = x.position(p.x);
        points.push_back({here, y.position(p.y), text_width(p.label, kChartText), kind});
        names.push_back(p.label);
        if (p.low && p.high) lines.push_back({here, y.position(*p.low), here, y.position(*p.high)});
      }
    }
    for (const ChartLine& line : panel.lines) {
      for (std::size_t i = 1; i < line.x.size(); ++i) {
        lines.push_back({x.position(line.x[i - 1]), y.position(line.y[i - 1]),
                         x.position(line.x[i]), y.position(line.y[i])});
      }
    }
    const SvgBox plot{left_ + 2, y_ + 2, kChartWidth - 4, y_ + panel.height - 2};
    const LabelledNames placed = place_or_number(points, names, plot, lines);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto& place = placed.places[i];
      if (!place) continue;
      if (const auto& l = place->leader) {
        path("e", fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", l->x0, l->y0, l->x1, l->y1));
      }
      text(place->x, place->y, placed.names[i], place->anchor, "p");
    }
    return placed.key;
  }

  std::string svg_, marker_paths_;
  double y_ = 0, left_ = 0;
};

}  // namespace

std::string svg_chart(const Chart& chart) {
  QLAB_CHECK(!chart.panels.empty(), "svg_chart: '", chart.title, "' has no panels");
  return Drawing(chart, /*titled=*/true).finish(chart, "", svg_style());
}

std::string svg_figure(const Chart& chart, std::string_view id) {
  QLAB_CHECK(!chart.panels.empty(), "svg_figure: '", chart.title, "' has no panels");
  return Drawing(chart, /*titled=*/false).finish(chart, fmt::format("{}-", id), "");
}

}  // namespace qlab
