// SPDX-License-Identifier: Apache-2.0
/// \file
/// Serving under load, in the formats of the table: what users wait for as requests come faster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/statistics.h"

namespace qlab {

/// p50, p90 and p99, in seconds.
struct Percentiles {
  double p50, p90, p99;
};

/// One run: requests at one rate, on a model in one format.
struct ServingPoint {
  double rate;               ///< requests a second that arrive, on average
  double utilisation;        ///< rate / what the server does at most; from 1 on it falls behind
  Percentiles ttft, tpot;    ///< over requests
  Percentiles itl;           ///< over gaps between tokens
  double goodput;            ///< requests a second that met both goals
  double tokens_per_second;  ///< output tokens
  double batch;              ///< sequences in a step, on average over the time of steps
  double kv_used;            ///< share of the cache's blocks in use: on average over that time,
  double kv_peak;            ///< and at most
  std::int64_t preemptions;
};

/// A model in one format, at every rate of the sweep.
struct ServingRow {
  std::string config;                ///< "int4_g128 + kv_int8"
  std::int64_t cache_tokens;         ///< that the cache has blocks for
  double saturated;                  ///< requests a second when all are there at once
  std::vector<ServingPoint> points;  ///< rates rising
};

/// A sweep. All its formats get the same requests at the same times.
struct ServingSweep {
  std::string model;    ///< "Llama 2 7B", "the lab's tiny model"
  std::string machine;  ///< "NVIDIA H200, modelled", "this machine"
  bool modelled;        ///< times come from the cost model, not from a clock
  std::int64_t requests;
  double ttft_goal, tpot_goal;  ///< seconds
  std::vector<ServingRow> rows;
};

}  // namespace qlab
