// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab hint: three levels, one at a time.
#include <fmt/format.h>

#include <algorithm>

#include "lab/commands.h"
#include "lab/notes.h"
#include "lab/seen_hints.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

std::string print_of_file(const Learner& learner, const Exercise& exercise) {
  return fingerprint(read_text(learner.places.root / exercise.lab_file()).value_or(""));
}

/// The level to show when none was asked for: the same again until the file changes.
int next_level(const Notes& seen, const Learner& learner, const Exercise& exercise) {
  const int shown = std::clamp(seen.number(exercise.id, "level"), 0, kHintLevels);
  if (shown == 0) return 1;
  const bool changed = seen.text(exercise.id, "file") != print_of_file(learner, exercise);
  return changed ? std::min(shown + 1, kHintLevels) : shown;
}

std::string what_remains(const Exercise& exercise, int level) {
  if (level == kHintLevels) {
    return fmt::format("That was the last one. Our version: ./lab solution {}", exercise.id);
  }
  return fmt::format("{} more: after your next change, or at once with ./lab hint {} {}",
                     kHintLevels - level, exercise.id, level + 1);
}

}  // namespace

int hints_seen(const Learner& learner, const Exercise& exercise) {
  return std::clamp(Notes(learner.places, "seen").number(exercise.id, "level"), 0, kHintLevels);
}

int run_hint(const Learner& learner, const std::string& id, int level) {
  const Exercise& exercise = learner.named_or_current(id);
  if (level < 0 || level > kHintLevels) {
    throw InputError(fmt::format("there is no hint {}; an exercise has three", level));
  }
  Notes seen(learner.places, "seen");
  if (!seen.complaint().empty()) learner.say(seen.complaint());
  if (level == 0) level = next_level(seen, learner, exercise);

  const Verdict verdict = known_verdict(learner.places, exercise);
  if (verdict.state == State::kWrong && !verdict.likely.empty()) {
    learner.say(wrapped("Your last check says: " + verdict.likely, learner.text_width(), "") +
                "\n");
  }
  const Hints hints = read_hints(learner.places, exercise);
  const std::string& text = hints.levels.at(static_cast<std::size_t>(level - 1));
  learner.say(learner.terminal.styled(
      Style::kBold,
      fmt::format("{} {}, hint {} of {}", exercise.number, exercise.id, level, kHintLevels)));
  learner.say(text + "\n\n" + what_remains(exercise, level));

  // A level asked for by number does not take back a later one.
  seen.set(exercise.id, "level", std::max(level, seen.number(exercise.id, "level")));
  seen.set(exercise.id, "file", print_of_file(learner, exercise));
  seen.save();
  if (learner.json) {
    const nlohmann::json object = {{"schema", "qlab.hint"}, {"version", 1},
                                   {"id", exercise.id},     {"level", level},
                                   {"text", text},          {"likely", verdict.likely}};
    fmt::print("{}\n", object.dump(2));
  }
  return kDone;
}

}  // namespace qlab
