// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tells the states apart and words each; see test_verdict.h.
#include "lab/test_verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "lab/crash_text.h"
#include "lab/text.h"

namespace qlab {
namespace {

using End = ChildResult::End;

constexpr std::string_view kNotWritten = " is not written yet";

std::string in_the_test(const std::string& name) {
  return name.empty() ? "before the first test" : "in the test \"" + in_words(name) + "\"";
}

/// The run of a program that did not come to the end of its tests.
Verdict cut_short(const Assignment& assignment, const VariantRun& run) {
  const ChildResult& child = run.child;
  const std::string lab = assignment.exercise.lab_file();
  const std::string test = begun_test(child.output);
  if (child.end == End::kTimedOut) {
    const double seconds = static_cast<double>(assignment.limit.count()) / 1000;
    return {.state = State::kDoesNotEnd,
            .text = {fmt::format("Stopped after {:g} s {}. A loop that never reaches its end?",
                                 seconds, in_the_test(test)),
                     "A slow machine: --timeout 60s"}};
  }
  std::string text = sanitizer_text(child.output, lab);
  if (text.empty() && child.end == End::kCrashed) {
    text = signal_text(child.code, child.output, lab);
  }
  if (text.empty()) {
    text = fmt::format(
        "the program ended before the tests did: something in {} calls exit (status {})", lab,
        child.code);
  }
  return {.state = State::kCrashes, .text = {text, in_the_test(test)}};
}

bool is_todo(const std::string& failure) { return failure.find(kNotWritten) != std::string::npos; }

/// The lines of a failure; a test that has no case to name is named itself.
std::vector<std::string> failure_lines(const ReportedTest& test, const std::string& failure) {
  constexpr std::size_t kScreen = 24;
  const std::string text = failure_text(failure);
  std::vector<std::string> lines = lines_of(text);
  if (failure.find("C++ exception with description") != std::string::npos) {
    // Shown whole: CUDA on the CPU tells in it who raced, and where.
    lines.insert(lines.begin(),
                 fmt::format("an exception ended the test \"{}\":", in_words(test.name)));
    return lines;
  }
  if (lines.size() > kScreen) {
    lines.resize(kScreen);
    lines.push_back("…");
  }
  if (!text.starts_with("case ")) lines.insert(lines.begin(), in_the_test(test.name) + ":");
  return lines;
}

/// The first failure that is no open TODO.
std::vector<std::string> first_wrong(const Assignment& assignment, const GtestReport& report) {
  for (const std::string& name : assignment.tests) {
    const ReportedTest* const test = report.find(name);
    if (test == nullptr) continue;
    const auto wrong = std::ranges::find_if_not(test->failures, is_todo);
    if (wrong != test->failures.end()) return failure_lines(*test, *wrong);
  }
  return {};
}

std::vector<std::string> open_lines(const Assignment& assignment, const std::string& met) {
  std::vector<std::string> lines;
  for (const OpenTodo& todo : assignment.open) {
    lines.push_back(fmt::format("{}  {}:{}   TODO {}", lines.empty() ? "Open" : "    ",
                                assignment.exercise.lab_file(), todo.line, todo.title));
  }
  if (lines.empty()) lines = lines_of(failure_text(met));
  return lines;
}

/// How the expected tests came out.
struct Tally {
  std::vector<std::string> failed, missing;
  std::string todo;  ///< the first failure that is an open TODO
};

Tally tally(const Assignment& assignment, const GtestReport& report) {
  Tally result;
  for (const std::string& name : assignment.tests) {
    const ReportedTest* const test = report.find(name);
    if (test == nullptr || !test->ran) {
      result.missing.push_back(name);
      continue;
    }
    if (!test->failures.empty()) result.failed.push_back(name);
    const auto todo = std::ranges::find_if(test->failures, is_todo);
    if (result.todo.empty() && todo != test->failures.end()) result.todo = *todo;
  }
  return result;
}

void judge_unfinished(const Assignment& assignment, const GtestReport& report, const Tally& tests,
                      Verdict& verdict) {
  verdict.state = assignment.untouched ? State::kNotStarted : State::kInProgress;
  if (assignment.untouched) return;
  verdict.text = open_lines(assignment, tests.todo);
  const std::vector<std::string> wrong = first_wrong(assignment, report);
  if (wrong.empty()) return;
  verdict.text.emplace_back("What is there already fails:");
  verdict.text.insert(verdict.text.end(), wrong.begin(), wrong.end());
}

/// All tests passed, so the program must have ended as such a program does.
void judge_end(const ChildResult& child, const std::string& lab, Verdict& verdict) {
  if (child.end == End::kExited && child.code == 0) {
    verdict.state = State::kDone;
    return;
  }
  verdict.state = child.end == End::kTimedOut ? State::kDoesNotEnd : State::kCrashes;
  std::string how = fmt::format("it ended with status {}", child.code);
  if (child.end == End::kTimedOut) how = "it did not end";
  if (child.end == End::kCrashed) how = signal_text(child.code, child.output, lab);
  if (const std::string report = sanitizer_text(child.output, lab); !report.empty()) how = report;
  verdict.text = {"Every test passed, but after the last one: " + how};
}

}  // namespace

Verdict judge_run(const Assignment& assignment, const VariantRun& run) {
  if (run.child.end == End::kNotStarted) {
    return {.state = State::kOurBug,
            .text = {fmt::format("the program of {} cannot be started: {}",
                                 assignment.exercise.lab_file(), std::strerror(run.child.code))}};
  }
  const int total = static_cast<int>(assignment.tests.size());
  if (run.ended_early) {
    Verdict verdict = cut_short(assignment, run);
    verdict.total = total;
    verdict.seconds = run.child.seconds;
    return verdict;
  }
  const GtestReport& report = *run.report;
  const Tally tests = tally(assignment, report);
  Verdict verdict{.failed = tests.failed,
                  .passed = total - static_cast<int>(tests.failed.size() + tests.missing.size()),
                  .total = total,
                  .fact = report.fact,
                  .seconds = run.child.seconds};
  if (!tests.todo.empty()) {
    judge_unfinished(assignment, report, tests, verdict);
  } else if (!tests.failed.empty()) {
    verdict.state = State::kWrong;
    verdict.text = first_wrong(assignment, report);
  } else if (!tests.missing.empty()) {
    verdict.state = State::kWrong;
    verdict.text = {fmt::format("{} of {} tests did not run: {}", tests.missing.size(), total,
                                fmt::join(tests.missing, ", "))};
  } else {
    judge_end(run.child, assignment.exercise.lab_file(), verdict);
  }
  return verdict;
}

}  // namespace qlab
