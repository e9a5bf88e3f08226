// SPDX-License-Identifier: Apache-2.0
/// \file
/// check_exercise: builds a learner's file, runs its tests as a child, and says what came of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/exercise.h"

namespace qlab {

enum class State {
  kNotStarted,      ///< the file is the stub, comments and blanks aside
  kInProgress,      ///< it differs; not checked since, or a test met a todo()
  kDoesNotCompile,  ///< the compiler or the linker refused the learner's file
  kCrashes,         ///< a signal, a sanitizer's report, or an early exit
  kDoesNotEnd,      ///< stopped after the time limit
  kWrong,           ///< the tests ran to their end and some failed, or did not run
  kDone,            ///< as many tests as there are ran, and all passed
  kOurBug,          ///< what we gave does not build or does not run
};

/// "NOT STARTED", "IN PROGRESS", … as they begin a line.
std::string_view state_word(State state);

struct Verdict {
  State state = State::kNotStarted;
  std::vector<std::string> text = {};  ///< what to print under the state, a line each, not indented
  std::string likely = {};             ///< the mistake that was recognised, or empty
  std::vector<std::string> failed = {};  ///< names of the tests that failed, Suite.Test
  int passed = 0, total = 0;             ///< tests
  std::string fact = {};   ///< what a test measured on this machine, for the prediction
  double seconds = 0;      ///< of the tests
  std::uint64_t seed = 0;  ///< 0: each test has its own
};

struct CheckOptions {
  std::chrono::milliseconds limit{10'000};
  std::optional<std::uint64_t> seed = {};
  /// Called with a word when something that takes time begins: "building", "testing", "comparing
  /// with known mistakes".
  std::function<void(const std::string&)> doing = {};
  /// Asked now and then; true stops the check, kills what it started, and throws Interrupted.
  std::function<bool()> stop = {};
};

/// A stop was asked for.
struct Interrupted {};

/// Builds and tests the learner's file. The verdict of a wrong one carries no likely mistake yet.
Verdict check_exercise(const Places& places, const Exercise& exercise, const CheckOptions& options);

/// For a wrong verdict: runs the mutants on the tests that failed and compares their outputs with the
/// learner's. Returns the sentence of the one mutant whose output is the learner's in all of them
/// ("one of: …" for two or three), or nothing. Takes seconds the first time: it builds the mutants.
std::string likely_mistake(const Places& places, const Exercise& exercise, const Verdict& verdict,
                           const CheckOptions& options);

/// The verdict on the file's present bytes, without building anything: not started, or what a check
/// of the same bytes (and the same tests) found, or in progress.
Verdict known_verdict(const Places& places, const Exercise& exercise);

/// The first exercise that is not done.
const Exercise* next_open(const Places& places, const std::vector<Exercise>& all);

}  // namespace qlab
