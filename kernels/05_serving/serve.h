// SPDX-License-Identifier: Apache-2.0
/// \file
/// serve: requests that come at their times, a scheduler, and whatever runs a step, on one clock.
///
/// Bottleneck   that of the engine: memory while the batch is small, arithmetic when it is large
/// Bytes moved  those of the engine
/// FLOPs        those of the engine
/// Teaches      that a model on this machine and a model on paper are served by the same loop
/// Leaves out   a network, tokenization, users who give up, several servers
///
/// The clock is the engine's: it advances by what each step took, and skips the time in which nobody
/// is there. Requests that come during a step are seen when it ends.
#pragma once

#include <span>
#include <vector>

#include "05_serving/cost_model.h"
#include "05_serving/latency_metrics.h"
#include "05_serving/scheduler.h"

namespace qlab {

/// What runs the steps.
class ServeEngine {
 public:
  virtual ~ServeEngine() = default;
  /// A request has arrived. It is followed by steps that compute its tokens.
  virtual void begin(const ServeRequest& /*request*/) {}
  /// Runs one step and returns how many seconds it took, more than 0.
  /// \param plan  whoever stands in `preempted` has lost its cache, and computes it again later
  virtual double run(const StepPlan& plan) = 0;
  /// A request has its last token.
  virtual void end(std::int64_t /*id*/) {}
};

/// The functions of cost_model.h, given or a learner's.
struct CostCode {
  StepCost (*cost)(const ServedModel&, const ServedFormat&,
                   std::span<const SequenceStep>) = step_cost;
  double (*seconds)(const StepCost&, const ServedFormat&, const ServedDevice&) = step_seconds;
};

/// An engine on paper: a step takes what the cost model says.
class ModelledEngine : public ServeEngine {
 public:
  /// \param unpacked_bytes  moved in each step beside what the cost model counts; see unpack_bytes()
  ModelledEngine(const ServedModel& model, const ServedFormat& format, const ServedDevice& device,
                 std::int64_t unpacked_bytes = 0, const CostCode& code = {});
  double run(const StepPlan& plan) override;

 private:
  ServedModel model_;
  ServedFormat format_;
  ServedDevice device_;
  double unpack_seconds_;
  CostCode code_;
  std::vector<SequenceStep> sequences_;
};

/// What a step moves in addition where no kernel reads the codes: they are unpacked to FP16 in
/// memory, and an FP16 kernel reads that: 2 bytes written and 2 read of each weight in the layers.
std::int64_t unpack_bytes(const ServedModel& model);

/// The scheduler's two functions, given or a learner's.
struct SchedulerCode {
  StepPlan (*schedule)(Scheduler&) = schedule_step;
  StepResult (*complete)(Scheduler&, const StepPlan&) = complete_step;
};

/// A request that was served to its end.
struct ServedRequest {
  ServeRequest request;
  RequestTimes times;
  std::int64_t preemptions;
};

/// One step, as it was when it ran.
struct ServedStep {
  double start, seconds;
  std::int64_t decodes, prefills;  ///< sequences that got one token; prompts and chunks of them
  std::int64_t tokens;             ///< computed
  std::int64_t running;            ///< sequences with blocks; the budget may not reach all of them
  std::int64_t waiting;            ///< requests that had arrived and did not run
  std::int64_t used_blocks;        ///< of the cache
  std::int64_t preempted;          ///< sequences evicted
};

/// All that a run has to tell.
struct ServeRun {
  std::vector<ServedRequest> requests;  ///< in the order of arrival
  std::vector<ServedStep> steps;
};

/// Serves all requests to their last token, which takes a bounded number of steps whatever the rate:
/// where it is too high, the queue grows while they come and is worked off when none come any more.
/// \param requests  in any order; of equal arrival, the first one first
/// \throws ContractError  no requests; one that Scheduler::submit() refuses, before anything runs; a
///                        step without work while somebody is there, or of no time
ServeRun serve(const SchedulerConfig& config, std::span<const ServeRequest> requests,
               ServeEngine& engine, const SchedulerCode& code = {});

/// The times of all requests, as latency_metrics takes them.
std::vector<RequestTimes> request_times(const ServeRun& run);

/// Requests a second when all are there at once: what no rate of arrivals can exceed for long. They
/// come again, with other ids, until there are four for each place of the batch; the first and the last
/// quarter to end are not counted, for there the batch fills, or runs out. (If those between end at
/// one time, all are counted.)
double saturated_rate(const SchedulerConfig& config, std::span<const ServeRequest> requests,
                      ServeEngine& engine, const SchedulerCode& code = {});

}  // namespace qlab
