// SPDX-License-Identifier: Apache-2.0
/// \file
/// The picture of cost_model: the time of a step as its tokens grow, from the cost model itself.
#include "05_serving/cost_model.h"

#include <cmath>
#include <functional>
#include <vector>

#include "lab/svg_chart.h"
#include "pages/pictures/lab05.h"

namespace qlab {
namespace {

constexpr double kLeastMilliseconds = 0.5;

/// Seconds over tokens 1, 1.19, 1.41 … `most`, rounded to whole ones. What lies under the axis is left
/// out.
ChartLine line_of(const std::string& name, double most,
                  const std::function<double(std::int64_t)>& seconds) {
  ChartLine line{.name = name, .x = {}, .y = {}};
  for (int i = 0; std::exp2(i / 4.0) <= most * 1.001; ++i) {
    const auto tokens = static_cast<std::int64_t>(std::lround(std::exp2(i / 4.0)));
    if (!line.x.empty() && static_cast<double>(tokens) <= line.x.back()) continue;
    const double milliseconds = 1e3 * seconds(tokens);
    if (milliseconds < kLeastMilliseconds) continue;
    line.x.push_back(static_cast<double>(tokens));
    line.y.push_back(milliseconds);
  }
  return line;
}

ChartPanel of_a_prompt(const ServedModel& model, const ServedDevice& device) {
  const ServedFormat fp16 = pictured_format("fp16");
  const auto step = [&](const std::string& name) {
    return [&, format = pictured_format(name)](std::int64_t tokens) {
      return step_seconds(prefill_cost(model, format, tokens), format, device);
    };
  };
  const auto total = [&](std::int64_t tokens) {
    return total_cost(prefill_cost(model, fp16, tokens));
  };
  constexpr double kMost = 4096;
  return {.x = {.label = "tokens of one prompt", .log = true},
          .y = {.label = "milliseconds", .log = true, .low = kLeastMilliseconds},
          .lines = {line_of("FP16: the step", kMost, step("fp16")),
                    line_of("FP16: its loads alone", kMost,
                            [&](std::int64_t tokens) {
                              return static_cast<double>(total(tokens).bytes) /
                                     device.bytes_per_second;
                            }),
                    line_of("FP16: its arithmetic alone", kMost,
                            [&](std::int64_t tokens) {
                              return static_cast<double>(total(tokens).flops) / device.fp16_flops;
                            }),
                    line_of("INT4 weights (W4A16)", kMost, step("int4_g128")),
                    line_of("INT8 (W8A8)", kMost, step("int8"))}};
}

ChartPanel of_a_decode(const ServedModel& model, const ServedDevice& device) {
  constexpr std::int64_t kContext = 1024;
  const auto step = [&](const std::string& name) {
    return [&, format = pictured_format(name)](std::int64_t users) {
      const std::vector<std::int64_t> contexts(static_cast<std::size_t>(users), kContext);
      return step_seconds(decode_step_cost(model, format, contexts), format, device);
    };
  };
  constexpr double kMost = 256;
  return {.x = {.label = "users who decode, 1024 tokens of context each", .log = true},
          .y = {.label = "milliseconds", .log = true, .low = kLeastMilliseconds},
          .lines = {line_of("FP16", kMost, step("fp16")),
                    line_of("INT4 weights", kMost, step("int4_g128")),
                    line_of("INT8 cache", kMost, step("kv_int8"))}};
}

}  // namespace

std::string picture_of_cost_model() {
  const ServedModel model = pictured_model();
  const ServedDevice device = pictured_device();
  return svg_chart(
      {.title = "The time of a step",
       .subtitle = "Llama 2 7B by the cost model, with the bandwidth and peaks measured on an H200",
       .description =
           "Above: the step of a prompt is flat while loads take longer than arithmetic, and rises "
           "with the tokens after that; INT4 weights are lower only in the flat part, INT8 "
           "everywhere. Below: a decode step rises with the users' caches.",
       .panels = {of_a_prompt(model, device), of_a_decode(model, device)}});
}

}  // namespace qlab
