// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times of a GPU as `lab compare` judges them: the same rows and measurements as those of this
/// machine's clock, and a reason for each claim that no kernel of a GPU answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lab/gpu_times.h"
#include "lab/plan.h"
#include "lab/served_formats.h"
#include "lab/speed.h"

namespace qlab {

/// The rows of all problems, or of those that `--only` asks for. \throws InputError when none is
/// left.
Speed speed_on_gpu(const GpuTimes& times, std::string_view only, std::uint64_t seed);

/// speed_on_gpu(); its measurements, and of claims about times that have none the reason.
/// Speed::about says what "scalar" stands for, how far a peer's FP16 is from ours, and which
/// verdicts it would change.
Speed judge_gpu_times(const GpuTimes& times, const Plan& plan, std::string_view only,
                      std::uint64_t seed, Measurements& measurements);

/// Whether a claim's measure is a time of a kernel, or made of such times.
bool is_about_time(std::string_view measure);

/// As the cost model of serving sees it, by the same measures as measured_device().
MeasuredDevice served_device(const GpuTimes& times);

}  // namespace qlab
