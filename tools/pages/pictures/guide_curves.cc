// SPDX-License-Identifier: Apache-2.0
/// \file
/// guide_curves: what the claims of the table are about, as curves. Above, what a format gains in time as the batch
/// grows; below, what it costs in quality for the bits that it stores.
#include "pages/pictures/guides.h"

#include <fmt/format.h>

#include <array>

#include "lab/svg_chart.h"

namespace qlab {
namespace {

using Json = nlohmann::json;
constexpr std::string_view kReference = "xeon_2threads";

struct Named {
  std::string_view config;
  const char* words;
};

/// M of "attention projection 384 of 4096×4096, M = 256"; 0 for another operation.
double batch_of(const std::string& operation) {
  if (!operation.starts_with("attention projection")) return 0;
  return std::stod(operation.substr(operation.find("M = ") + 4));
}

ChartLine times_of(const Measured& measured, const Named& format) {
  ChartLine line{.name = format.words, .x = {}, .y = {}, .marks = true};
  for (const Json& row : measured.at(kReference, "speed")) {
    const double batch = batch_of(row.at("operation").get<std::string>());
    if (batch == 0 || row.at("config") != format.config) continue;
    line.x.push_back(batch);
    line.y.push_back(row.at("time_of_fp16").at("value").get<double>());
  }
  return line;
}

double kl_of(const Measured& measured, std::string_view config) {
  return measured.number(fmt::format("quality[config={}].kl_nats_per_byte.value", config));
}

ChartPanel time_panel(const Measured& measured) {
  constexpr std::array kFormats{Named{"fp16", "FP16"}, Named{"int8", "INT8"},
                                Named{"int4_g128", "INT4 weights, FP16 activations"},
                                Named{"int4_w4a8", "INT4 weights, INT8 activations"}};
  ChartPanel panel{.x = {.label = "tokens at once, M", .log = true},
                   .y = {.label = "time, FP16 = 1", .low = 0, .high = 1.2}};
  for (const Named& format : kFormats) panel.lines.push_back(times_of(measured, format));
  return panel;
}

ChartPanel quality_panel(const Measured& measured) {
  constexpr std::array kWeights{
      Named{"int8", "INT8, a scale a token"}, Named{"int8_tensor", "INT8, one scale a tensor"},
      Named{"int4_g128", "INT4, groups of 128"}, Named{"int4_awq", "the same, AWQ"}};
  constexpr std::array kCaches{Named{"kv_int8", "INT8"},
                               Named{"kv_fp8", "FP8"},
                               Named{"kv_int4", "INT4, a token's groups"},
                               Named{"kv_kivi4", "KIVI, 4 bits"},
                               Named{"kv_int2", "INT2, a token's groups"},
                               Named{"kv_kivi2", "KIVI, 2 bits"}};
  ChartPanel panel{
      .x = {.label = "bits stored a weight, or a value of K or V", .low = 2, .high = 12},
      .y = {.label = "KL to FP16, nats a byte", .log = true},
      .height = 260};
  ChartPoints weights{.name = "weights", .points = {}};
  for (const Named& format : kWeights) {
    // The four roundings of INT4 share a format, and INT8's two share theirs: what differs is how the
    // codes were found, and the activations' scales, which are not stored.
    const bool four = format.config.starts_with("int4");
    const double bits = measured.number(
        fmt::format("memory[config={}].bits_per_weight", four ? "int4_g128" : "int8"));
    weights.points.push_back({bits, kl_of(measured, format.config), format.words});
  }
  ChartPoints caches{.name = "KV cache", .points = {}};
  for (const Named& format : kCaches) {
    const double bits = measured.number(fmt::format("quality[config={}].kv_bits", format.config));
    caches.points.push_back({bits, kl_of(measured, format.config), format.words});
  }
  panel.points = {weights, caches};
  return panel;
}

}  // namespace

std::string picture_curves(const Measured& measured) {
  const auto number = [&](const char* claim) { return measured.text(claim, "0.00"); };
  return svg_chart(
      {.title = "What fewer bits gain, and what they cost",
       .subtitle = "one layer, and the tiny model, on the reference CPU",
       .description = fmt::format(
           "Above: time against FP16 from 1 to 256 tokens at once. INT8 goes from {} to {}, INT4 "
           "with FP16 activations from {} to {}. Below: the distance of the predictions from "
           "FP16's against stored bits. At the same bits it depends on who shares a scale and on "
           "how codes were chosen.",
           number("C10"), number("C08"), number("C18"), number("C31")),
       .panels = {time_panel(measured), quality_panel(measured)}});
}

}  // namespace qlab
