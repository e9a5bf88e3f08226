// SPDX-License-Identifier: Apache-2.0
/// \file
/// The picture of what a cache of few bits forgets.
#include <fmt/format.h>

#include <cmath>

#include "common/contract.h"
#include "lab/plot.h"
#include "lab/svg_chart.h"

namespace qlab {
namespace {

void add_line(const std::string& name, const std::vector<RecallPoint>& points, ChartPanel& panel) {
  QLAB_CHECK(!points.empty(), "plot: no recall of ", name, "; give at least one format");
  ChartLine line{.name = name, .x = {}, .y = {}};
  for (const RecallPoint& p : points) {
    QLAB_CHECK(std::isfinite(p.bits) && std::isfinite(p.recall) && std::isfinite(p.low) &&
                   std::isfinite(p.high),
               "plot: recall ", p.recall, " at ", p.bits, " bits is not finite");
    line.x.push_back(p.bits);
    line.y.push_back(100 * p.recall);
  }
  panel.lines.push_back(line);
}

std::string in_words(const std::vector<RecallPoint>& points) {
  std::string text;
  for (const RecallPoint& p : points) {
    text += fmt::format("{}{:.3g} bits: {:.0f} % [{:.0f}, {:.0f}]", text.empty() ? "" : ", ",
                        p.bits, 100 * p.recall, 100 * p.low, 100 * p.high);
  }
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> recall_plot(const std::vector<RecallPoint>& token,
                                                             const std::vector<RecallPoint>& kivi) {
  ChartPanel panel{.x = {.label = "bits a value of K or V, scales included", .low = 2, .high = 17},
                   .y = {.label = "recall, %", .low = 0, .high = 105},
                   .height = 260};
  add_line("scales of a token", token, panel);
  add_line("KIVI: K by channel", kivi, panel);
  const Chart chart{.title = "What a cache of few bits forgets",
                    .subtitle = "recall from far back in the context, the tiny model",
                    .description = fmt::format("Recall against bits. Scales of a token: {}. KIVI: "
                                               "{}. In brackets 95 % intervals.",
                                               in_words(token), in_words(kivi)),
                    .panels = {panel}};
  return {{"recall.svg", svg_chart(chart)}};
}

}  // namespace qlab
