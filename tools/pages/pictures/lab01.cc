// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lab 01: bits, a roofline, blocks of a matrix; and the list of the module's pictures.
#include "pages/pictures/lab01.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "lab/svg_chart.h"
#include "pages/drawing.h"
#include "pages/pictures.h"
#include "pages/pictures/format_bits.h"
#include "pages/pictures/source_constant.h"

namespace qlab {

std::string picture_half_formats() {
  Drawing d("Where the bits go",
            "FP32, FP16 and BF16 as rows of bits. BF16 has FP32's eight bits of exponent and seven "
            "of mantissa, FP16 five and ten.");
  constexpr double kBit = 15;
  constexpr int kFloatExponent = 8, kFloatMantissa = 23;
  draw_bits(d, "FP32", kFloatExponent, kFloatMantissa, kBit);
  d.gap(6);
  draw_format<half_t>(d, "FP16", kBit);
  draw_format<bf16_t>(d, "BF16", kBit);
  d.gap(6);
  d.paragraph("s: sign, e: exponent (range), m: mantissa (precision)");
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
                             "M = " + match[1].str()});
  }
  return svg_chart({.title = "A roofline, and a kernel under it",
                    .subtitle = fmt::format("reference CPU: {:.0f} GB/s, {:.0f} GFLOP/s",
                                            kGiga * bandwidth, kGiga * peak),
                    .description = "The roof rises with the intensity up to the ridge and is flat "
                                   "behind it. The kernel's points follow it from below.",
                    .panels = {{.x = {.label = "FLOPs a byte", .log = true},
                                .y = {.label = "GFLOP/s", .log = true},
                                .lines = {std::move(roof)},
                                .points = {std::move(points)},
                                .height = 260}}});
}

std::string picture_fp16_gemm() {
  const std::string solution = "solutions/01_fp16_baseline/fp16_gemm.cc";
  const int depth = source_constant(solution, "kDepth"),
            width = source_constant(solution, "kWidth");
  constexpr int kN = 150, kK = 600;
  Drawing d(
      "Blocks of the weights",
      "A matrix of 150 rows and 600 columns cut into blocks of 64 rows and 256 columns. Those "
      "at the edges are smaller and padded.");
  constexpr double kLeft = 84, kScale = 0.76, kTall = 0.9;
  const double top = d.bottom() + 26;
  d.text(kLeft, top - 8, fmt::format("K = {} →", kK), Anchor::kStart, Ink::kQuiet);
  d.text(kLeft - 10, top + 14, fmt::format("N = {}", kN), Anchor::kEnd, Ink::kQuiet);
  for (int n = 0; n < kN; n += width) {
    for (int k = 0; k < kK; k += depth) {
      const int rows = std::min(width, kN - n), cols = std::min(depth, kK - k);
      const bool whole = rows == width && cols == depth;
      d.cell(kLeft + kScale * k, top + kTall * n, kScale * cols, kTall * rows,
             n == 0 && k == 0 ? Shade::kOrange
             : whole          ? Shade::kBlue
                              : Shade::kGrey,
             rows > 30 ? fmt::format("{} × {}", rows, cols) : "");
    }
  }
  d.gap(4);
  d.paragraph(
      "Orange: the block that is widened to FP32 now, once, and used for all rows of X. Grey: "
      "blocks that are padded with zeros.");
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
