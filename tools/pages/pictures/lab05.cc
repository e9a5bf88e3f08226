// SPDX-License-Identifier: Apache-2.0
/// \file
/// The charts of Lab 05, and the list of its pictures.
#include "pages/pictures/lab05.h"

#include <fmt/format.h>

#include <fstream>

#include "lab/served_formats.h"
#include "lab/svg_chart.h"
#include "model/input_error.h"
#include "pages/pictures.h"

namespace qlab {
namespace {

using Json = nlohmann::json;

/// The formats that a chart compares, by their names in the table.
constexpr const char* kWeightFormats[] = {"fp16", "int8", "int4_g128"};
constexpr double kMilliseconds = 1e3;

}  // namespace

std::string picture_cost_model(const Measured& measured) {
  const MeasuredDevice device = measured_device(measured.folder(), "h200");
  const NamedModel& named = named_models().front();
  const ServedModel model = served_model(named.config);
  constexpr std::int64_t kMostTokens = 4096;
  Chart chart{.title = "Time of a step by the tokens in it",
              .subtitle = fmt::format("{} on {}, from bytes and FLOPs", named.name, device.name),
              .description =
                  "Each line is flat while the weights are read, then rises with the "
                  "tokens. INT4 starts lowest and bends first.",
              .panels = {}};
  ChartPanel panel{.x = {.label = "tokens in the step", .log = true},
                   .y = {.label = "ms", .log = true}};
  for (const char* const name : kWeightFormats) {
    const ServedFormat format =
        served_format(name, served_configuration(name).recipe, named.config);
    ChartLine line{.name = name, .x = {}, .y = {}};
    for (std::int64_t tokens = 1; tokens <= kMostTokens; tokens *= 2) {
      line.x.push_back(static_cast<double>(tokens));
      line.y.push_back(kMilliseconds *
                       step_seconds(prefill_cost(model, format, tokens), format, device.served));
    }
    panel.lines.push_back(std::move(line));
  }
  chart.panels.push_back(std::move(panel));
  return svg_chart(chart);
}

std::string picture_capacity_plan(const Measured& measured) {
  const Json& sweep = measured.at("xeon_2threads", "serving[0]");
  const double goal = sweep.at("ttft_goal").get<double>();
  Chart chart{.title = "The slowest wait for a first token, by load",
              .subtitle = fmt::format("{}, {}, {}", sweep.at("model").get<std::string>(),
                                      sweep.at("machine").get<std::string>(),
                                      sweep.at("memory").get<std::string>()),
              .description =
                  "TTFT at p99 against requests a second. Each curve is flat, then "
                  "crosses the goal and leaves the picture.",
              .panels = {}};
  ChartPanel panel{.x = {.label = "requests a second"}, .y = {.label = "ms", .log = true}};
  double fastest = 0;
  for (const char* const name : {"fp16", "int8", "int4_g128", "kv_int8"}) {
    for (const Json& row : sweep.at("rows")) {
      if (row.at("config") != name) continue;
      ChartLine line{.name = name, .x = {}, .y = {}, .marks = true};
      for (const Json& point : row.at("points")) {
        line.x.push_back(point.at("requests_per_second").get<double>());
        line.y.push_back(kMilliseconds * point.at("ttft_seconds").at("p99").get<double>());
        fastest = std::max(fastest, line.x.back());
      }
      panel.lines.push_back(std::move(line));
    }
  }
  panel.lines.push_back({.name = fmt::format("the goal, {:.0f} ms", kMilliseconds * goal),
                         .x = {0, fastest},
                         .y = {kMilliseconds * goal, kMilliseconds * goal}});
  chart.panels.push_back(std::move(panel));
  return svg_chart(chart);
}

/// Predictions are those that the exercise's test judges: a line "claim C08 … measured …", and one
/// "expects ratio verdict" after it.
std::string picture_tradeoff(const Measured& measured) {
  const std::filesystem::path file =
      measured.folder() / "../../tests/05_serving/golden/tradeoff.txt";
  std::ifstream text(file);
  if (!text) fail_input(file, "cannot be read");
  ChartPoints points{.name = "claims about times", .points = {}};
  std::string id;
  for (std::string word; text >> word;) {
    if (word == "claim") text >> id;
    if (word != "expects") continue;
    double predicted = 0;
    text >> predicted;
    points.points.push_back({predicted, measured.number(id), id});
  }
  constexpr double kLow = 0.1, kHigh = 20;
  Chart chart{.title = "What a roofline predicts, and what was measured",
              .subtitle = "ratios of times on the reference CPU",
              .description =
                  "Most claims lie near the line of perfect prediction; INT4 without its "
                  "kernel lies far above.",
              .panels = {}};
  chart.panels.push_back(
      {.x = {.label = "predicted", .log = true, .low = kLow, .high = kHigh},
       .y = {.label = "measured", .log = true, .low = kLow, .high = kHigh},
       .lines = {{.name = "as predicted", .x = {kLow, kHigh}, .y = {kLow, kHigh}}},
       .points = {std::move(points)},
       .height = 320});
  return svg_chart(chart);
}

std::vector<PagePicture> pictures_of_lab05(const Measured& measured) {
  return {{"cost_model", picture_cost_model(measured)},
          {"latency_metrics", picture_latency_metrics()},
          {"continuous_batching", picture_continuous_batching()},
          {"capacity_plan", picture_capacity_plan(measured)},
          {"tradeoff", picture_tradeoff(measured)}};
}

}  // namespace qlab
