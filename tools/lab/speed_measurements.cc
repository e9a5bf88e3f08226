// SPDX-License-Identifier: Apache-2.0
/// \file
/// What claims may ask about times.
#include <fmt/format.h>

#include <algorithm>

#include "lab/speed.h"

namespace qlab {
namespace {

constexpr double kMargin = kGain;  // a difference in time that does not matter

/// value / row's time for its whole interval: a short time is a large share.
Interval per_time(const SpeedRow& row, double amount) {
  return {amount / row.seconds.value, amount / row.seconds.high, amount / row.seconds.low};
}

}  // namespace

void add_speed_measurements(const Speed& speed, const std::string& first_layer,
                            Measurements& measurements) {
  for (const Crossover& crossover : speed.crossovers) {
    measurements[fmt::format("crossover({})", crossover.name)] =
        Measurement{.interval = crossover.tokens, .unit = "tokens"};
  }
  const SpeedRow* fp16_m1 = nullptr;
  for (const SpeedRow& row : speed.rows) {
    if (row.yours || row.peer) continue;  // claims are about ours
    if (row.operation.starts_with("batched attention")) {
      measurements[fmt::format("attention_time({0}, {1}) / attention_time(fp16, {1})", row.name,
                               batch_of(row))] = Measurement{row.to_fp16, kMargin, row.noise};
      continue;
    }
    if (row.operation.starts_with("decode attention")) {
      measurements[fmt::format("attention_time({}) / attention_time(fp16)", row.name)] =
          Measurement{row.to_fp16, kMargin, row.noise};
      continue;
    }
    if (!row.operation.starts_with(first_layer)) continue;  // claims are about one layer
    const std::string m = row.operation.substr(row.operation.rfind("M = ") + 4);
    measurements[fmt::format("time({}, M={}) / time(fp16, M={})", row.name, m, m)] =
        Measurement{row.to_fp16, kMargin, row.noise};
    if (row.to_plain) {
      measurements[fmt::format("time({}, M={}) / time({}, M={})", row.name, m, row.plain, m)] =
          Measurement{*row.to_plain, kMargin, row.noise};
    }
    const Interval of_read =
        per_time(row, static_cast<double>(row.cost.bytes) / speed.read_bytes_per_second);
    const Interval of_fma =
        per_time(row, static_cast<double>(row.cost.flops) / speed.fma_flops_per_second);
    measurements[fmt::format("read_bandwidth_share({}, M={})", row.name, m)] =
        Measurement{of_read, kMargin, row.noise};
    measurements[fmt::format("fma_peak_share({}, M={})", row.name, m)] =
        Measurement{of_fma, kMargin, row.noise};
    if (row.name == "fp16" && m == "1") fp16_m1 = &row;
    if (row.name == "fp16" && m == "256" && fp16_m1 != nullptr) {
      // The two were not timed in the same rounds: the extremes of both intervals bound the ratio.
      const Interval one =
          per_time(*fp16_m1, static_cast<double>(fp16_m1->cost.flops) / speed.fma_flops_per_second);
      measurements["fma_peak_share(fp16, M=256) / fma_peak_share(fp16, M=1)"] =
          Measurement{{of_fma.value / one.value, of_fma.low / one.high, of_fma.high / one.low},
                      kMargin,
                      std::max(row.noise, fp16_m1->noise)};
    }
  }
}

std::string batch_of(const SpeedRow& row) {
  // "batched attention, 32 on 8 heads, 1024 tokens, batch 8"
  const std::size_t tokens = row.operation.rfind(" tokens");
  const std::size_t space = row.operation.rfind(' ', tokens - 1);
  return row.operation.substr(row.operation.rfind(' ') + 1) + "x" +
         row.operation.substr(space + 1, tokens - space - 1);
}

}  // namespace qlab
