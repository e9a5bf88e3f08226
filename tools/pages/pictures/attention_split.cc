// SPDX-License-Identifier: Apache-2.0
/// \file
/// A context cut into splits, and their parts merged.
#include <fmt/format.h>

#include <algorithm>

#include "04_kv_cache/attention_decode_split.h"
#include "pages/drawing.h"
#include "pages/pictures/lab04.h"

namespace qlab {

std::string picture_attention_decode_split() {
  constexpr int kLength = 70, kSplits = 4;
  Drawing d(
      "Splits of a context, and their merge",
      "A bar of 70 tokens cut into splits of 32, 32, 6 and none. Each gives a part, the empty one "
      "with the largest score -∞, and arrows lead from all parts to one output.");
  constexpr double kLeft = 30, kToken = 500.0 / kLength, kTall = 30, kPart = 116, kApart = 128;
  // The rule of the solution, which is device code and cannot be called here.
  const int tiles = ((kLength + kSplits - 1) / kSplits + kSplitTile - 1) / kSplitTile;
  const double top = d.bottom() + 10, parts = top + kTall + 40, merged = parts + 84;
  for (int split = 0; split < kSplits; ++split) {
    const int begin = std::min(split * tiles * kSplitTile, kLength);
    const int end = std::min(begin + tiles * kSplitTile, kLength);
    const Shade shade = begin == end ? Shade::kGrey : split % 2 == 0 ? Shade::kBlue : Shade::kGreen;
    const double x = kLeft + kToken * begin, wide = kToken * (end - begin);
    const double part = kLeft + kApart * split, middle = part + kPart / 2;
    if (end > begin) {
      d.cell(x, top, wide, kTall, shade,
             end - begin < kSplitTile ? fmt::format("{}", end - begin)
                                      : fmt::format("{} tokens", end - begin));
      d.arrow(x + wide / 2, top + kTall + 2, middle, parts - 2);
    }
    d.cell(part, parts, kPart, kTall, shade,
           begin == end ? "m = -∞, l = 0" : fmt::format("m, l, o of {}", split));
    d.arrow(middle, parts + kTall + 2, 280 + 30.0 * (split - 1.5), merged - 2);
  }
  d.cell(190, merged, 180, kTall, Shade::kOrange, "one output");
  d.gap(4);
  d.paragraph(
      "A split is a whole number of tiles of 32 tokens. The last one with tokens is shorter; grey: "
      "nothing was left for it, and it says so.");
  return d.svg();
}

}  // namespace qlab
