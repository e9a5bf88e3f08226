// SPDX-License-Identifier: Apache-2.0
/// \file
/// Workloads for a scheduler: random ones in small memories, and a few that are built.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "05_serving/scheduler_trace.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {

/// What a workload is, for a failure's first line.
inline std::string text_of(const SchedulerConfig& c) {
  return std::to_string(c.total_blocks) + " blocks of " + std::to_string(c.block_tokens) + ", " +
         std::to_string(c.max_running) + " at once, " + std::to_string(c.max_tokens_per_step) +
         " tokens a step" + (c.chunked_prefill ? " in chunks" : "");
}

/// Prompts of 1 … 24 and outputs of 1 … 16 tokens, in a memory that holds two or three of them. Ids
/// fall, so that nobody takes them for an order.
inline Workload random_workload(Random& random, std::int64_t requests, bool chunked,
                                const std::string& name) {
  Workload w;
  const std::int64_t block = 1 + random.below(6);
  w.config = {.block_tokens = block,
              .total_blocks = (39 + block - 1) / block + random.below(60 / block),
              .max_running = 1 + random.below(6),
              .max_tokens_per_step = chunked ? 1 + random.below(16) : 39 + random.below(40),
              .chunked_prefill = chunked};
  double arrival = 0;
  for (std::int64_t i = 0; i < requests; ++i) {
    arrival += static_cast<double>(random.below(4)) * 0.75;  // between two steps as well
    w.requests.push_back({.id = 7 * (requests - i),
                          .arrival = arrival,
                          .prompt_tokens = 1 + random.below(24),
                          .output_tokens = 1 + random.below(16)});
  }
  w.name = "\"" + name + "\": " + text_of(w.config);
  return w;
}

/// Twelve without and twelve with chunks: 600 requests.
inline std::vector<Workload> random_workloads(std::uint64_t seed) {
  Random random(seed);
  std::vector<Workload> workloads;
  for (int i = 0; i < 24; ++i) {
    workloads.push_back(
        random_workload(random, 25, i % 2 == 1, "random requests " + std::to_string(i)));
  }
  return workloads;
}

/// Prompts of 16 … 47 tokens, outputs of 8 … 39, all there at once.
inline Workload rush(std::int64_t requests, std::int64_t total_blocks) {
  Random random(5);
  Workload w{.name = "\"a rush\"",
             .config = {.block_tokens = 16,
                        .total_blocks = total_blocks,
                        .max_running = 16,
                        .max_tokens_per_step = 256},
             .requests = {}};
  for (std::int64_t i = 0; i < requests; ++i) {
    w.requests.push_back({i, 0, 16 + random.below(32), 8 + random.below(32)});
  }
  return w;
}

}  // namespace qlab::test
