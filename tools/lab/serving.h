// SPDX-License-Identifier: Apache-2.0
/// \file
/// Serving under load, in the formats of the table: what users wait for as requests come faster.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "05_serving/serve.h"
#include "05_serving/workload.h"
#include "common/statistics.h"
#include "lab/served_formats.h"
#include "lab/verdict.h"

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
  std::string config;                          ///< "int4_g128 + kv_int8"
  std::int64_t cache_tokens;                   ///< that the cache has blocks for
  double saturated;                            ///< requests a second when all are there at once
  std::optional<Interval> saturated_to_first;  ///< against the first row's, over rounds
  std::vector<ServingPoint> points;            ///< rates rising
  double highest = 0;   ///< the rate of the sweep up to which p99 of TTFT and TPOT met the goals
  std::string why_not;  ///< there are none
};

/// A sweep. All its formats get the same requests at the same times.
struct ServingSweep {
  std::string model;    ///< "Llama 2 7B", "the lab's tiny model"
  std::string machine;  ///< "NVIDIA H200, modelled", "this machine"
  bool modelled;        ///< times come from the cost model, not from a clock
  std::int64_t requests;
  double ttft_goal, tpot_goal;  ///< seconds
  std::string memory;           ///< "24 GiB", for weights and cache together
  double noise = 0;  ///< twice what odd rounds of the first row differ from even ones, relative
  std::vector<ServingRow> rows;
};

/// What is served, and how hard.
struct ServingPlan {
  std::vector<ServedConfiguration> configs;  ///< what the first one can do is the unit of loads
  std::vector<double> loads;                 ///< rates as shares of that, rising; or
  std::vector<double> rates;                 ///< requests a second, rising; or
  std::vector<ServeRequest> trace;           ///< requests and when they come
  std::int64_t requests = 0;                 ///< without a trace: how many
  TokenLengths prompt, output;
  std::uint64_t seed = 1;
  SchedulerConfig scheduler;  ///< total_blocks are found, max_tokens_per_step is without chunks
  std::int64_t chunk = 512;   ///< max_tokens_per_step with them
  std::int64_t memory_bytes;  ///< for weights and cache together
  LatencyGoals goals;
};

/// Requests and memory of `lab compare` and the defaults of `lab serve-bench`.
ServingPlan big_serving_plan(bool quick);  ///< of a 7B model, on paper
ServingPlan tiny_serving_plan();           ///< of the lab's model, here

/// Sweeps a model on paper. A format whose weights or longest request do not fit says so in its row.
/// \throws InputError  the first format is such a one, or the cost model has no terms for one
ServingSweep modelled_sweep(const ServingPlan& plan, const NamedModel& model,
                            const MeasuredDevice& device, const CostCode& cost = {},
                            const SchedulerCode& code = {});

/// Sweeps a model on this machine. With `rounds` > 0 all formats also serve all requests at once so
/// many times, turn by turn, for intervals.
/// \param progress  called with the share that is done, and what is next
ServingSweep real_sweep(const ServingPlan& plan, const Checkpoint& checkpoint,
                        const std::string& name, std::int64_t rounds, const Machine& machine,
                        const std::function<void(double, const std::string&)>& progress,
                        const SchedulerCode& code = {});

/// What claims about serving begin with.
inline constexpr std::string_view kServingMeasures[] = {"served(", "tpot(", "highest_rate(",
                                                        "itl_p99(", "ttft_p99("};

/// Adds what claims may ask.
void add_serving_measurements(const ServingSweep& sweep, Measurements& measurements);

}  // namespace qlab
