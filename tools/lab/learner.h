// SPDX-License-Identifier: Apache-2.0
/// \file
/// Learner: what every command of the learner works with.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/check.h"
#include "lab/exercise.h"
#include "lab/terminal.h"

namespace qlab {

/// Exit codes; ./lab help lists them.
enum ExitCode { kDone = 0, kNotDone = 1, kUsage = 2, kBroken = 3, kInterrupted = 130 };

struct Learner {
  Places places;
  std::vector<Exercise> all;
  Terminal terminal;
  bool json = false;  ///< one object on standard output; text goes to standard error
  bool may_ask_predictions = true;
  std::chrono::milliseconds limit{10'000};
  std::optional<std::uint64_t> seed;
  std::function<void(const std::string&)> write;
  /// Shows a question and returns the line typed; nothing when nobody is there to answer.
  std::function<std::optional<std::string>(const std::string&)> ask;

  /// One line or several, without the last line's end.
  void say(const std::string& text) const { write(terminal.plain(text) + "\n"); }
  /// `question [y/N]`. Nothing when nobody is there.
  std::optional<bool> agrees(const std::string& question) const;
  std::size_t text_width() const;

  /// The exercise that `next` went to while it is open, otherwise the first open one; null when all
  /// are done.
  const Exercise* current() const;
  /// The exercise that `typed` means, or the current one for nothing typed. \throws InputError
  const Exercise& named_or_current(const std::string& typed) const;
};

/// A learner at this program's own tree and terminal.
Learner learner_here(const std::string& color, bool ascii, bool json);

/// The state as --json names it: "not_started".
std::string state_name(State state);

/// "GPU" column and JSON field: "-" for C++, else why a CUDA exercise was not run on a GPU.
std::string gpu_column(const Exercise& exercise);
/// Whether this machine has an NVIDIA driver.
bool has_gpu();

}  // namespace qlab
