// SPDX-License-Identifier: Apache-2.0
/// \file
/// continuous_batching: the scheduler of scheduler.h, written by the learner.
///
/// Bottleneck   none: counting, where a step of a model takes milliseconds
/// Bytes moved  none
/// FLOPs        none
/// Teaches      joining and leaving a batch at any step; whom to evict, and what that costs
/// Leaves out   time and latencies (latency_metrics), the cost of a step (cost_model)
///
/// Source: Yu et al., OSDI 2022; Kwon et al., SOSP 2023, section 4.5; Agrawal et al., OSDI 2024.
#pragma once

#include "05_serving/scheduler.h"

namespace qlab::exercise {

/// As qlab::schedule_step() and qlab::complete_step(), which scheduler.h describes. They are written
/// by the learner, and linked from labs/ or solutions/. The given scheduler is no oracle: tests hold
/// both to five traces of an independent script, and to what must be true of any trace.
StepPlan schedule_step(Scheduler& state);
/// Books what the model has computed: tokens cached and generated, blocks of those that ended.
/// \throws ContractError for a plan that is not the state's: check_plan().
StepResult complete_step(Scheduler& state, const StepPlan& plan);

}  // namespace qlab::exercise
