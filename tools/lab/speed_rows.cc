// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ratios round by round, shares of the roofline, noise.
#include "lab/speed_rows.h"

#include <algorithm>
#include <cmath>

namespace qlab {
namespace {

/// "int8" of "int8_llm", "int4_g128" of "int4_w4a8".
std::string plain_form(std::string_view name) {
  if (name.starts_with("int8_")) return "int8";
  return name.starts_with("int4_") && !name.starts_with("int4_g128") ? "int4_g128" : "";
}

}  // namespace

void add_speed_rows(const std::string& operation, const std::vector<TimedCandidate>& candidates,
                    std::uint64_t seed, std::vector<SpeedRow>& rows) {
  const std::vector<double>& fp16 = candidates[0].seconds;
  const Interval again = time_ratio(candidates[1].seconds, fp16, seed);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (i == 1) continue;
    const TimedCandidate& candidate = candidates[i];
    rows.push_back({.operation = operation,
                    .name = candidate.name,
                    .yours = candidate.yours,
                    .path = candidate.path,
                    .cost = candidate.cost,
                    .seconds = median_interval(candidate.seconds, seed),
                    .to_fp16 = time_ratio(candidate.seconds, fp16, seed),
                    .plain = plain_form(candidate.name),
                    .to_plain = std::nullopt,
                    .noise = 2 * std::abs(again.value - 1),
                    .read_bandwidth_share = 0,
                    .fma_peak_share = 0,
                    .rounds = std::ssize(candidate.seconds),
                    .peer = candidate.peer,
                    .rung = candidate.rung});
    SpeedRow& row = rows.back();
    const auto plain = std::ranges::find(candidates, row.plain, &TimedCandidate::name);
    if (plain != candidates.end()) {
      row.to_plain = time_ratio(candidate.seconds, plain->seconds, seed);
    }
  }
}

void finish_speed_rows(Speed& speed) {
  std::vector<double> noises;
  for (SpeedRow& row : speed.rows) {
    row.read_bandwidth_share =
        static_cast<double>(row.cost.bytes) / row.seconds.value / speed.read_bytes_per_second;
    row.fma_peak_share =
        static_cast<double>(row.cost.flops) / row.seconds.value / speed.fma_flops_per_second;
    noises.push_back(row.noise);
  }
  const double middle = median(noises);
  for (SpeedRow& row : speed.rows) row.noise = std::max(row.noise, middle);
}

}  // namespace qlab
