// SPDX-License-Identifier: Apache-2.0
/// \file
/// workload: requests that come by chance, with prompts and answers of chance length.
///
/// Bottleneck   none
/// Bytes moved  none
/// FLOPs        none
/// Teaches      an open loop: users do not wait until a server has time for them
/// Leaves out   bursts, hours of the day, users who ask again
#pragma once

#include <cstdint>
#include <vector>

#include "05_serving/scheduler.h"

namespace qlab {

/// Lengths whose logarithm is normal: most are short, and some are many times longer.
struct TokenLengths {
  double median;      ///< tokens, at least 1
  double spread;      ///< standard deviation of the logarithm, 0 (all equal) … 3
  std::int64_t most;  ///< longer ones become this; at least 1
};

/// Who comes, how often, and with how much.
struct WorkloadConfig {
  std::int64_t requests;  ///< 1 … 10,000,000
  double rate;            ///< requests a second, on average; > 0
  TokenLengths prompt, output;
  std::uint64_t seed;
};

/// Poisson arrivals: gaps are exponential, so that nothing is known of the next one. The same seed
/// gives the same requests at every rate, only nearer to each other: sweeps compare like with like.
/// The first request comes after a gap, too.
/// \throws ContractError naming the number that makes no workload
std::vector<ServeRequest> poisson_workload(const WorkloadConfig& config);

}  // namespace qlab
