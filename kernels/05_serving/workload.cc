// SPDX-License-Identifier: Apache-2.0
/// \file
/// Draws gaps and lengths.
#include "05_serving/workload.h"

#include <algorithm>
#include <cmath>

#include "common/random.h"

namespace qlab {
namespace {

void check_lengths(const char* name, const TokenLengths& lengths) {
  QLAB_CHECK(lengths.most >= 1 && lengths.most <= kMaxServeTokens / 2, "poisson_workload: a ", name,
             " of at most ", lengths.most, " tokens; choose 1 to ", kMaxServeTokens / 2);
  QLAB_CHECK(lengths.median >= 1 && lengths.median <= static_cast<double>(lengths.most),
             "poisson_workload: a median ", name, " of ", lengths.median, " tokens; choose 1 to ",
             lengths.most);
  QLAB_CHECK(lengths.spread >= 0 && lengths.spread <= 3, "poisson_workload: the spread of ", name,
             " lengths is ", lengths.spread, "; choose 0 to 3");
}

std::int64_t draw(const TokenLengths& lengths, Random& random) {
  const double length = lengths.median * std::exp(lengths.spread * random.normal());
  return std::clamp<std::int64_t>(std::llround(std::min(length, static_cast<double>(lengths.most))),
                                  1, lengths.most);
}

}  // namespace

std::vector<ServeRequest> poisson_workload(const WorkloadConfig& config) {
  QLAB_CHECK(config.requests >= 1 && config.requests <= 10'000'000,
             "poisson_workload: ", config.requests, " requests; choose 1 to 10,000,000");
  QLAB_CHECK(config.rate > 0 && std::isfinite(config.rate) && std::isfinite(1 / config.rate),
             "poisson_workload: a rate of ", config.rate, " requests a second; choose one above 0");
  check_lengths("prompt", config.prompt);
  check_lengths("output", config.output);
  Random random(config.seed);
  std::vector<ServeRequest> requests;
  double gaps = 0;  // in units of the mean gap
  for (std::int64_t id = 0; id < config.requests; ++id) {
    gaps -= std::log(1 - random.uniform());
    const std::int64_t prompt = draw(config.prompt, random);
    requests.push_back({.id = id,
                        .arrival = gaps / config.rate,
                        .prompt_tokens = prompt,
                        .output_tokens = draw(config.output, random)});
  }
  return requests;
}

}  // namespace qlab
