// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lab 02: what a scale does to the codes of those who share it. All codes are the oracles'.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "02_int8_calibration/granularity.h"
#include "02_int8_calibration/quantize_affine.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/quantize_static.h"
#include "pages/drawing.h"
#include "pages/pictures/int8_pictures.h"

namespace qlab {
namespace {

constexpr double kTall = 30;

MatrixView<const float> row_of(const std::vector<float>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  return {x.data(), 1, n, n};
}

struct Symmetric {
  float scale = 0;
  std::vector<std::int8_t> codes;
};

Symmetric symmetric(const std::vector<float>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  Symmetric result{.codes = std::vector<std::int8_t>(x.size())};
  quantize_rows_ref(row_of(x), Granularity::kPerRow, {result.codes.data(), 1, n, n}, &result.scale);
  return result;
}

std::string list_of(const std::vector<std::int8_t>& codes) {
  std::string text;
  for (const std::int8_t code : codes) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", int{code});
  }
  return text;
}

/// The codes -127 … 127 from left to right, and a stroke at each that is used.
void ruler(Drawing& d, const Symmetric& used) {
  constexpr double kLeft = 40, kWidth = Drawing::kWidth - 2 * kLeft;
  const double y = d.bottom() + 8;
  const auto at = [&](int code) { return kLeft + kWidth * (code + 127) / 254; };
  d.cell(kLeft, y, kWidth, kTall, Shade::kBlue);
  for (const std::int8_t code : used.codes) d.line(at(code), y - 5, at(code), y + kTall + 5);
  for (const int code : {-127, 0, 127}) {
    d.text(at(code), y + kTall + 20, std::to_string(code), Anchor::kMiddle, Ink::kCode, 13);
  }
}

}  // namespace

std::string picture_quantize_symmetric() {
  const std::vector<float> quiet = {-3.0F, -0.9F, 0.0F, 1.05F, 2.0F};
  Drawing d(
      "One outlier takes the codes from all others",
      "Two rulers of the codes -127 to 127. Five values alone are spread over the whole ruler. "
      "Beside a value 14 times as large the same five crowd in its middle.");
  for (const bool crowded : {false, true}) {
    std::vector<float> x = quiet;
    if (crowded) x.push_back(14 * 3.0F);
    const Symmetric s = symmetric(x);
    d.gap(8);
    const double y = d.bottom() + 16;
    d.text(Drawing::kEdge, y,
           crowded ? fmt::format("the same five beside a value of {:g}: scale {:.3f}", x.back(),
                                 s.scale)
                   : fmt::format("values -3, -0.9, 0, 1.05, 2: scale 3 / 127 = {:.4f}", s.scale),
           Anchor::kStart, Ink::kBold);
    ruler(d, s);
    d.text(Drawing::kWidth / 2, d.bottom() + 14, "codes " + list_of(s.codes), Anchor::kMiddle);
  }
  return d.svg();
}

std::string picture_quantize_affine() {
  const std::vector<float> x = {-1, 0, 1, 2, 3};
  Drawing d(
      "A zero point moves the codes to the values",
      "Values from -1 to 3 on a line. Symmetric codes cover -3 to 3, and those below -42 stand "
      "for values that never come. Affine codes cover -1 to 3 in finer steps, and 0 has the "
      "code -64.");
  constexpr double kLeft = 30, kWidth = Drawing::kWidth - 2 * kLeft, kReach = 3;
  const auto at = [](double value) { return kLeft + kWidth * (value + kReach) / (2 * kReach); };
  const auto line_of_values = [&] {
    const double y = d.bottom() + 18;
    d.text(kLeft, y, "value", Anchor::kMiddle, Ink::kQuiet, 13);
    for (const float value : x) {
      d.text(at(value), y, fmt::format("{:g}", value), Anchor::kMiddle);
    }
  };
  const auto code_at = [&](float value, double y, int code) {
    d.line(at(value), y - 5, at(value), y + kTall + 5);
    d.text(at(value), y + kTall + 20, std::to_string(code), Anchor::kMiddle, Ink::kCode, 13);
  };
  line_of_values();

  const Symmetric s = symmetric(x);
  double y = d.bottom() + 10;
  d.cell(at(-kReach), y, at(-1) - at(-kReach), kTall, Shade::kGrey, "never used");
  d.cell(at(-1), y, at(kReach) - at(-1), kTall, Shade::kBlue);
  for (std::size_t i = 0; i < x.size(); ++i) code_at(x[i], y, s.codes[i]);
  d.text(Drawing::kEdge, y + kTall + 44,
         fmt::format("symmetric: one step is 3 / 127 = {:.4f}", s.scale), Anchor::kStart,
         Ink::kBold);

  d.gap(14);
  line_of_values();
  const AffineScale p = affine_scale_ref(x);
  y = d.bottom() + 10;
  d.cell(at(-1), y, at(kReach) - at(-1), kTall, Shade::kGreen);
  for (const float value : x) code_at(value, y, affine_code_ref(value, p));
  d.text(Drawing::kEdge, y + kTall + 44,
         fmt::format("affine: one step is 4 / 255 = {:.4f}, zero_point {}", p.scale, p.zero_point),
         Anchor::kStart, Ink::kBold);
  d.gap(4);
  return d.svg();
}

std::string picture_granularity() {
  constexpr std::int64_t kTokens = 3, kK = 8, kGroup = 4;
  // Channel 5 is loud, and loudest in the middle token.
  const std::vector<float> x = {0.6F,  -1.0F, 0.3F,  0.8F,  -0.5F, 4.0F,  0.9F,  -0.2F,  //
                                -0.7F, 0.4F,  1.0F,  -0.3F, 0.8F,  40.0F, -0.6F, 0.5F,   //
                                0.9F,  0.2F,  -0.8F, 0.5F,  -1.0F, 8.0F,  0.4F,  0.7F};
  const MatrixView<const float> view{x.data(), kTokens, kK, kK};
  Drawing d(
      "The fewer share a scale, the more codes are left",
      "Three tables of the same three tokens in INT8 codes, with one loud channel. With one scale "
      "most codes are -3 to 3; with a scale a token the loudest token alone has such codes; with "
      "groups of four only half of a row.");
  constexpr double kLeft = 14, kCell = 44;
  constexpr Shade kShades[] = {Shade::kBlue,   Shade::kOrange, Shade::kGreen,
                               Shade::kPurple, Shade::kYellow, Shade::kGrey};
  const struct {
    const char* title;
    std::int64_t rows, columns;  // that share a scale
  } grains[] = {{"one scale for the tensor", kTokens, kK},
                {"a scale a token", 1, kK},
                {"a scale for a group of four", 1, kGroup}};
  for (const auto& [title, rows, columns] : grains) {
    d.gap(6);
    d.text(kLeft, d.bottom() + 16, title, Anchor::kStart, Ink::kBold);
    d.text(kLeft + kCell * kK + 14, d.bottom() - 2, "scale", Anchor::kStart, Ink::kQuiet, 13);
    const double top = d.bottom() + 8;
    const std::int64_t groups = group_count(kK, columns);
    for (std::int64_t r = 0; r < kTokens; ++r) {
      const double y = top + kTall * static_cast<double>(r);
      std::string scales;
      for (std::int64_t g = 0; g < groups; ++g) {
        double scale = 0;
        if (rows == kTokens) {  // quantize_rows has this grain, group_scales has the others
          std::vector<std::int8_t> codes(x.size());
          float all[kTokens];
          quantize_rows_ref(view, Granularity::kPerTensor, {codes.data(), kTokens, kK, kK}, all);
          scale = all[r];
        } else {
          std::vector<double> all(static_cast<std::size_t>(kTokens * groups));
          group_scales_ref(view, columns, {all.data(), kTokens, groups, groups});
          scale = all[static_cast<std::size_t>(r * groups + g)];
        }
        scales += fmt::format("{}{:.4f}", scales.empty() ? "" : "  ", scale);
        std::vector<std::int8_t> codes(static_cast<std::size_t>(columns));
        const auto shade = kShades[rows == kTokens ? 0 : r * groups + g];
        quantize_static_ref({x.data() + r * kK + g * columns, 1, columns, columns},
                            static_cast<float>(scale), {codes.data(), 1, columns, columns});
        for (std::int64_t k = 0; k < columns; ++k) {
          d.cell(kLeft + kCell * static_cast<double>(g * columns + k), y, kCell, kTall, shade,
                 std::to_string(codes[static_cast<std::size_t>(k)]));
        }
      }
      d.text(kLeft + kCell * kK + 14, y + 20, scales, Anchor::kStart, Ink::kCode, 13);
    }
    for (std::int64_t r = 0; r < kTokens; r += rows) {  // a frame a scale
      for (std::int64_t g = 0; g < groups; ++g) {
        d.frame(kLeft + kCell * static_cast<double>(g * columns),
                top + kTall * static_cast<double>(r), kCell * static_cast<double>(columns),
                kTall * static_cast<double>(rows));
      }
    }
  }
  d.gap(4);
  return d.svg();
}

}  // namespace qlab
