// SPDX-License-Identifier: Apache-2.0
/// \file
/// A file of times of a GPU that nobody has: its verdicts follow by arithmetic.
///
/// FP16 takes 10 us at every M, and reads at 80 % of the bandwidth at M = 1. INT8 takes half of it.
/// INT4 takes 12 us at M = 1, a gain nowhere; at M = 256 it takes 8 us in even rounds and 10 us in
/// odd ones. Two timings of FP16 are the same to the last bit, so there is no noise.
#pragma once

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/gpu_times.h"
#include "tools/run_program.h"

namespace qlab::test {

using Json = nlohmann::json;

inline constexpr double kUs = 1e-6;
inline constexpr double kLayerBytes = 2.0 * 4096 * 4096;  // of FP16 weights

/// The same seconds in every round, or two in turn.
inline std::vector<double> rounds_of(double even, double odd) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < kLeastGpuRounds; ++i) seconds.push_back(i % 2 == 0 ? even : odd);
  return seconds;
}

inline Json gpu_candidate(const std::string& name, double even, double odd, double share_of_bytes,
                          double flops) {
  return {{"name", name},
          {"rung", name.ends_with("scalar") ? "v1_naive" : "v6_made_up"},
          {"ours", !name.starts_with("cuBLASLt")},
          {"bytes", static_cast<std::int64_t>(share_of_bytes * kLayerBytes)},
          {"flops", static_cast<std::int64_t>(flops)},
          {"seconds", rounds_of(even, odd)}};
}

/// The projection at M tokens; the peer's FP16 takes `peer` of ours.
inline Json gpu_layer(std::int64_t M, double peer) {
  const double flops = kLayerBytes * static_cast<double>(M), us = 10 * kUs;
  const double int4_even = (M == 1 ? 12 : 8) * kUs, int4_odd = (M == 1 ? 12 : 10) * kUs;
  Json candidates = {gpu_candidate("fp16", us, us, 1, flops),
                     gpu_candidate("fp16 again", us, us, 1, flops),
                     gpu_candidate("int8", us / 2, us / 2, 0.5, flops),
                     gpu_candidate("int4_g128", int4_even, int4_odd, 0.26, flops)};
  if (M == 1) {
    candidates.push_back(gpu_candidate("int8 on scalar", 20 * us, 20 * us, 0.5, flops));
    candidates.push_back(gpu_candidate("int4_g128 on scalar", 30 * us, 30 * us, 0.26, flops));
  }
  candidates.push_back(gpu_candidate("cuBLASLt fp16", peer * us, peer * us, 1, flops));
  return {{"operation", "attention projection 4096×4096, M = " + std::to_string(M)},
          {"candidates", candidates}};
}

inline Json gpu_attention(const std::string& operation, bool scalar) {
  const double us = 30 * kUs, flops = 1e6;
  Json candidates = {gpu_candidate("fp16", us, us, 2, flops),
                     gpu_candidate("fp16 again", us, us, 2, flops),
                     gpu_candidate("kv_int8", 0.6 * us, 0.6 * us, 1, flops),
                     gpu_candidate("kv_fp8", 0.6 * us, 0.6 * us, 1, flops),
                     gpu_candidate("kv_int4", 0.4 * us, 0.4 * us, 0.5, flops)};
  if (scalar) candidates.push_back(gpu_candidate("kv_int8 on scalar", 9 * us, 9 * us, 1, flops));
  return {{"operation", operation}, {"candidates", candidates}};
}

inline Json gpu_file(double peer = 1.1) {
  return {{"schema", "quantization-lab.gpu_compare"},
          {"schema_version", 1},
          {"circumstances",
           {{"date", "2026-01-31T10:15:02Z"},
            {"device", "Made-up GPU"},
            {"compute_capability", "9.0"},
            {"multiprocessors", 100},
            {"l2_bytes", 50'000'000},
            {"cuda_runtime", 13000},
            {"cuda_driver", 13000},
            {"cache", "cold"},
            {"quick", false}}},
          {"roofline",
           {{"read_bytes_per_second", kLayerBytes / (8 * kUs)},
            {"launch_seconds", 2 * kUs},
            {"fp16_flops_per_second", kLayerBytes * 256 / (5 * kUs)},
            {"int8_flops_per_second", kLayerBytes * 256 / (2.5 * kUs)},
            {"fp16_product_flops_per_second", kLayerBytes * 256 / (6 * kUs)},
            {"int8_product_flops_per_second", kLayerBytes * 256 / (4 * kUs)}}},
          {"problems",
           {gpu_layer(1, peer), gpu_layer(16, peer), gpu_layer(256, peer),
            gpu_attention("decode attention, 32 heads, 4096 tokens", true),
            gpu_attention("batched attention, 32 on 8 heads, 1024 tokens, batch 8", false)}}};
}

/// Reads what `text` says, from a file of its own.
inline GpuTimes read_times(const std::string& text) {
  const TemporaryFolder folder;
  folder.write("times.json", text);
  return read_gpu_times(folder.path() / "times.json");
}

}  // namespace qlab::test
