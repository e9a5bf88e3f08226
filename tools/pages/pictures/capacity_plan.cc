// SPDX-License-Identifier: Apache-2.0
/// \file
/// The picture of capacity_plan: how long the slowest users wait as requests come faster.
#include "05_serving/capacity_plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "lab/svg_chart.h"
#include "pages/pictures/lab05.h"

namespace qlab {
namespace {

using Json = nlohmann::json;

constexpr const char* kSweep = "serving[modelled=true]";

struct Shown {
  const char *config, *name;
};
constexpr Shown kShown[] = {{"fp16", "FP16"},
                            {"int4_g128", "INT4 weights"},
                            {"kv_int8", "INT8 cache"},
                            {"int4_g128 + kv_int8", "INT4 and INT8 cache"}};

/// The load tests of a format, and a curve of them.
const Json& load_tests(const Measured& measured, const Shown& shown) {
  return measured.at("xeon_2threads",
                     fmt::format("{}.rows[config={}].points", kSweep, shown.config));
}

double rate_of(const Json& test) { return test.at("requests_per_second").get<double>(); }
double wait_of(const Json& test) { return test.at("ttft_seconds").at("p99").get<double>(); }
double goodput_of(const Json& test) { return test.at("goodput").get<double>(); }

ChartLine line_of(const Measured& measured, const Shown& shown, double (*value)(const Json&)) {
  ChartLine line{.name = shown.name, .x = {}, .y = {}};
  for (const Json& test : load_tests(measured, shown)) {
    line.x.push_back(rate_of(test));
    line.y.push_back(value(test));
  }
  return line;
}

/// Load tests in which more comes than the server can do.
ChartPoints falling_behind(const Measured& measured, double (*value)(const Json&)) {
  ChartPoints points{.name = "at or above saturation", .points = {}};
  for (const Shown& shown : kShown) {
    for (const Json& test : load_tests(measured, shown)) {
      if (test.at("utilisation").get<double>() < 1) continue;
      points.points.push_back({.x = rate_of(test), .y = value(test)});
    }
  }
  return points;
}

}  // namespace

std::string picture_of_capacity_plan(const Measured& measured) {
  const double goal = measured.number(fmt::format("{}.ttft_goal", kSweep));
  ChartPanel waits{.x = {.label = "requests a second", .low = 0},
                   .y = {.label = "p99 of TTFT, seconds", .log = true}};
  ChartPanel good{.x = {.label = "requests a second", .low = 0},
                  .y = {.label = "requests a second in time", .low = 0}};
  for (const Shown& shown : kShown) {
    waits.lines.push_back(line_of(measured, shown, wait_of));
    good.lines.push_back(line_of(measured, shown, goodput_of));
  }
  waits.points = {falling_behind(measured, wait_of)};
  good.points = {falling_behind(measured, goodput_of)};
  const std::vector<double>& rates = waits.lines.front().x;
  waits.lines.push_back({.name = "the goal", .x = {0, rates.back()}, .y = {goal, goal}});
  waits.height = 240;
  return svg_chart(
      {.title = "A rate that holds, and the next one",
       .subtitle = "Llama 2 7B on an H200, modelled; the same requests for every format",
       .description =
           "Above: the 99th percentile of the time to first token stays near a few hundredths of a "
           "second and then jumps over the goal between two tested rates, for FP16 first. Crosses "
           "mark load tests at or above saturation; two of them lie far under the goal. Below: "
           "requests served in time rise with the rate and fall after the same point.",
       .panels = {waits, good}});
}

}  // namespace qlab
