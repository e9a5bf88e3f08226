// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lab 01: bits, a roofline, blocks of a matrix; and the list of the module's pictures.
#include "pages/pictures/lab01.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <regex>
#include <type_traits>

#include "lab/svg_chart.h"
#include "pages/drawing.h"
#include "pages/pictures.h"
#include "pages/pictures/format_bits.h"
#include "pages/pictures/source_constant.h"

namespace qlab {

namespace {

/// The bits of `x` in a format, the highest left, and the value that they have.
template <class Format>
void draw_number(Drawing& d, const std::string& name, Format x, int width, int exponent_bits,
                 float value) {
  constexpr double kLeft = 62, kBit = 15, kTall = 26;
  d.text(kLeft, d.bottom() + 20,
         fmt::format("{}: 1 sign, {} exponent, {} mantissa", name, exponent_bits,
                     width - 1 - exponent_bits),
         Anchor::kStart, Ink::kBold);
  const double y = d.bottom() + 6;
  const auto bits =
      std::bit_cast<std::conditional_t<sizeof(Format) == 4, std::uint32_t, std::uint16_t>>(x);
  for (int i = 0; i < width; ++i) {
    const int place = width - 1 - i;
    d.cell(kLeft + kBit * i, y, kBit, kTall,
           i == 0               ? Shade::kGrey
           : i <= exponent_bits ? Shade::kOrange
                                : Shade::kBlue,
           (bits >> place & 1) != 0 ? "1" : "0");
  }
  d.text(kLeft, y + kTall + 18, fmt::format("= {:.9g}", value), Anchor::kStart, Ink::kQuiet);
}

}  // namespace

std::string picture_half_formats() {
  constexpr float kValue = 0.1F;
  const auto half = from_float<half_t>(kValue);
  const auto bf16 = from_float<bf16_t>(kValue);
  Drawing d("0.1 in three formats",
            "The bits of 0.1 in FP32, FP16 and BF16. BF16 has FP32's eight bits of exponent and "
            "seven of mantissa, FP16 five and ten; each rounds 0.1 to another value.");
  draw_number(d, "FP32", kValue, 32, 8, kValue);
  d.gap(4);
  draw_number(d, "FP16", half, 16, FormatLayout<half_t>::exponent_bits, to_float(half));
  d.text(548, d.bottom() - 4, range_of<half_t>(), Anchor::kEnd, Ink::kQuiet);
  d.gap(4);
  draw_number(d, "BF16", bf16, 16, FormatLayout<bf16_t>::exponent_bits, to_float(bf16));
  d.text(548, d.bottom() - 4, range_of<bf16_t>(), Anchor::kEnd, Ink::kQuiet);
  d.gap(6);
  d.paragraph(
      "Grey: sign. Orange: exponent, the range. Blue: mantissa, the precision. BF16 begins with "
      "FP32's own bits; its last one is rounded up.");
  return d.svg();
}

std::string picture_roofline(const Measured& measured) {
  const double bandwidth = measured.number("roofline.read_bytes_per_second");
  const double peak = measured.number("roofline.fma_flops_per_second");
  constexpr double kGiga = 1e-9, kLowest = 0.5, kHighest = 300;
  ChartLine roof{.name = "the roof", .x = {}, .y = {}};
  for (const double x : {kLowest, peak / bandwidth, kHighest}) {
    roof.x.push_back(x);
    roof.y.push_back(kGiga * std::min(bandwidth * x, peak));
  }
  ChartPoints points{.name = "the FP16 kernel at M tokens", .points = {}};
  static const std::regex layer(R"(attention projection .*, M = (\d+))");
  for (const auto& row : measured.at("xeon_2threads", "speed")) {
    const auto operation = row.at("operation").get<std::string>();
    std::smatch match;
    if (row.at("config") != "fp16" || !std::regex_match(operation, match, layer)) continue;
    const double flops = row.at("flops").get<double>();
    points.points.push_back({flops / row.at("bytes").get<double>(),
                             kGiga * flops / row.at("seconds").at("value").get<double>(),
                             fmt::format("M = {}{}", match[1].str(),
                                         match[1] == "1"     ? ", decode"
                                         : match[1] == "256" ? ", prefill"
                                                             : "")});
  }
  return svg_chart(
      {.title = "A roofline, and a kernel under it",
       .subtitle = fmt::format("reference CPU: {:.0f} GB/s, {:.0f} GFLOP/s", kGiga * bandwidth,
                               kGiga * peak),
       .description = "The roof rises with the intensity up to the ridge and is flat "
                      "behind it. One token, decode, lies left of the ridge; 256, "
                      "prefill, lie right of it.",
       .panels = {{.x = {.label = "FLOPs a byte", .log = true},
                   .y = {.label = "GFLOP/s", .log = true},
                   .lines = {std::move(roof)},
                   .points = {std::move(points)},
                   .markers = {{peak / bandwidth, fmt::format("ridge: {:.1f}", peak / bandwidth)}},
                   .height = 260}}});
}

std::string picture_fp16_gemm() {
  const std::string solution = "solutions/01_fp16_baseline/fp16_gemm.cc";
  const int depth = source_constant(solution, "kDepth"),
            width = source_constant(solution, "kWidth"),
            tile = source_constant(solution, "kTileRows");
  constexpr int kM = 24, kN = 150, kK = 600;
  Drawing d("What one block of weights is used for",
            "A matrix W of 150 rows and 600 columns, cut into blocks of 64 rows and 256 columns. "
            "One block is marked. It meets the same columns of all rows of X, and adds its share "
            "to 64 columns of Y.");
  constexpr double kLeft = 76, kScale = 0.46, kDown = 0.9, kRight = 400, kAcross = 0.98;
  const double xtop = d.bottom() + 26;
  d.text(kLeft, xtop - 8, fmt::format("X [{}, {}]", kM, kK), Anchor::kStart, Ink::kBold);
  d.text(kRight, xtop - 8, fmt::format("Y [{}, {}]", kM, kN), Anchor::kStart, Ink::kBold);
  constexpr double kRow = 2.5;  // of X and Y: one row
  for (int k = 0; k < kK; k += depth) {
    d.cell(kLeft + kScale * k, xtop, kScale * std::min(depth, kK - k), kRow * kM,
           k == depth ? Shade::kOrange : Shade::kNone, k == depth ? "all rows" : "");
  }
  for (int n = 0; n < kN; n += width) {
    d.cell(kRight + kAcross * n, xtop, kAcross * std::min(width, kN - n), kRow * kM,
           n == 0 ? Shade::kOrange : Shade::kNone);
  }
  for (int m = 0; m < kM; m += tile) {
    d.line(kRight, xtop + kRow * m, kRight + kAcross * width, xtop + kRow * m);
  }
  for (int n = 0; n < width; n += tile) {
    d.line(kRight + kAcross * n, xtop, kRight + kAcross * n, xtop + kRow * kM);
  }
  const double wtop = d.bottom() + 34;
  d.text(kLeft, wtop - 8, fmt::format("W [{}, {}], a row an output", kN, kK), Anchor::kStart,
         Ink::kBold);
  for (int n = 0; n < kN; n += width) {
    d.text(kLeft - 8, wtop + kDown * n + 14, fmt::format("n = {}", n), Anchor::kEnd, Ink::kQuiet,
           Drawing::kSmall);
    for (int k = 0; k < kK; k += depth) {
      const int rows = std::min(width, kN - n), cols = std::min(depth, kK - k);
      const bool whole = rows == width && cols == depth;
      d.cell(kLeft + kScale * k, wtop + kDown * n, kScale * cols, kDown * rows,
             n == 0 && k == depth ? Shade::kOrange
             : whole              ? Shade::kBlue
                                  : Shade::kGrey,
             rows > 30 ? fmt::format("{}×{}", rows, cols) : "");
    }
  }
  d.arrow(kRight + 30, wtop + 30, kRight + 30, wtop - 30);
  d.text(kRight, wtop + 48, "adds its share of", Anchor::kStart, Ink::kQuiet, 13);
  d.text(kRight, wtop + 65, fmt::format("K, {} × {} a tile", tile, tile), Anchor::kStart,
         Ink::kQuiet, 13);
  d.gap(4);
  d.paragraph(
      "Orange: the block that is widened to FP32 now, what it is multiplied with, where the sums "
      "go. Blue: other whole blocks. Grey: blocks that reach past W and are filled with zeros.");
  return d.svg();
}

std::vector<PagePicture> pictures_of_lab01(const Measured& measured) {
  return {{"half_formats", picture_half_formats()},
          {"roofline", picture_roofline(measured)},
          {"fp16_gemm", picture_fp16_gemm()},
          {"fp16_gemv", picture_fp16_gemv()},
          {"fp16_gemm_tiled", picture_fp16_gemm_tiled()},
          {"fp16_gemm_mma", picture_fp16_gemm_mma()}};
}

}  // namespace qlab
