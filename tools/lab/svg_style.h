// SPDX-License-Identifier: Apache-2.0
/// \file
/// How charts look: their measures, the colours of light and dark, dashes and marks of series.
#pragma once

#include <cstddef>
#include <string>

namespace qlab {

// In units of the viewBox: at 390 pixels, the width of a phone, text of 15 is 10 pixels tall.
inline constexpr double kChartWidth = 560, kChartEdge = 12, kChartText = 15, kChartTitle = 18,
                        kChartLine = 20;
inline constexpr double kChartRight = kChartWidth - 26;  // of plots; half a tick label hangs over

/// Series that can be told apart in one panel, by colour and by dashes or mark.
inline constexpr std::size_t kMostSeries = 6;

inline constexpr const char* kDashes[kMostSeries] = {"none",    "8 4", "2 3",
                                                     "9 3 2 3", "5 5", "14 4"};

/// The style of every chart, for elements below one of class `chart` only.
std::string svg_style();

/// The outline of the mark of a series around (x, y), as path data: a disc, a square, a triangle, …
std::string mark_path(std::size_t series, double x, double y);

/// Half of what a mark takes in either direction.
inline constexpr double kMarkReach = 5;

}  // namespace qlab
