// SPDX-License-Identifier: Apache-2.0
/// \file
/// The check of an exercise: build, run as a child, judge, remember. The lab never links a learner's
/// file; what it does cannot reach this process.
#include "lab/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lab/build_run.h"
#include "lab/compile_error.h"
#include "lab/stub.h"
#include "lab/test_verdict.h"
#include "lab/text.h"
#include "lab/variant_run.h"
#include "lab/verdict_cache.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

void say(const CheckOptions& options, const char* what) {
  if (options.doing) options.doing(what);
}

std::string stub_of(const Places& places, const Exercise& exercise) {
  return make_stub(read_text(places.root / exercise.solution_file()).value_or(""), exercise.id);
}

/// A file that needs no compiler to be told about.
std::optional<Verdict> without_code(const Places& places, const Exercise& exercise) {
  const auto text = read_text(places.root / exercise.lab_file());
  if (text && !same_code(*text, "")) return std::nullopt;
  return Verdict{
      .state = State::kDoesNotCompile,
      .text = {fmt::format("{} is {}; ./lab reset {} brings the stub back", exercise.lab_file(),
                           text ? "empty" : "missing", exercise.id)}};
}

/// The first error and where the rest is; the log's last lines when no error is recognised.
std::vector<std::string> error_lines(const Places& places, const Exercise& exercise,
                                     const Built& built) {
  std::vector<std::string> lines =
      first_error(built.log, places.root, exercise, stub_of(places, exercise));
  if (lines.empty()) {
    lines = lines_of(built.log);
    lines.erase(lines.begin(), lines.end() - std::min<std::ptrdiff_t>(3, std::ssize(lines)));
  }
  const int errors = count_errors(built.log);
  lines.push_back(
      fmt::format("{} error{}. All of it: {}", errors, errors == 1 ? "" : "s", built.log_name));
  return lines;
}

/// Builds the learner's program; a verdict when that fails. What we give is blamed first.
std::optional<Verdict> build(const Places& places, const Exercise& exercise,
                             const CheckOptions& options) {
  say(options, "building");
  const BuildLock lock(places, options);
  const std::string given = exercise.target("given"), lab = exercise.target(kLabVariant);
  if (build_targets(places, {given, lab}, exercise.id, options).complete) return std::nullopt;
  const Built ours = build_targets(places, {given}, exercise.id + ".given", options);
  if (!ours.complete) {
    Verdict verdict{.state = State::kOurBug, .text = error_lines(places, exercise, ours)};
    verdict.text.insert(verdict.text.begin(),
                        fmt::format("what belongs to {} does not build here", exercise.id));
    return verdict;
  }
  const Built theirs = build_targets(places, {lab}, exercise.id, options);
  if (theirs.complete) return std::nullopt;
  return Verdict{.state = State::kDoesNotCompile, .text = error_lines(places, exercise, theirs)};
}

/// Takes off the tests that our solution skips as well: this machine lacks what they need. A skip of
/// the learner's own is none.
void excuse_skipped(const fs::path& solution, const VariantRun& run, const CheckOptions& options,
                    std::vector<std::string>& tests) {
  if (!run.report) return;
  VariantOptions again{.limit = options.limit, .stop = options.stop};
  for (const ReportedTest& test : run.report->tests) {
    if (test.skipped) again.tests.push_back(test.name);
  }
  if (again.tests.empty()) return;
  const auto report = run_variant(solution, again).report;
  std::erase_if(tests, [&](const std::string& name) {
    const ReportedTest* const test = report ? report->find(name) : nullptr;
    return test != nullptr && test->skipped && std::ranges::count(again.tests, name) > 0;
  });
}

Verdict run_and_judge(const Places& places, const Exercise& exercise, const CheckOptions& options) {
  say(options, "testing");
  const fs::path solution = exercise.program(places, kSolutionVariant);
  // Never from the learner's program, which might have none.
  std::vector<std::string> tests = list_tests(solution, options.stop);
  if (tests.empty()) {
    return {.state = State::kOurBug, .text = {fmt::format("{} lists no tests", solution.string())}};
  }
  const VariantRun run =
      run_variant(exercise.program(places, kLabVariant),
                  {.limit = options.limit,
                   .seed = options.seed,
                   .dumps = exercise.program(places, "dump." + std::string(kLabVariant)),
                   .stop = options.stop});
  if (run.child.end == ChildResult::End::kStopped) throw Interrupted{};
  excuse_skipped(solution, run, options, tests);
  if (options.stop && options.stop()) throw Interrupted{};
  if (tests.empty()) {
    return {.state = State::kInProgress, .text = {"every test needs what this machine lacks"}};
  }
  const std::string text = read_text(places.root / exercise.lab_file()).value_or("");
  return judge_run({.exercise = exercise,
                    .tests = std::move(tests),
                    .open = open_todos(places, exercise),
                    .untouched = same_code(text, stub_of(places, exercise)),
                    .limit = options.limit},
                   run);
}

}  // namespace

std::string_view state_word(State state) {
  switch (state) {
    case State::kNotStarted:
      return "NOT STARTED";
    case State::kInProgress:
      return "IN PROGRESS";
    case State::kDoesNotCompile:
      return "DOES NOT COMPILE";
    case State::kCrashes:
      return "CRASHES";
    case State::kDoesNotEnd:
      return "DOES NOT END";
    case State::kWrong:
      return "WRONG";
    case State::kDone:
      return "DONE";
    case State::kOurBug:
      return "OUR BUG";
  }
  return "";
}

Verdict check_exercise(const Places& places, const Exercise& exercise,
                       const CheckOptions& options) {
  if (auto verdict = without_code(places, exercise)) return *verdict;
  const std::string key = verdict_key(places, exercise);
  auto failed = build(places, exercise, options);
  Verdict verdict = failed ? *std::move(failed) : run_and_judge(places, exercise, options);
  verdict.seed = options.seed.value_or(0);
  remember(places, exercise, key, verdict);
  return verdict;
}

Verdict known_verdict(const Places& places, const Exercise& exercise) {
  if (auto verdict = without_code(places, exercise)) return *verdict;
  const std::string text = read_text(places.root / exercise.lab_file()).value_or("");
  if (same_code(text, stub_of(places, exercise))) return {.state = State::kNotStarted};
  return remembered(places, exercise).value_or(Verdict{.state = State::kInProgress});
}

const Exercise* next_open(const Places& places, const std::vector<Exercise>& all) {
  for (const Exercise& exercise : all) {
    if (known_verdict(places, exercise).state != State::kDone) return &exercise;
  }
  return nullptr;
}

}  // namespace qlab
