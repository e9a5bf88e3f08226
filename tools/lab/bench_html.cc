// SPDX-License-Identifier: Apache-2.0
/// \file
/// The page of `lab bench --html FILE`, of the same parts as that of `lab compare`.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "lab/bench_results.h"
#include "lab/html_report.h"
#include "lab/html_text.h"
#include "lab/report_text.h"
#include "lab/svg_chart.h"

namespace qlab {
namespace {

double intensity(const BenchRow& row) {
  return static_cast<double>(row.cost.flops) / static_cast<double>(row.cost.bytes);
}

Chart roofline(const BenchResults& results) {
  const double memory = 1e-9 * results.memory_bytes_per_second, peak = 1e-9 * roof_of(results);
  double low = peak / memory, high = low;
  ChartPoints points{.name = "rungs", .points = {}};
  for (const BenchTable& table : results.tables) {
    for (const BenchRow& row : table.rows) {
      low = std::min(low, intensity(row));
      high = std::max(high, intensity(row));
      const std::string label = table.label.empty() ? row.rung : table.label + " " + row.rung;
      points.points.push_back({intensity(row), 1e-9 * row.ops_per_second(), label});
    }
  }
  low /= 1.7;
  high *= 2;
  return {.title = "Roofline of this run",
          .subtitle = "",
          .description = fmt::format(
              "Operations a second against operations a byte. The roof rises with {:.1f} GB/s of "
              "reads from memory to {:.0f} billion operations a second. The tables below have "
              "every point.",
              memory, peak),
          .panels = {{.x = {"operations for a byte moved, log scale", true, low, high},
                      .y = {.label = "billions of operations a second, log scale", .log = true},
                      .lines = {{.name = "roof",
                                 .x = {low, peak / memory, high},
                                 .y = {memory * low, peak, peak}}},
                      .points = {points},
                      .height = 380}}};
}

HtmlTable ceilings(const BenchResults& results) {
  HtmlTable html{
      .caption = "Ceilings, measured in this run",
      .head = {"Unit", "Instruction", "Billions a second", "A cycle"},
      .rows = {{"read memory", "bytes", number(1e-9 * results.memory_bytes_per_second), "-"}},
      .words = 2};
  for (const Peak& peak : results.peaks) {
    const char* const kind = peak.products == Products::kFloat ? "float" : "int8";
    html.rows.push_back({fmt::format("{} {}{}", kind, peak.level,
                                     peak.doubt.empty() ? "" : " (doubtful: " + peak.doubt + ")"),
                         std::string(peak.instruction), number(1e-9 * peak.ops_per_second),
                         fmt::format("{:.0f}", peak.ops_per_cycle)});
  }
  return html;
}

HtmlTable rungs(const BenchTable& table) {
  HtmlTable html{.caption = table.title(),
                 .head = {"Rung", "Path", "Bound", "Milliseconds", "Faster than the rung before",
                          "Share of the roofline", "Bytes", "Operations"},
                 .rows = {},
                 .words = 3};
  for (const BenchRow& row : table.rows) {
    const Interval ms{1e3 * row.seconds.value, 1e3 * row.seconds.low, 1e3 * row.seconds.high};
    html.rows.push_back({row.rung, row.yours ? "yours" : std::string(isa_name(row.path)),
                         row.bound(), with_interval(ms),
                         row.speedup ? with_interval(*row.speedup) : "-",
                         fmt::format("{:.1f} %", 100 * row.share),
                         fmt::format("{}", row.cost.bytes), fmt::format("{}", row.cost.flops)});
  }
  return html;
}

std::string head(const BenchResults& results) {
  // The policy makes a browser refuse whatever the page might ask for from elsewhere.
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'; img-src data:\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
         "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
         "<link rel=\"icon\" href=\"data:,\"/>\n" +
         html_element("title", "Quantization Lab: a ladder, measured " + results.date) +
         "<style>\n" + html_style() + "</style>\n</head>\n";
}

}  // namespace

std::string bench_html(const BenchResults& results) {
  std::string html =
      head(results) + "<body>\n<header>\n" +
      html_element("h1", results.tables.front().operation + ", rung by rung") +
      html_element("p", fmt::format("{}, {} {}, kernels up to {}, {}", results.cpu, results.threads,
                                    results.threads == 1 ? "thread" : "threads",
                                    isa_name(results.isa), results.date)) +
      "</header>\n<main id=\"main\">\n<section>\n<h2>Roofline</h2>\n<figure>\n" +
      svg_figure(roofline(results), "roofline") + "</figure>\n" +
      html_table(ceilings(results), "ceilings") + "</section>\n<section>\n<h2>Rungs</h2>\n";
  for (std::size_t i = 0; i < results.tables.size(); ++i) {
    html += html_table(rungs(results.tables[i]), fmt::format("rungs-{}", i));
    for (const std::string& note : results.tables[i].notes) html += html_element("p", note);
  }
  for (const std::string& remark : results.remarks) html += html_element("p", remark);
  return html + "</section>\n</main>\n<footer>\n" +
         html_element("p", fmt::format("Written by Quantization Lab {}.", QLAB_VERSION)) +
         "</footer>\n</body>\n</html>\n";
}

}  // namespace qlab
