// SPDX-License-Identifier: Apache-2.0
/// \file
/// Options of the learner's commands.
#include "lab/command_line.h"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>

#include <charconv>
#include <map>

#include "lab/interrupt.h"
#include "lab/seen_hints.h"

namespace qlab {
namespace {

/// "10s", "500ms", "2m" or "10", which are seconds; nothing for anything else.
std::optional<std::chrono::milliseconds> duration(const std::string& text) {
  static const std::map<std::string, int> units = {
      {"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60'000}, {"min", 60'000}};
  constexpr int kMost = 86'400;
  int count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  const auto unit = units.find(std::string(rest, end));
  if (error != std::errc() || unit == units.end() || count < 1 || count > kMost) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(count) * unit->second);
}

std::string valid_duration(const std::string& text) {
  return duration(text) ? "" : text + " is not a time such as 10s, 500ms or 2m";
}

}  // namespace

void Look::add_to(CLI::App& command) {
  command.add_option("--color", color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
  command.add_flag("--ascii", ascii, "Print nothing outside ASCII");
}

LearnerCommands::LearnerCommands(CLI::App& app, Look& look) : look_(look) {
  app.add_flag("--no-ask", no_ask_, "Ask for no prediction");
  app.add_flag("--json", json_, "One JSON object on standard output, text on standard error");
  look_.add_to(app);
  add_checks(app);
  add_help(app);
  add_files(app);
}

CLI::App& LearnerCommands::add(CLI::App& app, const std::string& name, const std::string& what,
                               const std::string& example) {
  CLI::App& command = *app.add_subcommand(name, what);
  look_.add_to(command);
  command.footer("ID is an exercise's name, any part of it, or its number.\nExample: ./lab " +
                 example);
  return command;
}

void LearnerCommands::add_run_options(CLI::App& command) {
  command.add_flag("--json", json_, "One JSON object on standard output, text on standard error");
  command.add_option("--timeout", timeout_, "How long the tests may take: 10s, 500ms, 2m")
      ->check(valid_duration)
      ->type_name("TIME");
  command.add_option("--seed", seed_, "Seed of the random data in tests")->type_name("N");
}

void LearnerCommands::add_checks(CLI::App& app) {
  CLI::App& list = add(app, "list", "Every exercise and its state", "list 03 --open");
  list.add_option("module", list_.module, "One module: its number or part of its name");
  list.add_flag("--open", list_.open, "Only what is not done");
  list.add_flag("--json", json_, "One JSON object on standard output, text on standard error");

  CLI::App& check = add(app, "check", "Build and test your file", "check half_formats --seed 7");
  check.add_option("id", check_.ids, "Exercises; without one, the current")->type_name("ID");
  check.add_flag("--all", check_.all, "All exercises");
  add_run_options(check);

  CLI::App& watch = add(app, "watch", "Check on each save; keys for the rest", "watch gemv");
  watch.add_option("id", id_, "The exercise; without one, the current")->type_name("ID");
  watch.add_flag("--no-ask", no_ask_, "Ask for no prediction");
  add_run_options(watch);

  CLI::App& verify = add(app, "verify", "Check every finished exercise again", "verify");
  add_run_options(verify);
}

void LearnerCommands::add_help(CLI::App& app) {
  CLI::App& next = add(app, "next", "Go on to the next open exercise", "next");
  next.add_flag("--json", json_, "One JSON object on standard output, text on standard error");

  CLI::App& hint = add(app, "hint", "The next of three hints", "hint half_formats --level 2");
  hint.add_option("id", id_, "The exercise; without one, the current")->type_name("ID");
  hint.add_option("nth", level_behind_id_, "The level again, behind the id")
      ->check(CLI::Range(1, kHintLevels))
      ->type_name("1..3");
  hint.add_option("--level", level_, "This hint, not the next")
      ->check(CLI::Range(1, kHintLevels))
      ->type_name("1..3");
  hint.add_flag("--json", json_, "One JSON object on standard output, text on standard error");

  CLI::App& docs =
      add(app, "docs", "The task sheet, or once done the page, as text", "docs half_formats");
  docs.add_option("id", id_, "The exercise; without one, the current")->type_name("ID");
  docs.add_flag("--page", page_, "The page with our code, done or not");

  CLI::App& predict = add(app, "predict", "Answer an exercise's question before you measure",
                          "predict half_formats b");
  predict.add_option("id", id_, "The exercise; without one, all predictions")->type_name("ID");
  predict.add_option("answer", answer_, "The letter of your answer")->type_name("a|b|c");
  predict.add_flag("--json", json_, "One JSON object on standard output, text on standard error");
}

void LearnerCommands::add_files(CLI::App& app) {
  CLI::App& solution = add(app, "solution", "Our annotated solution", "solution gemv --diff");
  solution.add_option("id", solution_.id, "The exercise")->type_name("ID")->required();
  solution.add_flag("--diff", solution_.diff, "What ours changes in your file");
  solution.add_flag("--yes,-y", solution_.yes, "Without asking while hints are left");

  CLI::App& diff = add(app, "diff", "The same as solution --diff", "diff half_formats");
  diff.add_option("id", solution_.id, "The exercise")->type_name("ID")->required();
  diff.add_flag("--yes,-y", solution_.yes, "Without asking while hints are left");

  CLI::App& reset =
      add(app, "reset", "The stub again; your file is kept as a copy", "reset half_formats --undo");
  reset.add_option("id", reset_.id, "The exercise")->type_name("ID");
  reset.add_flag("--undo", reset_.undo, "The newest copy again");
  reset.add_flag("--all", reset_.all, "Every exercise; asks you to type all");
  reset.add_flag("--yes,-y", reset_.yes, "Without asking");
}

Learner LearnerCommands::learner() const {
  catch_interrupts();  // what these commands start is stopped by them
  Learner learner = learner_here(look_.color, look_.ascii, json_);
  learner.may_ask_predictions = !no_ask_;
  learner.limit = duration(timeout_).value();
  learner.seed = seed_;
  return learner;
}

int LearnerCommands::run_without_command() {
  const Learner here = learner();
  const bool terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0 && !json_;
  return terminal && here.current() != nullptr ? run_watch(here, "") : run_here(here);
}

std::optional<int> LearnerCommands::run(const CLI::App& app) {
  const std::string name = app.get_subcommands().at(0)->get_name();
  constexpr std::string_view kOfMain[] = {"compare", "bench",       "calibrate",
                                          "plot",    "serve-bench", "selftest"};
  if (std::ranges::find(kOfMain, name) != std::end(kOfMain)) return std::nullopt;
  const Learner here = learner();
  if (name == "list") return run_list(here, list_);
  if (name == "check") return run_check(here, check_);
  if (name == "watch") return run_watch(here, id_);
  if (name == "verify") return run_verify(here);
  if (name == "next") return run_next(here);
  if (name == "hint") return run_hint(here, id_, level_ != 0 ? level_ : level_behind_id_);
  if (name == "docs") return run_docs(here, id_, page_);
  if (name == "predict") return run_predict(here, id_, answer_);
  if (name == "reset") return run_reset(here, reset_);
  solution_.diff = solution_.diff || name == "diff";
  return run_solution(here, solution_);
}

}  // namespace qlab
