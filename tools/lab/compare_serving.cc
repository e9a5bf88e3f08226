// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which formats are served, with whose scheduler.
#include "lab/compare_serving.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "lab/configurations.h"
#include "lab/gpu_speed.h"
#include "model/input_error.h"

namespace qlab {
namespace {

constexpr std::int64_t kRounds = 3;
const std::filesystem::path kMeasured = std::filesystem::path(QLAB_SOURCE_DIR) / "plan/measured";

/// Why the clock is not asked; empty: it is.
std::string left_out(const CompareOptions& options, const std::optional<GpuTimes>& gpu) {
  if (gpu) {
    return fmt::format("the lab's model runs on the CPU, not on the {}", gpu->run.device);
  }
  if (options.quick) return "--quick leaves it out";
  if (options.isa == Isa::kScalar && best_isa() != Isa::kScalar) {
    return "on the scalar path it would take minutes; leave --isa out";
  }
  if (!options.model.empty()) return "only the lab's own model is served here; leave --model out";
  return "";
}

/// The first, which the others are compared with, and those of a family.
void keep_family(std::string_view family, ServingPlan& plan) {
  if (family.empty()) return;
  std::vector<ServedConfiguration> kept = {plan.configs.front()};
  for (const ServedConfiguration& c : plan.configs) {
    if (in_family({.name = c.name, .recipe = c.recipe, .what = ""}, family)) kept.push_back(c);
  }
  plan.configs = kept;
}

/// Claims about serving that a part was left out for.
void say_why(const Plan& plan, const std::string& no_paper, const std::string& no_clock,
             Measurements& measurements) {
  for (const Claim& claim : plan.claims) {
    const bool about_serving = std::ranges::any_of(kServingMeasures, [&](std::string_view measure) {
      return claim.measure.starts_with(measure);
    });
    if (!about_serving || measurements.contains(claim.measure)) continue;
    const bool by_clock = claim.measure.find(" here)") != std::string::npos;
    const std::string& why = by_clock ? no_clock : no_paper;
    if (!why.empty()) measurements[claim.measure] = NotMeasured{why};
  }
}

}  // namespace

double serving_seconds(const CompareOptions& options, const std::optional<GpuTimes>& gpu) {
  return options.quick ? 1 : left_out(options, gpu).empty() ? 10 : 3;
}

std::vector<ServingSweep> measure_serving(
    const CompareOptions& options, const Plan& plan, const Checkpoint& checkpoint,
    const Machine& machine, const std::optional<GpuTimes>& gpu,
    const std::function<void(double, const std::string&)>& progress, Measurements& measurements) {
  SchedulerCode code;
  if (options.mine.schedule) code = {options.mine.schedule, options.mine.complete};
  CostCode cost;
  if (options.mine.step_cost) cost = {options.mine.step_cost, options.mine.step_seconds};

  std::vector<ServingSweep> sweeps;
  ServingPlan big = big_serving_plan(options.quick);
  big.memory_bytes = static_cast<std::int64_t>(options.budget_gib * 0x1p30);
  keep_family(options.only, big);
  std::string no_paper, no_clock = left_out(options, gpu);
  try {
    progress(0, "serving, a 7B model on paper");
    const MeasuredDevice device = gpu ? served_device(*gpu) : measured_device(kMeasured, "h200");
    sweeps.push_back(modelled_sweep(big, named_models().front(), device, cost, code));
    add_serving_measurements(sweeps.back(), measurements);
  } catch (const InputError& error) {
    no_paper = error.what();
  }
  if (no_clock.empty()) {
    ServingPlan tiny = tiny_serving_plan();
    tiny.seed = options.seed;
    keep_family(options.only, tiny);
    sweeps.push_back(
        real_sweep(tiny, checkpoint, "the lab's tiny model", kRounds, machine, progress, code));
    add_serving_measurements(sweeps.back(), measurements);
  }
  say_why(plan, no_paper, no_clock, measurements);
  return sweeps;
}

}  // namespace qlab
