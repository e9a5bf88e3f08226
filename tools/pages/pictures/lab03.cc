// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 03.
#include <fmt/format.h>

#include "03_int4_weight_only/int4_weights.h"
#include "pages/drawing.h"
#include "pages/pictures.h"

namespace qlab {
namespace {

/// Rows of weights, cut into the groups that int4_groups counts.
std::string rtn_group() {
  constexpr std::int64_t kN = 2, kK = 10, kGroupSize = 4;
  Drawing d("Groups along K",
            "Two rows of ten weights. Each row is cut into groups of four, the last one of two; "
            "every group has a scale and a zero point of its own.");
  constexpr double kLeft = 70, kCell = 44, kTall = 30;
  constexpr Shade kShades[] = {Shade::kBlue, Shade::kOrange, Shade::kGreen};
  for (std::int64_t n = 0; n < kN; ++n) {
    const double y = d.bottom() + 14;
    d.text(kLeft - 10, y + 20, fmt::format("n = {}", n), Anchor::kEnd, Ink::kQuiet);
    for (std::int64_t k = 0; k < kK; ++k) {
      d.cell(kLeft + kCell * static_cast<double>(k), y, kCell, kTall, kShades[k / kGroupSize],
             fmt::format("k = {}", k));
    }
    for (std::int64_t g = 0; g < int4_groups(kK, kGroupSize); ++g) {
      const double x = kLeft + kCell * static_cast<double>(g * kGroupSize);
      d.text(x + 2, y + kTall + 18, fmt::format("scale, zero [{}, {}]", n, g), Anchor::kStart,
             Ink::kPlain, Drawing::kSmall);
    }
  }
  d.gap(4);
  return d.svg();
}

}  // namespace

std::vector<PagePicture> pictures_of_lab03(const Measured& /*measured*/) {
  return {{"rtn_group", rtn_group()}};
}

}  // namespace qlab
