// SPDX-License-Identifier: Apache-2.0
/// \file
/// What GPTQ and AWQ do to a small layer: the real functions on inputs with a seed.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "03_int4_weight_only/awq.h"
#include "03_int4_weight_only/gptq.h"
#include "common/random.h"
#include "lab/svg_chart.h"
#include "pages/drawing.h"
#include "pages/pictures/lab03.h"

namespace qlab {
namespace {

/// Tokens whose channels move together, as those of a model do: each leans on the one before it.
Matrix<float> correlated_inputs(std::int64_t tokens, std::int64_t K, Random& random) {
  Matrix<float> X(tokens, K);
  for (std::int64_t t = 0; t < tokens; ++t) {
    double before = random.normal();
    for (std::int64_t k = 0; k < K; ++k) {
      before = 0.9 * before + 0.45 * random.normal();
      X(t, k) = static_cast<float>(before);
    }
  }
  return X;
}

Matrix<float> normal_matrix(std::int64_t rows, std::int64_t cols, Random& random) {
  Matrix<float> result(rows, cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) result(r, c) = static_cast<float>(random.normal());
  }
  return result;
}

}  // namespace

std::string picture_gptq() {
  constexpr std::int64_t kN = 3, kK = 8, kTokens = 256;
  Random random(5);
  const Matrix<float> weight = normal_matrix(kN, kK, random);
  const Matrix<float> X = correlated_inputs(kTokens, kK, random);
  ThreadPool threads(1);
  const Machine machine{threads, Isa::kScalar};
  Hessian sum(kK);
  sum.add(X.view(), machine);
  const Matrix<double> hessian = sum.value();
  const Int4Matrix nearest = quantize_int4_rtn(weight.view(), kK);
  const GptqWeights gptq =
      quantize_int4_gptq(weight.view(), hessian.view(), {.group_size = kK}, "picture", machine);

  Drawing d(
      "How far weights move, in steps",
      "Two grids of three rows and eight columns. Rounding to nearest moves no weight by more "
      "than half a step. GPTQ moves later columns further, and the error of the output falls.");
  constexpr double kLeft = 24, kCell = 64, kTall = 26;
  const auto grid = [&](const char* name, const Int4Matrix& quantized) {
    const double error = output_error(weight.view(), quantized.view(), hessian.view());
    const double top = d.bottom() + 30;
    d.text(kLeft, top - 8, fmt::format("{}: output error {:.3f}", name, error), Anchor::kStart,
           Ink::kBold);
    for (std::int64_t n = 0; n < kN; ++n) {
      for (std::int64_t k = 0; k < kK; ++k) {
        const int code = quantized.qweight(n, k / 2) >> (k % 2 * 4) & 0xF;
        const double scale = to_float(quantized.scale(n, 0));
        const double steps = code - quantized.zero_point(n, 0) - weight(n, k) / scale;
        d.cell(kLeft + kCell * static_cast<double>(k), top + kTall * static_cast<double>(n), kCell,
               kTall, std::abs(steps) > 0.5 ? Shade::kOrange : Shade::kBlue,
               fmt::format("{:+.2f}", steps));
      }
    }
  };
  grid("to the nearest", nearest);
  grid("GPTQ", gptq.weights);
  d.gap(4);
  d.paragraph("Columns are rounded from left to right. Orange: further than half a step.");
  return d.svg();
}

std::string picture_awq() {
  constexpr std::int64_t kN = 32, kK = 64, kTokens = 64, kGroupSize = 32, kEvery = 16;
  constexpr float kLoud = 16;
  Random random(7);
  const Matrix<float> weight = normal_matrix(kN, kK, random);
  Matrix<float> X = normal_matrix(kTokens, kK, random);
  for (std::int64_t t = 0; t < kTokens; ++t) {
    for (std::int64_t k = 0; k < kK; k += kEvery) X(t, k) *= kLoud;
  }
  ThreadPool threads(1);
  const std::array consumers{weight.view()};
  const AwqScales scales = awq_scales(consumers, X.view(), kGroupSize, {threads, Isa::kScalar});
  ChartLine line{.name = "loss", .x = {}, .y = {}, .marks = true};
  for (std::size_t i = 0; i < scales.losses.size(); ++i) {
    line.x.push_back(static_cast<double>(i) / kAwqRatios);
    line.y.push_back(scales.losses[i] / scales.losses[0]);
  }
  return svg_chart(
      {.title = "The search for one number",
       .subtitle = "loss of a layer with a few loud channels, against plain rounding",
       .description = "A curve over twenty ratios that falls, is lowest in between, and "
                      "rises again.",
       .panels = {{.x = {.label = "ratio"},
                   .y = {.label = "loss / loss of ratio 0", .low = 0.0},
                   .lines = {std::move(line)},
                   .markers = {{scales.ratio, fmt::format("{:.2f}", scales.ratio)}}}}});
}

}  // namespace qlab
