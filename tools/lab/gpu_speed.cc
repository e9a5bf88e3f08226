// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows, measurements and reasons out of the times of a GPU.
#include "lab/gpu_speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lab/speed_rows.h"
#include "model/input_error.h"

namespace qlab {
namespace {

constexpr std::string_view kScalar = " on scalar";

/// Whether `--only` asks for it, as on the CPU: a family's formats beside FP16, and for "kv" no
/// layers.
bool wanted(const GpuProblem& problem, std::string_view only) {
  const bool linear = parse_gpu_operation(problem.operation).kind == "linear";
  return only.empty() || linear != (only == "kv");
}
bool wanted(const GpuCandidate& c, std::string_view only) {
  return only.empty() || !c.ours || c.name.starts_with("fp16") || c.name.starts_with(only);
}

/// The layer that claims are about, with every M that was timed, rising.
SpeedPlan::Layer first_layer(const GpuTimes& times) {
  SpeedPlan::Layer layer = speed_plan(/*quick=*/true).layers.front();
  layer.tokens.clear();
  for (const GpuProblem& problem : times.problems) {
    const GpuOperation operation = parse_gpu_operation(problem.operation);
    if (operation.layer == layer.name) layer.tokens.push_back(operation.tokens);
  }
  std::ranges::sort(layer.tokens);
  return layer;
}

const GpuCandidate* peer_of(const GpuProblem& problem) {
  const auto found = std::ranges::find(problem.candidates, false, &GpuCandidate::ours);
  return found == problem.candidates.end() ? nullptr : &*found;
}

/// "int8_llm" and "int8" of "time(int8_llm, M=1) / time(int8, M=1)".
std::vector<std::string> formats_in(const std::string& measure) {
  std::vector<std::string> formats;
  for (std::size_t open = measure.find('('); open != std::string::npos;
       open = measure.find('(', open + 1)) {
    const std::size_t end = measure.find_first_of(",)", open);
    formats.push_back(measure.substr(open + 1, end - open - 1));
  }
  return formats;
}

bool has_kernel(const GpuTimes& times, const std::string& format) {
  return std::ranges::any_of(times.problems, [&](const GpuProblem& problem) {
    return std::ranges::count(problem.candidates, format, &GpuCandidate::name) > 0;
  });
}

/// Of claims about times that nothing was measured for.
void say_why(const GpuTimes& times, const Plan& plan, std::string_view only,
             Measurements& measurements) {
  for (const Claim& claim : plan.claims) {
    if (!is_about_time(claim.measure) || measurements.contains(claim.measure)) continue;
    std::string why;
    for (const std::string& format : formats_in(claim.measure)) {
      if (!why.empty() || has_kernel(times, format)) continue;
      why = fmt::format("no GPU kernel of {} here to time on the {}", format, times.run.device);
    }
    if (why.empty() && only.empty()) {
      why = fmt::format("{} has no such times of the {}", times.run.file, times.run.device);
    }
    if (!why.empty()) measurements[claim.measure] = NotMeasured{why};
  }
}

Measurements measurements_of(const Speed& speed) {
  Measurements measurements;
  add_speed_measurements(speed, speed_plan(/*quick=*/true).layers.front().name, measurements);
  return measurements;
}

/// The same times with the peer's FP16 in place of ours wherever it is faster. FP16 differs from
/// itself as before.
GpuTimes with_faster_fp16(GpuTimes times) {
  for (GpuProblem& problem : times.problems) {
    const GpuCandidate* const peer = peer_of(problem);
    std::vector<double>& fp16 = problem.candidates[0].seconds;
    if (peer == nullptr || median(peer->seconds) >= median(fp16)) continue;
    std::vector<double>& again = problem.candidates[1].seconds;
    for (std::size_t i = 0; i < fp16.size(); ++i) {
      again[i] *= peer->seconds[i] / fp16[i];
      fp16[i] = peer->seconds[i];
    }
  }
  return times;
}

/// "C10 did not hold here", of claims that would fall otherwise on other measurements.
std::string changed_verdicts(const Plan& plan, const Measurements& ours,
                             const Measurements& theirs) {
  std::string changed;
  for (const Claim& claim : plan.claims) {
    if (!ours.contains(claim.measure) || !theirs.contains(claim.measure)) continue;
    const ClaimVerdict other = judge(claim, theirs);
    if (other.outcome == judge(claim, ours).outcome) continue;
    changed +=
        fmt::format("{}{} {}", changed.empty() ? "" : ", ", claim.id, outcome_name(other.outcome));
  }
  return changed;
}

/// How far the peer's FP16 is from ours, in the layer that claims are about.
std::string peer_sentence(const Speed& speed, const std::string& layer) {
  std::string ratios, name;
  for (const SpeedRow& row : speed.rows) {
    if (!row.peer || !row.operation.starts_with(layer)) continue;
    name = row.name;
    ratios += fmt::format("{}{:.2f} at {}", ratios.empty() ? "" : ", ", row.to_fp16.value,
                          row.operation.substr(row.operation.rfind("M = ")));
  }
  if (name.empty()) return "";
  return fmt::format("FP16 is our kernel in all ratios. {} takes of its time in the {}: {}", name,
                     layer, ratios);
}

}  // namespace

bool is_about_time(std::string_view measure) {
  constexpr std::array kBegins{"time(", "attention_time(", "read_bandwidth_share(",
                               "fma_peak_share(", "crossover("};
  return std::ranges::any_of(kBegins,
                             [&](const char* begin) { return measure.starts_with(begin); });
}

Speed speed_on_gpu(const GpuTimes& times, std::string_view only, std::uint64_t seed) {
  Speed speed{.read_bytes_per_second = times.run.read_bytes_per_second,
              .fma_flops_per_second = times.run.fp16_flops_per_second,
              .rows = {},
              .crossovers = {}};
  for (const GpuProblem& problem : times.problems) {
    if (!wanted(problem, only)) continue;
    std::vector<TimedCandidate> timed;
    for (const GpuCandidate& c : problem.candidates) {
      if (!wanted(c, only)) continue;
      timed.push_back({.name = c.name,
                       .path = Isa::kScalar,
                       .cost = c.cost,
                       .seconds = c.seconds,
                       .peer = !c.ours,
                       .rung = c.rung});
    }
    add_speed_rows(problem.operation, timed, seed, speed.rows);
  }
  if (speed.rows.empty()) {
    throw InputError(fmt::format("{}: has no times that --only {} asks for", times.run.file, only));
  }
  finish_speed_rows(speed);
  const SpeedPlan::Layer layer = first_layer(times);
  if (!layer.tokens.empty() && only != "kv") speed.crossovers = crossovers(speed, layer);
  return speed;
}

Speed judge_gpu_times(const GpuTimes& times, const Plan& plan, std::string_view only,
                      std::uint64_t seed, Measurements& measurements) {
  Speed speed = speed_on_gpu(times, only, seed);
  const Measurements ours = measurements_of(speed);
  measurements.insert(ours.begin(), ours.end());
  say_why(times, plan, only, measurements);

  const bool portable = std::ranges::any_of(
      speed.rows, [](const SpeedRow& row) { return row.name.ends_with(kScalar); });
  if (portable) {
    speed.about.push_back(
        "on scalar: the ladder's first rung, a thread an output (attention: a block a query head), "
        "code after code, without tensor cores: what is left where nobody wrote a kernel for the "
        "format");
  }
  const std::string layer = first_layer(times).name;
  if (const std::string peer = peer_sentence(speed, layer); !peer.empty()) {
    const std::string changed = changed_verdicts(
        plan, ours, measurements_of(speed_on_gpu(with_faster_fp16(times), only, seed)));
    speed.about.push_back(peer);
    speed.about.push_back("with the faster FP16 of the two as the baseline " +
                          (changed.empty() ? "no verdict would change" : "would be: " + changed));
  }
  return speed;
}

MeasuredDevice served_device(const GpuTimes& times) {
  const GpuRun& run = times.run;
  return {.name = run.device,
          .date = run.date,
          .files = {run.file},
          .served = {.fp16_flops = run.fp16_product_flops_per_second,
                     .int8_flops = run.int8_product_flops_per_second,
                     .bytes_per_second = run.read_bytes_per_second,
                     .step_overhead_seconds = run.launch_seconds}};
}

}  // namespace qlab
