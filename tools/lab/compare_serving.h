// SPDX-License-Identifier: Apache-2.0
/// \file
/// The serving part of `lab compare`: a 7B model on paper, the lab's own by the clock.
#pragma once

#include <optional>
#include <vector>

#include "lab/compare.h"
#include "lab/gpu_times.h"
#include "lab/serving.h"
#include "model/checkpoint.h"

namespace qlab {

/// Seconds that measure_serving() takes, about: its share of the progress line.
double serving_seconds(const CompareOptions& options, const std::optional<GpuTimes>& gpu);

/// Sweeps the formats of this run and adds what claims may ask. The part by the clock is left out
/// of a quick run, forced to the scalar path and with another model, for it would take minutes
/// there; and with the times of a GPU, where it does not run. The model on paper is served by that
/// GPU then, else by an H200.
/// \param progress  called with the share that is done, and what is next
std::vector<ServingSweep> measure_serving(
    const CompareOptions& options, const Plan& plan, const Checkpoint& checkpoint,
    const Machine& machine, const std::optional<GpuTimes>& gpu,
    const std::function<void(double, const std::string&)>& progress, Measurements& measurements);

}  // namespace qlab
