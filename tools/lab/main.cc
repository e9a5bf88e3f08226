// SPDX-License-Identifier: Apache-2.0
/// \file
/// The program behind ./lab: reads the command line, and ends every error in one sentence.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "lab/bench.h"
#include "lab/calibrate.h"
#include "lab/command_line.h"
#include "lab/compare.h"
#include "lab/gate.h"
#include "lab/interrupt.h"
#include "lab/measuring_options.h"
#include "lab/mine_run.h"
#include "lab/plot_command.h"
#include "lab/predictions.h"
#include "lab/selftest.h"
#include "lab/serve_bench.h"
#include "lab/terminal.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

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

/// The comparison, and behind it what the learner had expected.
int compare_and_remember(const CompareOptions& options, const Learner& learner) {
  const int code = run_compare(options, learner.terminal);
  const std::string predictions = all_predictions(learner);
  if (!predictions.empty()) learner.say("\n" + wrapped(predictions, learner.text_width(), ""));
  return code;
}

/// `lab` starts lab_mine, which has the learner's code in it, with its own words; where nothing is
/// finished it measures by itself.
int compare_mine(CompareOptions& options, const Learner& learner, const std::string& program,
                 const std::vector<std::string>& words) {
  options.mine = linked_mine();
  if (!options.mine.any()) {
    if (program == kLabMine) throw std::logic_error("lab_mine has no learner's code in it");
    catch_interrupts();
    if (const auto code = run_with_mine(learner, words)) return *code;
    leave_interrupts();
  }
  options.mine_use = mine_use(learner, options.mine);
  return compare_and_remember(options, learner);
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
    refuse_cuda(bench.device);
    bench.isa = usable_isa(isa);
    return run_bench(bench, learner_here(look.color, look.ascii, bench_json), program, words);
  }
  check_device(compare, isa);
  compare.isa = usable_isa(isa);
  const Learner here = learner_here(look.color, look.ascii, /*json=*/false);
  return compare.mine_use.asked ? compare_mine(compare, here, program, words)
                                : compare_and_remember(compare, here);
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
