// SPDX-License-Identifier: Apache-2.0
/// \file
/// `./lab bench --device cuda`. For nvcc only.
#pragma once

#include <string>
#include <vector>

namespace qlab::gpu {

struct BenchOptions {
  std::vector<std::string> only;  ///< parts of "operation, shape"; none: all
  const char* json = nullptr;
  bool once = false;  ///< each rung once, for a profiler
};

/// Times the ladders, prints, writes. \returns the exit code: 1 when a result was wrong
/// \throws simt::Error when there is no GPU, or nothing of that name
int run_bench(const BenchOptions& options);

}  // namespace qlab::gpu
