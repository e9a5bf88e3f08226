// SPDX-License-Identifier: Apache-2.0
/// \file
/// Puts a plan together from what was asked, and sweeps it.
#include "lab/serve_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lab/json_serving.h"
#include "lab/output_file.h"
#include "lab/report_text.h"
#include "lab/results.h"
#include "lab/serving.h"
#include "lab/trace.h"
#include "model/input_error.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;
const fs::path kSource = QLAB_SOURCE_DIR;

ServingPlan plan_of(const ServeBenchOptions& options) {
  ServingPlan plan = options.on == "here" ? tiny_serving_plan() : big_serving_plan(/*quick=*/false);
  plan.seed = options.seed;
  if (!options.formats.empty()) plan.configs.clear();
  for (const std::string& name : options.formats) {
    plan.configs.push_back(served_configuration(name));
  }
  if (options.requests) plan.requests = *options.requests;
  if (!options.rates.empty()) plan.rates = options.rates;
  if (!std::ranges::is_sorted(plan.rates)) throw InputError("--rates: give them in rising order");
  if (!options.trace.empty()) plan.trace = read_trace(options.trace);
  if (options.memory_bytes) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 50;
    plan.memory_bytes = static_cast<std::int64_t>(std::min(*options.memory_bytes, kMost));
  }
  if (options.ttft_ms) plan.goals.ttft = *options.ttft_ms / 1e3;
  if (options.tpot_ms) plan.goals.tpot = *options.tpot_ms / 1e3;
  return plan;
}

const NamedModel& model_named(const std::string& id) {
  const auto found = std::ranges::find(named_models(), id.empty() ? "7b" : id, &NamedModel::id);
  if (found == named_models().end()) {
    throw InputError(fmt::format("--model {}: there are 7b, 8b and 70b", id));
  }
  return *found;
}

ServingSweep sweep_of(const ServeBenchOptions& options, const ServingPlan& plan,
                      const Terminal& terminal) {
  if (options.on != "here") {
    const MeasuredDevice device = measured_device(kSource / "plan/measured", options.on);
    return modelled_sweep(plan, model_named(options.model), device);
  }
  if (!options.model.empty()) {
    throw InputError(
        fmt::format("--model {}: here the lab's own model is served; for another give --on h200",
                    options.model));
  }
  const Checkpoint checkpoint = load_checkpoint(kSource / "model/tiny_lm");
  ThreadPool threads(options.threads);
  const Machine machine{threads, best_isa()};
  Progress progress(terminal, 1);
  return real_sweep(plan, checkpoint, "the lab's tiny model", /*rounds=*/0, machine,
                    [&](double share, const std::string& what) { progress.show(share, what); });
}

/// sweep_of(); what it refuses of a trace names the file.
ServingSweep served(const ServeBenchOptions& options, const ServingPlan& plan,
                    const Terminal& terminal) {
  const auto refuse = [&](const std::string& why) {
    if (options.trace.empty()) throw InputError(why);
    fail_input(options.trace, why, " (a request is named by its line)");
  };
  try {
    return sweep_of(options, plan, terminal);
  } catch (const ContractError& error) {
    refuse(error.what());
  } catch (const InputError& error) {
    refuse(error.what());
  }
  return {};  // not reached
}

/// Where the numbers are from.
std::string origin(const ServeBenchOptions& options) {
  if (options.on == "here") {
    return fmt::format("{} · {} threads · load {:.1f} · {}", cpu_name(), options.threads,
                       load_average(), utc_now());
  }
  const MeasuredDevice device = measured_device(kSource / "plan/measured", options.on);
  const ServedDevice& d = device.served;
  return fmt::format(
      "{}, as measured until {}: reads {:.2f} TB/s, FP16 {:.0f} TFLOP/s, INT8 {:.0f} TOP/s, a "
      "launch {:.1f} us ({})",
      device.name, device.date, d.bytes_per_second / 1e12, d.fp16_flops / 1e12, d.int8_flops / 1e12,
      d.step_overhead_seconds * 1e6, fmt::join(device.files, ", "));
}

}  // namespace

int run_serve_bench(const ServeBenchOptions& options, const Terminal& terminal) {
  std::optional<OutputFile> json;
  if (options.json) json.emplace(*options.json);
  const ServingPlan plan = plan_of(options);
  const std::string where = origin(options);
  const ServingSweep sweep = served(options, plan, terminal);
  ReportText text(terminal);
  text.line(text.styled(Style::kBold, "Quantization Lab " QLAB_VERSION ": serving under load"));
  text.note(where);
  text.line();
  report_serving(sweep, text);
  fmt::print("{}", text.finished());
  if (json) {
    nlohmann::ordered_json object = {{"schema", "quantization-lab.serve_bench"},
                                     {"schema_version", kJsonSchemaVersion},
                                     {"version", QLAB_VERSION},
                                     {"origin", where},
                                     {"seed", options.seed}};
    object.update(serving_json(sweep));
    json->commit(object.dump(1) + "\n");
  }
  return 0;
}

}  // namespace qlab
