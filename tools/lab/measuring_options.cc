// SPDX-License-Identifier: Apache-2.0
/// \file
/// The flags of the commands that measure, with what each may be.
#include "lab/measuring_options.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "lab/configurations.h"
#include "model/input_error.h"

namespace qlab {
namespace {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa isa : kAllIsas) names.emplace_back(isa_name(isa));
  return names;
}

std::vector<std::string> family_names() { return {std::begin(kFamilies), std::end(kFamilies)}; }

/// For an option whose help has no line to spare for the list: who names another one is told.
CLI::Validator one_of(const std::vector<std::string>& names) {
  return CLI::IsMember(names).description("");
}

/// CLI::PositiveNumber would let NaN pass and print the largest double when it refuses.
std::string above_zero(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool whole = end != text.c_str() && *end == '\0';
  return whole && value > 0 && std::isfinite(value) ? "" : text + " is not a number above 0";
}

/// In (0, 100].
std::string percentile_in_range(const std::string& text) {
  const std::string wrong = above_zero(text);
  if (wrong.empty() && std::strtod(text.c_str(), nullptr) <= 100) return "";
  return text + " is not a percentile above 0 and up to 100";
}

}  // namespace

Isa usable_isa(const std::string& name) {
  if (name.empty()) return best_isa();
  const Isa isa = isa_named(name).value();
  if (isa > best_isa()) {
    throw InputError(
        fmt::format("--isa {}: this processor has {} at most", name, isa_name(best_isa())));
  }
  return isa;
}

void refuse_cuda(const std::string& device) {
  if (device != "cuda") return;
  throw InputError(
      "--device cuda: ./lab builds and starts what runs on a GPU; this program cannot");
}

void check_device(const CompareOptions& options, const std::string& isa) {
  if (options.device == "cpu") return;
  if (options.device.empty()) throw InputError("--device is empty; it takes cpu, cuda or a file");
  const char* const cpu = options.mine_use.asked ? "--mine" : isa.empty() ? "" : "--isa";
  if (*cpu != '\0') {
    throw InputError(fmt::format(
        "{} is about kernels on the CPU, and --device {} about times of a GPU; leave one out", cpu,
        options.device));
  }
  refuse_cuda(options.device);
}

void add_compare(CLI::App& app, CompareOptions& options, std::string& isa, Look& look) {
  constexpr int kMostThreads = 1024;
  CLI::App& command =
      *app.add_subcommand("compare", "Measure every claim of the tradeoff table on this machine");
  command.add_flag("--quick", options.quick, "Fewer documents and repetitions: about 20 seconds");
  command.add_option("--device", options.device, "Whose times; FILE: those of a run with cuda")
      ->type_name("cpu|cuda|FILE");
  command.add_option("--json", options.json, "Also write the results to this file")
      ->type_name("FILE");
  command.add_option("--html", options.html, "Also write them as a page with plots to this file")
      ->type_name("FILE");
  command.add_option("--isa", isa, "The highest level that kernels may take: scalar … amx")
      ->check(one_of(isa_names()))
      ->type_name("LEVEL");
  command.add_option("--model", options.model, "A Llama checkpoint (Hugging Face folder)")
      ->type_name("DIR");
  command.add_option("--threads", options.threads, "How many threads compute")
      ->check(CLI::Range(1, kMostThreads));
  command.add_option("--only", options.only, "Measure one format beside FP16, in detail")
      ->check(CLI::IsMember(family_names()));
  command
      .add_option("--calibration", options.calibration,
                  "Also INT8 with the scales in this file (./lab calibrate)")
      ->type_name("FILE");
  command.add_flag("--mine", options.mine_use.asked,
                   "Also the code of your finished exercises, beside ours");
  command.add_option("--seed", options.seed, "Seed of documents, orders and bootstraps");
  command.add_option("--budget", options.budget_gib, "GiB that model and KV cache must share")
      ->check(above_zero);
  command.add_flag("--strict", options.strict, "Exit with 4 when a claim did not hold");
  look.add_to(command);
  command.footer("Example: ./lab compare --quick --json results.json");
}

void add_calibrate(CLI::App& app, CalibrateOptions& options, std::string& calibrator, Look& look) {
  constexpr std::int64_t kMostBytes = 16'384;
  std::vector<std::string> names;
  for (const Calibrator c : kAllCalibrators) names.emplace_back(calibrator_name(c));
  CLI::App& command =
      *app.add_subcommand("calibrate", "Fix the scales of INT8 activations on sample text");
  command.add_option("file", options.file, "Where the scales go")->required()->type_name("FILE");
  command.add_option("--calibrator", calibrator, "How thresholds are chosen")
      ->check(CLI::IsMember(names));
  command.add_option("--percentile", options.percentile, "Of the magnitudes, for percentile")
      ->check(percentile_in_range);
  command.add_option("--text", options.text, "A folder of *.txt; without it, text of the lab")
      ->type_name("DIR");
  command.add_option("--bytes", options.bytes, "How much of the text the model sees")
      ->check(CLI::Range(std::int64_t{1}, kMostBytes));
  command.add_option("--model", options.model, "A Llama checkpoint (Hugging Face folder)")
      ->type_name("DIR");
  command.add_flag("--force", options.force, "Replace a file that is there");
  look.add_to(command);
  command.footer("Example: ./lab calibrate scales.json --calibrator mse");
}

void add_plot(CLI::App& app, PlotOptions& options, Look& look) {
  CLI::App& command = *app.add_subcommand(
      "plot", "Draw what calibration sees in one layer, packings, or recall, as SVG files");
  command.add_option("--layer", options.layer, "A linear layer, as ./lab calibrate lists them")
      ->type_name("NAME");
  auto* packing = command.add_flag("--packing", options.packing,
                                   "The word orders of 4-bit checkpoints instead of a layer");
  command
      .add_flag("--recall", options.recall,
                "Recall against the bits of the KV cache instead of a layer; takes half a minute")
      ->excludes(packing);
  command.add_option("--out", options.out, "The folder; without it, plots/ of the build")
      ->type_name("DIR");
  command.add_option("--model", options.model, "A Llama checkpoint (Hugging Face folder)")
      ->type_name("DIR");
  command.add_flag("--force", options.force, "Replace pictures that are in the folder");
  look.add_to(command);
  command.footer("Example: ./lab plot --layer model.layers.3.mlp.down_proj");
}

void add_serve_bench(CLI::App& app, ServeBenchOptions& options, Look& look) {
  constexpr std::int64_t kMostRequests = 1'000'000;
  CLI::App& command =
      *app.add_subcommand("serve-bench", "Serve requests at rising rates, in formats of the table");
  command
      .add_option("--on", options.on,
                  "here, by the clock; or h200, h100, as the cost model has them")
      ->type_name("DEVICE");
  command.add_option("--model", options.model, "What a device serves: 7b, 8b or 70b")
      ->type_name("");
  command.add_option("--formats", options.formats, "Such as fp16,int4_g128,\"fp16 chunked\"")
      ->delimiter(',')
      ->type_name("LIST");
  auto* rates = command.add_option("--rates", options.rates, "Requests a second, rising")
                    ->delimiter(',')
                    ->check(above_zero)
                    ->type_name("LIST");
  auto* requests = command.add_option("--requests", options.requests, "How many come at each rate")
                       ->check(CLI::Range(std::int64_t{1}, kMostRequests))
                       ->type_name("");
  command
      .add_option("--trace", options.trace,
                  "Lines of arrival_seconds,prompt_tokens,output_tokens instead")
      ->excludes(rates)
      ->excludes(requests)
      ->type_name("FILE");
  command.add_option("--memory", options.memory_bytes, "For weights and cache: 24GiB, 10MiB")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command.add_option("--ttft", options.ttft_ms, "Goal: the first token within so many ms")
      ->check(above_zero)
      ->type_name("");
  command.add_option("--tpot", options.tpot_ms, "Goal: ms for each token after it")
      ->check(above_zero)
      ->type_name("");
  command.add_option("--seed", options.seed, "Seed of arrivals and lengths")->type_name("");
  command.add_option("--json", options.json, "Also write the results to this file")
      ->type_name("FILE");
  look.add_to(command);
  command.footer("Example: ./lab serve-bench --on h200 --model 70b --memory 140GiB --formats int8");
}

void add_bench(CLI::App& app, BenchOptions& options, std::string& isa, bool& json, Look& look) {
  constexpr int kMostThreads = 1024;
  CLI::App& command = *app.add_subcommand(
      "bench", "Time every rung of an operation, and your kernel, against the roofline");
  command.add_option("id", options.id, "An operation, an exercise, or a part; without one, a list")
      ->type_name("OP");
  command
      .add_option("--device", options.device, "cuda: the ladders of the GPU, by PART and --json")
      ->check(one_of({"cpu", "cuda"}))
      ->type_name("cpu|cuda");
  command.add_option("--m", options.m, "Rows of X, such as 1,8,32,128,512; of attention, contexts")
      ->delimiter(',')
      ->type_name("LIST");
  command.add_option("--shape", options.shape, "Of the weights")->type_name("NxK");
  command.add_option("--threads", options.threads, "How many threads compute")
      ->check(CLI::Range(1, kMostThreads));
  command.add_option("--isa", isa, "The highest level that rungs may take: scalar … amx")
      ->check(one_of(isa_names()))
      ->type_name("LEVEL");
  command.add_flag("--quick", options.quick, "Fewer rounds: wider intervals, in a few seconds");
  command.add_flag("--ours", options.ours, "Without your kernel, even if it is done");
  command.add_flag("--json", json, "One JSON object on standard output, text on standard error");
  command.add_option("--html", options.html, "Also write a page with the roofline to this file")
      ->type_name("FILE");
  command.add_option("--seed", options.seed, "Seed of operands, orders and bootstraps");
  look.add_to(command);
  command.footer("Example: ./lab bench w8a8_gemm --m 1,128 --threads 1");
}

}  // namespace qlab
