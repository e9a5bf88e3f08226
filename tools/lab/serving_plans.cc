// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is served by default, and what claims may ask of it.
#include <fmt/format.h>

#include <limits>

#include "lab/serving.h"

namespace qlab {
namespace {

std::vector<ServedConfiguration> named(std::initializer_list<std::string_view> names) {
  std::vector<ServedConfiguration> configs;
  for (const std::string_view name : names) configs.push_back(served_configuration(name));
  return configs;
}

constexpr double kMargin = 0.02;  // a difference in time that does not matter

void add(Measurements& measurements, const std::string& name, double value, double margin,
         double noise = 0) {
  measurements[name] =
      Measurement{.interval = {value, value, value}, .margin = margin, .noise = noise};
}

}  // namespace

ServingPlan big_serving_plan(bool quick) {
  ServingPlan plan{
      .configs = named({"fp16", "int8", "int4_g128", "kv_int8", "int4_g128 + kv_int8",
                        "int4_g128 unfused", "fp16 chunked"}),
      .loads = {0.1, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6, 2},
      .rates = {},
      .trace = {},
      .requests = 400,
      .prompt = {.median = 256, .spread = 0.8, .most = 2048},
      .output = {.median = 192, .spread = 0.6, .most = 1024},
      .scheduler = {.block_tokens = 16,
                    .total_blocks = 1,
                    .max_running = 256,
                    .max_tokens_per_step = 4096},
      .memory_bytes = std::int64_t{24} << 30,
      .goals = {.ttft = 0.45, .tpot = 0.04, .e2e = std::numeric_limits<double>::infinity()}};
  if (quick) plan.loads = {0.1, 0.5, 0.9, 1.3}, plan.requests = 250;
  return plan;
}

ServingPlan tiny_serving_plan() {
  return {.configs = named({"fp16", "int8", "int4_g128", "kv_int8"}),
          .loads = {0.5, 0.9},
          .rates = {},
          .trace = {},
          .requests = 20,
          .prompt = {.median = 48, .spread = 0.6, .most = 160},
          .output = {.median = 24, .spread = 0.5, .most = 96},
          .scheduler = {.block_tokens = 16,
                        .total_blocks = 1,
                        .max_running = 6,
                        .max_tokens_per_step = 1024},
          .memory_bytes = std::int64_t{10} << 20,
          .goals = {.ttft = 0.2, .tpot = 0.02, .e2e = std::numeric_limits<double>::infinity()}};
}

void add_serving_measurements(const ServingSweep& sweep, Measurements& measurements) {
  const ServingRow& first = sweep.rows.front();
  for (const ServingRow& row : sweep.rows) {
    if (row.points.empty()) continue;
    const auto ratio = [&](std::string_view what, std::string_view where) {
      return fmt::format("{0}({1}{2}) / {0}({3}{2})", what, row.config, where, first.config);
    };
    if (!sweep.modelled) {
      if (row.saturated_to_first) {
        measurements[ratio("served", " here")] = Measurement{
            .interval = *row.saturated_to_first, .margin = kMargin, .noise = sweep.noise};
      }
      continue;
    }
    // On paper: exact, but a difference that would not matter in practice does not matter here.
    add(measurements, ratio("served", ""), row.saturated / first.saturated, kMargin);
    const ServingPoint &low = row.points.front(), &low_first = first.points.front();
    add(measurements, ratio("tpot", ", low load"), low.tpot.p50 / low_first.tpot.p50, kMargin);
    if (first.highest > 0) {
      add(measurements, ratio("highest_rate", ""), row.highest / first.highest, kMargin);
    }
    for (std::size_t i = 0; i < row.points.size(); ++i) {
      const std::string where = fmt::format(", load={:.3g}", first.points[i].utilisation);
      add(measurements, ratio("itl_p99", where), row.points[i].itl.p99 / first.points[i].itl.p99,
          kMargin);
      add(measurements, ratio("ttft_p99", where), row.points[i].ttft.p99 / first.points[i].ttft.p99,
          kMargin);
    }
  }
}

}  // namespace qlab
