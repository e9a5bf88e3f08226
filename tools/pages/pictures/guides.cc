// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of the pages that belong to no module.
#include <fmt/format.h>

#include <algorithm>

#include "pages/drawing.h"
#include "pages/pictures.h"
#include "pages/pictures/guides.h"

namespace qlab {
namespace {

struct TimedFormat {
  const char* name;
  std::string few, many;  ///< the number's name at one token, and at 256
};

/// Times against FP16 as bars; what is longer than the picture is cut and says so by its number.
std::string picture_table(const Measured& measured) {
  const TimedFormat formats[] = {{"INT8", "C10", "C08"},
                                 {"INT4", "C18", "C31"},
                                 {"INT4, INT8 x", "C51 as ratio", "C50"},
                                 {"INT4, no kernel", "C22", ""}};
  Drawing d(
      "Time against FP16",
      "Bars for INT8, INT4 and INT4 with INT8 activations, at one token and at 256. FP16 is a "
      "line at 1. INT4 without its kernel is many times as slow.");
  constexpr double kLeft = 140, kOne = 210, kLongest = 380, kTall = 22;
  const double top = d.bottom();
  const auto bar = [&](double y, double ratio, Shade shade, const char* when) {
    const double width = std::min(kOne * ratio, kLongest);
    d.cell(kLeft, y, width, kTall, shade);
    const std::string words = fmt::format("{}: {:.{}f}", when, ratio, ratio < 10 ? 2 : 1);
    d.text(width > 120 ? kLeft + width - 6 : kLeft + width + 6, y + 16, words,
           width > 120 ? Anchor::kEnd : Anchor::kStart, Ink::kPlain, 13);
  };
  for (const TimedFormat& format : formats) {
    const double y = d.bottom() + 12;
    d.text(kLeft - 8, y + (format.many.empty() ? 16 : 28), format.name, Anchor::kEnd, Ink::kPlain,
           13);
    // C51 is a ratio to INT4, so its time against FP16 is a product.
    const double few = format.few == "C51 as ratio"
                           ? measured.number("C51") * measured.number("C18")
                           : measured.number(format.few);
    bar(y, few, Shade::kBlue, "M = 1");
    if (!format.many.empty()) {
      bar(y + kTall + 2, measured.number(format.many), Shade::kGreen, "M = 256");
    }
  }
  d.line(kLeft + kOne, top + 4, kLeft + kOne, d.bottom() + 8, true);
  d.text(kLeft + kOne, d.bottom() + 20, "FP16", Anchor::kMiddle, Ink::kQuiet);
  d.gap(4);
  d.paragraph(
      "One layer of a 7B model on the reference CPU. Shorter is faster. The last bar goes on "
      "far beyond the picture.");
  return d.svg();
}

std::string picture_decide(const Measured& measured) {
  struct Row {
    const char* bottleneck;
    const char* helps;
    const char* claim;
    const char* of;
  };
  constexpr Row kRows[] = {
      {"weights, in decode", "INT4 weights", "C65", "of TPOT"},
      {"arithmetic", "INT8, both sides", "C08", "of the time"},
      {"room for the cache", "INT8 cache", "C25", "times as much"},
      {"reading the cache", "INT8 cache", "C26", "of the time"},
      {"the tail", "prompts in chunks", "C62", "of the gaps' p99"},
      {"outliers", "SmoothQuant", "C35", "bits a byte lost"},
  };
  Drawing d("Bottleneck, then format",
            "Six bottlenecks on the left, an arrow from each to what helps against it, and the "
            "measured number beside it.");
  constexpr double kLeft = 12, kWide = 150, kTall = 34, kMiddle = 196, kNumber = 356;
  for (const Row& row : kRows) {
    const double y = d.bottom() + 8;
    d.cell(kLeft, y, kWide, kTall, Shade::kOrange, row.bottleneck);
    d.arrow(kLeft + kWide + 4, y + kTall / 2, kMiddle - 4, y + kTall / 2);
    d.cell(kMiddle, y, kWide, kTall, Shade::kGreen, row.helps);
    d.text(kNumber, y + 22, fmt::format("{} {}", measured.text(row.claim, ""), row.of),
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
