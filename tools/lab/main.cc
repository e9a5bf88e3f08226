// SPDX-License-Identifier: Apache-2.0
/// \file
/// The program behind ./lab: reads the command line, and ends every error in one sentence.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "lab/bench.h"
#include "lab/calibrate.h"
#include "lab/command_line.h"
#include "lab/compare.h"
#include "lab/configurations.h"
#include "lab/gate.h"
#include "lab/interrupt.h"
#include "lab/mine_run.h"
#include "lab/plot_command.h"
#include "lab/selftest.h"
#include "lab/serve_bench.h"
#include "lab/terminal.h"
#include "model/input_error.h"

namespace qlab {
namespace {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa isa : kAllIsas) names.emplace_back(isa_name(isa));
  return names;
}

std::vector<std::string> family_names() { return {std::begin(kFamilies), std::end(kFamilies)}; }

Isa usable_isa(const std::string& name) {
  if (name.empty()) return best_isa();
  const Isa isa = isa_named(name).value();
  if (isa > best_isa()) {
    throw InputError(
        fmt::format("--isa {}: this processor has {} at most", name, isa_name(best_isa())));
  }
  return isa;
}

/// CLI::PositiveNumber would let NaN pass and print the largest double when it refuses.
std::string above_zero(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool whole = end != text.c_str() && *end == '\0';
  return whole && value > 0 && std::isfinite(value) ? "" : text + " is not a number above 0";
}

void add_compare(CLI::App& app, CompareOptions& options, std::string& isa, Look& look) {
  constexpr int kMostThreads = 1024;
  CLI::App& command =
      *app.add_subcommand("compare", "Measure every claim of the tradeoff table on this machine");
  command.add_flag("--quick", options.quick, "Fewer documents and repetitions: about 20 seconds");
  command.add_option("--json", options.json, "Also write the results to this file")
      ->type_name("FILE");
  command.add_option("--html", options.html, "Also write them as a page with plots to this file")
      ->type_name("FILE");
  command.add_option("--isa", isa, "The highest level of instructions that kernels may take")
      ->check(CLI::IsMember(isa_names()));
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

/// In (0, 100].
std::string percentile_in_range(const std::string& text) {
  const std::string wrong = above_zero(text);
  if (wrong.empty() && std::strtod(text.c_str(), nullptr) <= 100) return "";
  return text + " is not a percentile above 0 and up to 100";
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
  command.add_option("--on", options.on, "here, by the clock; or h200, as the cost model has it")
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
  command.add_option("--m", options.m, "Rows of X, such as 1,8,32,128,512; of attention, contexts")
      ->delimiter(',')
      ->type_name("LIST");
  command.add_option("--shape", options.shape, "Of the weights")->type_name("NxK");
  command.add_option("--threads", options.threads, "How many threads compute")
      ->check(CLI::Range(1, kMostThreads));
  command.add_option("--isa", isa, "The highest level of instructions that rungs may take")
      ->check(CLI::IsMember(isa_names()));
  command.add_flag("--quick", options.quick, "Fewer rounds: wider intervals, in a few seconds");
  command.add_flag("--ours", options.ours, "Without your kernel, even if it is done");
  command.add_flag("--json", json, "One JSON object on standard output, text on standard error");
  command.add_option("--html", options.html, "Also write a page with the roofline to this file")
      ->type_name("FILE");
  command.add_option("--seed", options.seed, "Seed of operands, orders and bootstraps");
  look.add_to(command);
  command.footer("Example: ./lab bench w8a8_gemm --m 1,128 --threads 1");
}

struct GateFlags {
  bool gate = false;
  GateOptions options;
};

void add_selftest(CLI::App& app, SelftestOptions& options, GateFlags& gate, Look& look) {
  CLI::App& command = *app.add_subcommand("selftest", "Check what the lab claims of itself");
  command.add_flag("--slow", options.slow, "Also the exhaustive tests, which take minutes");
  command.add_option("--build", options.build, "Another build folder, say build/asan")
      ->type_name("")
      ->check(CLI::ExistingDirectory);
  command.add_option("--seed", options.seed, "Seed of the random data in tests");
  CLI::Option* const flag = command.add_flag(
      "--gate", gate.gate, "Whether the tests of the exercises can be believed, and only that");
  command
      .add_flag("--drift", gate.options.drift, "With --gate: labs/ must be the stubs as written")
      ->needs(flag);
  command.add_option("exercise", gate.options.ids, "With --gate: only these")->needs(flag);
  look.add_to(command);
  command.footer("Example: ./lab selftest --gate half_formats");
}

/// `lab` starts lab_mine, which has the learner's code in it, with its own words; where nothing is
/// finished it measures by itself.
int compare_mine(CompareOptions& options, const Look& look, const std::string& program,
                 const std::vector<std::string>& words) {
  const Learner learner = learner_here(look.color, look.ascii, /*json=*/false);
  options.mine = linked_mine();
  if (!options.mine.any()) {
    if (program == kLabMine) throw std::logic_error("lab_mine has no learner's code in it");
    catch_interrupts();
    if (const auto code = run_with_mine(learner, words)) return *code;
    leave_interrupts();
  }
  options.mine_use = mine_use(learner, options.mine);
  return run_compare(options, learner.terminal);
}

int run(int argc, char** argv) {
  CLI::App app("Four ways to lower precision in LLM inference: build them, measure them", "./lab");
  app.set_version_flag("--version", "lab " QLAB_VERSION);
  app.set_help_flag("--help,-h", "Print this page");
  CompareOptions compare;
  CalibrateOptions calibrate;
  PlotOptions plot;
  ServeBenchOptions serve_bench;
  BenchOptions bench;
  bool bench_json = false;
  SelftestOptions selftest;
  GateFlags gate;
  std::string isa, calibrator = "percentile";
  Look look;
  LearnerCommands learner(app, look);
  add_compare(app, compare, isa, look);
  add_calibrate(app, calibrate, calibrator, look);
  add_plot(app, plot, look);
  add_serve_bench(app, serve_bench, look);
  add_bench(app, bench, isa, bench_json, look);
  add_selftest(app, selftest, gate, look);
  app.require_subcommand(0, 1);  // "a command is missing" would hide the name of a wrong one

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const std::vector<CLI::App*> command = app.get_subcommands();
    fmt::print(stderr, "lab: {}; what there is: ./lab {}--help\n", error.what(),
               command.empty() ? "" : command[0]->get_name() + " ");
    return kUsage;
  }

  if (app.get_subcommands().empty()) return learner.run_without_command();
  if (const auto code = learner.run(app)) return *code;
  const Terminal terminal = detect_terminal(look.color, look.ascii);
  if (app.got_subcommand("selftest")) {
    if (gate.gate) return run_gate(Places::of_this_program(), gate.options, terminal);
    return run_selftest(selftest, terminal);
  }
  if (app.got_subcommand("calibrate")) {
    calibrate.calibrator = calibrator_named(calibrator).value();
    calibrate.threads = available_threads();
    return run_calibrate(calibrate, terminal);
  }
  if (app.got_subcommand("plot")) {
    plot.threads = available_threads();
    return run_plot(plot, terminal);
  }
  if (app.got_subcommand("serve-bench")) {
    serve_bench.threads = available_threads();
    return run_serve_bench(serve_bench, terminal);
  }
  const std::string program = std::filesystem::path(argv[0]).filename();
  const std::vector<std::string> words = {argv + 1, argv + argc};
  if (app.got_subcommand("bench")) {
    bench.isa = usable_isa(isa);
    return run_bench(bench, learner_here(look.color, look.ascii, bench_json), program, words);
  }
  compare.isa = usable_isa(isa);
  if (compare.mine_use.asked) return compare_mine(compare, look, program, words);
  return run_compare(compare, terminal);
}

}  // namespace
}  // namespace qlab

int main(int argc, char** argv) {
  try {
    return qlab::run(argc, argv);
  } catch (const qlab::Interrupted&) {
    return qlab::kInterrupted;
  } catch (const qlab::InputError& error) {
    fmt::print(stderr, "lab: {}\n", error.what());
    return qlab::kUsage;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lab: {}; that is our fault: please report it with ./lab doctor --report\n",
               error.what());
    return qlab::kBroken;
  }
}
