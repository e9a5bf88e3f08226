// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text in a chart: as XML, in lines that fit, and lanes for the labels of markers, so that none covers
/// another, nor the line of another marker.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// About what `text` takes in a sans-serif font, rather more than less.
double text_width(std::string_view text, double font_size);

/// `text` as XML has it.
std::string xml_text(std::string_view text);

/// `text`, its end cut off if it is wider than `width`.
std::string shortened(std::string text, double font_size, double width);

/// `text` in lines of at most `width`; a word that is too long for one is shortened.
std::vector<std::string> text_lines(const std::string& text, double font_size, double width);

struct LabelPlace {
  int lane;      ///< 0 is next to the plot
  bool to_left;  ///< it ends at its marker, instead of beginning there
};

/// The best places for labels of these widths at these x: between `left` and `right`, free of each
/// other, in as few lanes as it takes. A marker's line rises to the lane of its label.
/// Six markers at most; every label must fit in somewhere.
std::vector<LabelPlace> place_labels(const std::vector<double>& x, const std::vector<double>& width,
                                     double left, double right);

/// The distance from a marker to its label, and the least one between two labels.
inline constexpr double kLabelGap = 4;

}  // namespace qlab
