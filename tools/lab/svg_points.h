// SPDX-License-Identifier: Apache-2.0
/// \file
/// Places for the labels of points: free of each other and of every mark, near their own.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace qlab {

struct SvgBox {
  double left, top, right, bottom;
};

struct SvgSegment {
  double x0, y0, x1, y1;
};

/// A point of the picture, and the width of its label; 0 for one that has none.
struct LabelledPoint {
  double x, y, width;
  std::size_t kind = 0;
};

struct PointLabelPlace {
  double x, y;         ///< of the text's anchor, on its baseline
  const char* anchor;  ///< "start", "middle" or "end", whatever is near the point
  std::optional<SvgSegment>
      leader;  ///< from the mark to the text, where the text is not next to it
};

/// Of each label its place, or nothing where there is no room. Labels stay within `plot`, cover no
/// mark and no other label, no leader runs through a label or another leader; lines in `segments`
/// are kept clear where that is possible.
std::vector<std::optional<PointLabelPlace>> place_point_labels(
    const std::vector<LabelledPoint>& points, const SvgBox& plot,
    const std::vector<SvgSegment>& segments);

struct LabelledNames {
  std::vector<std::string> names;  ///< what stands beside each point: its name, or a number
  std::vector<std::optional<PointLabelPlace>> places;
  /// "1 int8, 2 int8_llm": the names of the numbers, and those that not even a number could stand
  /// for. Empty if all found room.
  std::string key;
};

/// The same, for names; one that finds no room gives it to a number. Points of one `kind` whose
/// marks cover each other share a name, "int8, int8_smooth", as long as it stays short.
LabelledNames place_or_number(std::vector<LabelledPoint> points, std::vector<std::string> names,
                              const SvgBox& plot, const std::vector<SvgSegment>& segments);

}  // namespace qlab
