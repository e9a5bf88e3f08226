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
  constexpr int kLength = 70, kSplits = 3;
  Drawing d(
      "Splits of a context, and their merge",
      "A bar of 70 tokens cut into splits of 32, 32 and 6. Each gives a part, and arrows lead "
      "from all parts to one output.");
  constexpr double kLeft = 30, kToken = 7.1, kTall = 30;
  const int tiles = ((kLength + kSplits - 1) / kSplits + kSplitTile - 1) / kSplitTile;
  const double top = d.bottom() + 10, parts = top + kTall + 40, merged = parts + 84;
  for (int split = 0; split < kSplits; ++split) {
    const int begin = std::min(split * tiles * kSplitTile, kLength);
    const int end = std::min(begin + tiles * kSplitTile, kLength);
    const double x = kLeft + kToken * begin, wide = kToken * (end - begin);
    d.cell(x, top, wide, kTall, split % 2 == 0 ? Shade::kBlue : Shade::kGreen,
           end - begin < kSplitTile ? fmt::format("{}", end - begin)
                                    : fmt::format("{} tokens", end - begin));
    const double part = kLeft + 175.0 * split;
    d.arrow(x + wide / 2, top + kTall + 2, part + 70, parts - 2);
    d.cell(part, parts, 140, kTall, split % 2 == 0 ? Shade::kBlue : Shade::kGreen,
           fmt::format("m, l, o of split {}", split));
    d.arrow(part + 70, parts + kTall + 2, 280 + 30.0 * (split - 1), merged - 2);
  }
  d.cell(190, merged, 180, kTall, Shade::kOrange, "one output");
  d.paragraph(
      "Each split is a multiple of the 32 tokens that a warp takes at once, but for the last.");
  return d.svg();
}

}  // namespace qlab
