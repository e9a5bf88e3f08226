// SPDX-License-Identifier: Apache-2.0
/// \file
/// The plots of the HTML report, each with its numbers and a sentence on what limits them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/html_text.h"
#include "lab/results.h"
#include "lab/svg_chart.h"

namespace qlab {

struct HtmlFigure {
  std::string id;       ///< an anchor of the page
  std::string heading;  ///< what is plotted against what
  Chart chart;
  std::string reading;     ///< how to read it, and what was left out
  std::string bottleneck;  ///< what limits these numbers, in a sentence
  HtmlTable table;         ///< every number of the chart
};

/// Those that the run has numbers for, in the order of the page.
std::vector<HtmlFigure> html_figures(const Results& results);

/// Operations under the roof that read bandwidth and multiply-add peak make.
std::optional<HtmlFigure> roofline_figure(const Results& results);
/// Time of a linear layer against the tokens of a call.
std::optional<HtmlFigure> latency_figure(const Results& results);
/// Divergence from FP16 against bits a weight.
std::optional<HtmlFigure> quality_figure(const Results& results);
/// Recall against bits of the cache.
std::optional<HtmlFigure> recall_figure(const Results& results);
/// Tail latency against the rate of requests; `number` tells sweeps apart.
std::optional<HtmlFigure> serving_figure(const ServingSweep& sweep, std::size_t number);

}  // namespace qlab
