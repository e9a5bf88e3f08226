// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of the pages that belong to no module.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pages/drawing.h"
#include "pages/pictures.h"
#include "pages/pictures/guides.h"

namespace qlab {
namespace {

/// A bar: what it measures, and the name of the number.
struct Bar {
  const char* what;
  std::string number;
  Shade shade;
};

struct Bars {
  const char* name;
  std::vector<Bar> bars;
};

/// Bytes and times against FP16 as bars. What is longer than the picture is broken and says so.
std::string picture_table(const Measured& measured) {
  // W4A8 has the weights of INT4, and C51 is its time against INT4's: so against FP16 a product.
  const double w4a8 = measured.number("C51") * measured.number("C18");
  const Bars formats[] = {
      {"INT8",
       {{"bytes", "C09", Shade::kGrey},
        {"1 token", "C10", Shade::kBlue},
        {"256 tokens", "C08", Shade::kGreen}}},
      {"INT4 weights",
       {{"bytes", "C17", Shade::kGrey},
        {"1 token", "C18", Shade::kBlue},
        {"256 tokens", "C31", Shade::kGreen}}},
      {"W4A8",
       {{"bytes", "C17", Shade::kGrey},
        {"1 token", "", Shade::kBlue},
        {"256 tokens", "C50", Shade::kGreen}}},
      {"INT8 KV cache", {{"bytes", "C23", Shade::kGrey}, {"attention", "C26", Shade::kBlue}}},
      {"INT4, no kernel", {{"bytes", "C17", Shade::kGrey}, {"1 token", "C22", Shade::kBlue}}}};
  Drawing d(
      "Bytes and time against FP16",
      "Bars for the bytes, the time of one token and the time of 256 tokens of INT8, INT4 and INT4 "
      "with INT8 activations; for the bytes and the attention of an INT8 cache; and for INT4 "
      "without its kernel, which is many times as slow. FP16 is a dashed line at 1.");
  constexpr double kLeft = 148, kOne = 220, kLongest = 396, kTall = 19;
  const double top = d.bottom();
  for (const Bars& format : formats) {
    double y = d.bottom() + 10;
    d.text(kLeft - 10, y + kTall * static_cast<double>(format.bars.size()) / 2 + 5, format.name,
           Anchor::kEnd, Ink::kPlain, 14);
    for (const Bar& bar : format.bars) {
      const double ratio = bar.number.empty() ? w4a8 : measured.number(bar.number);
      const double width = std::min(kOne * ratio, kLongest);
      d.cell(kLeft, y, width, kTall - 2, bar.shade);
      const bool inside = width > 130;  // clear of the dashed line
      d.text(inside ? kLeft + std::min(width, kOne) - 8 : kLeft + width + 6, y + 13,
             fmt::format("{}: {:.{}f}", bar.what, ratio, ratio < 10 ? 2 : 1),
             inside ? Anchor::kEnd : Anchor::kStart, Ink::kPlain, 12);
      if (kOne * ratio > kLongest) {
        // Two strokes across a bar are how a broken axis is drawn.
        for (const double x : {kLeft + kLongest - 40, kLeft + kLongest - 32}) {
          d.line(x - 4, y + kTall, x + 4, y - 2);
        }
      }
      y += kTall;
    }
  }
  d.line(kLeft + kOne, top + 4, kLeft + kOne, d.bottom() + 8, true);
  d.text(kLeft + kOne, d.bottom() + 20, "FP16 = 1", Anchor::kMiddle, Ink::kQuiet, 13);
  d.gap(4);
  d.paragraph(
      "Tokens through one layer of a 7B model, or attention over 4096 tokens, on the reference "
      "CPU. "
      "Shorter is better. W4A8: INT4 weights, INT8 activations. // cuts a bar.");
  return d.svg();
}

std::string picture_decide(const Measured& measured) {
  struct Row {
    const char* bottleneck;
    const char* helps;
    const char* claim;
    const char* decimals;
    const char* of;
  };
  constexpr Row kRows[] = {
      {"the model does not fit", "INT4 weights", "C17", "0.00", "of the bytes"},
      {"decode reads weights", "INT4 weights", "C65", "0.00", "of TPOT"},
      {"prefill computes", "INT8, both sides", "C08", "0.00", "of the time"},
      {"the cache is full", "INT8 cache", "C25", "0.00", "times the context"},
      {"attention in decode", "INT8 cache", "C26", "0.00", "of its time"},
      {"long gaps at p99", "prompts in chunks", "C62", "0.00", "of the gap"},
      {"outliers", "SmoothQuant", "C35", "0.000", "bits a byte lost"},
  };
  Drawing d("Bottleneck, then format",
            "Seven bottlenecks on the left, an arrow from each to what helps against it, and the "
            "measured number beside it.");
  constexpr double kLeft = 12, kWide = 176, kTall = 32, kMiddle = 222, kGreenWide = 142,
                   kNumber = 376;
  for (const Row& row : kRows) {
    const double y = d.bottom() + 8;
    d.cell(kLeft, y, kWide, kTall, Shade::kOrange, row.bottleneck);
    d.arrow(kLeft + kWide + 4, y + kTall / 2, kMiddle - 4, y + kTall / 2);
    d.cell(kMiddle, y, kGreenWide, kTall, Shade::kGreen, row.helps);
    d.text(kNumber, y + 21, fmt::format("{} {}", measured.text(row.claim, row.decimals), row.of),
           Anchor::kStart, Ink::kPlain, 13);
  }
  return d.svg();
}

}  // namespace

std::vector<PagePicture> pictures_of_guides(const Measured& measured) {
  return {{"guide_table", picture_table(measured)},
          {"guide_decide", picture_decide(measured)},
          {"guide_curves", picture_curves(measured)}};
}

}  // namespace qlab
