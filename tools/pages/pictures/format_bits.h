// SPDX-License-Identifier: Apache-2.0
/// \file
/// A number format as a row of bits, drawn from its FormatLayout.
#pragma once

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <string>

#include "common/formats.h"
#include "pages/drawing.h"

namespace qlab {

/// Sign, exponent and mantissa, the highest bit left, under what is drawn; `bit` units wide each.
inline void draw_bits(Drawing& d, const std::string& name, int exponent_bits, int mantissa_bits,
                      double bit) {
  constexpr double kLeft = 66, kTall = 26;
  const double y = d.bottom() + 8;
  d.text(kLeft - 8, y + 18, name, Anchor::kEnd, Ink::kBold);
  double x = kLeft;
  const auto bits = [&](int count, Shade shade, const char* letter) {
    for (int i = 0; i < count; ++i, x += bit) d.cell(x, y, bit, kTall, shade, letter);
  };
  bits(1, Shade::kGrey, "s");
  bits(exponent_bits, Shade::kOrange, "e");
  bits(mantissa_bits, Shade::kBlue, "m");
}

/// "65504 … 2^-24": the largest and the smallest number above 0.
template <class Format>
std::string range_of() {
  using Layout = FormatLayout<Format>;
  const auto value = [](std::uint32_t code) {
    return to_float(Format{static_cast<decltype(Format::bits)>(code)});
  };
  const float largest = value(Layout::largest);
  return fmt::format(
      "up to {}, from 2^{}",
      largest < 1e6F ? fmt::format("{:.0f}", largest) : fmt::format("{:.2g}", largest),
      std::ilogb(value(1)));
}

/// The bits of a 8- or 16-bit format, and its range below them.
template <class Format>
void draw_format(Drawing& d, const std::string& name, double bit) {
  draw_bits(d, name, FormatLayout<Format>::exponent_bits, FormatLayout<Format>::mantissa_bits, bit);
  d.text(66, d.bottom() + 18, range_of<Format>(), Anchor::kStart, Ink::kQuiet, 13);
  d.gap(6);
}

}  // namespace qlab
