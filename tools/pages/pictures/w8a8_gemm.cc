// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lab 02: one output of w8a8_gemm, from its codes to its value. Every number is the oracle's.
#include "02_int8_calibration/w8a8_gemm.h"

#include <fmt/format.h>

#include <array>

#include "pages/drawing.h"
#include "pages/pictures/int8_pictures.h"

namespace qlab {
namespace {

constexpr std::int64_t kK = 4;
using Codes = std::array<std::int8_t, kK>;

/// x_scale · w_scale · Σ (x - zero_point) · w
double product(const Codes& x, std::int32_t zero_point, const Codes& w, float x_scale = 1,
               float w_scale = 1) {
  double y = 0;
  w8a8_gemm_ref({.codes = {x.data(), 1, kK, kK}, .scale = &x_scale, .zero_point = &zero_point},
                {.codes = {w.data(), 1, kK, kK}, .scale = &w_scale}, {&y, 1, 1, 1});
  return y;
}

}  // namespace

std::string picture_w8a8_gemm() {
  constexpr Codes kX = {-1, 4, -37, 90}, kW = {3, -5, 7, 2}, kOnes = {1, 1, 1, 1};
  constexpr std::int32_t kZero = -37;
  constexpr float kXScale = 0.02F, kWScale = 0.01F;
  Drawing d(
      "Integers until the last line",
      "A row of x codes, the same with 128 added, and a row of w codes. Their sum of products, "
      "minus one product for both offsets, is the exact integer; then it becomes a float and "
      "meets two scales.");
  constexpr double kLeft = 150, kCell = 64, kTall = 30, kRight = kLeft + kCell * kK + 14;
  const auto row = [&](const char* name, const Codes& codes, int add, Shade shade,
                       const std::string& note) {
    const double y = d.bottom() + 6;
    d.text(kLeft - 10, y + 20, name, Anchor::kEnd, Ink::kCode, 13);
    for (std::size_t k = 0; k < kK; ++k) {
      d.cell(kLeft + kCell * static_cast<double>(k), y, kCell, kTall, shade,
             std::to_string(codes[k] + add));
    }
    d.text(kRight, y + 20, note, Anchor::kStart, Ink::kQuiet, 13);
  };
  row("x", kX, 0, Shade::kBlue, fmt::format("zero_point {}", kZero));
  row("x + 128", kX, 128, Shade::kBlue, "unsigned");
  row("w", kW, 0, Shade::kOrange, "signed");

  d.gap(8);
  const auto step = [&](const std::string& formula, const std::string& value, Shade shade,
                        const std::string& kind) {
    const double y = d.bottom() + 6;
    d.text(kLeft + 130, y + 20, formula, Anchor::kEnd, Ink::kCode, 13);
    d.cell(kLeft + 140, y, 92, kTall, shade, value);
    d.text(kLeft + 244, y + 20, kind, Anchor::kStart, Ink::kQuiet, 13);
  };
  const double column_sum = product(kOnes, 0, kW);
  step("Σ (x + 128) · w", fmt::format("{:.0f}", product(kX, -128, kW)), Shade::kGreen,
       "int32, a product a k");
  step("- (128 + zero_point) · Σ w", fmt::format("{:.0f}", (128 + kZero) * column_sum),
       Shade::kGreen, fmt::format("int32, once; Σ w = {:.0f}", column_sum));
  step("= Σ (x - zero_point) · w", fmt::format("{:.0f}", product(kX, kZero, kW)), Shade::kGreen,
       "int32, exact");
  step(fmt::format("· {:g} · {:g}", kXScale, kWScale),
       fmt::format("{:.4f}", product(kX, kZero, kW, kXScale, kWScale)), Shade::kYellow,
       "FP32, rounded here");
  d.gap(4);
  return d.svg();
}

}  // namespace qlab
