// SPDX-License-Identifier: Apache-2.0
/// \file
/// One panel of a chart: what it refuses, and the axes that its data needs.
#pragma once

#include "lab/svg_axis.h"
#include "lab/svg_chart.h"

namespace qlab {

/// \throws ContractError for what svg_chart refuses in a panel.
void check_panel(const ChartPanel& panel);

/// Series in the order of their colours: bars, lines, points.
std::size_t series_of(const ChartPanel& panel);

/// From `left` to the right end of plots.
SvgAxis x_axis(const ChartPanel& panel, double left);

/// From `top` + height to `top`.
SvgAxis y_axis(const ChartPanel& panel, double top);

}  // namespace qlab
