// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab without a command, and ./lab next: the exercise to work on.
#include <fmt/format.h>

#include "lab/commands.h"
#include "lab/next.h"
#include "lab/notes.h"
#include "lab/state_block.h"
#include "lab/text.h"

namespace qlab {
namespace {

void show(const Learner& learner, const Exercise& exercise) {
  const Verdict verdict = known_verdict(learner.places, exercise);
  std::string text = state_block(learner, exercise, verdict);
  if (verdict.state == State::kNotStarted) {
    text += question_text(learner, read_sheet(learner.places, exercise));
  }
  text.pop_back();
  learner.say(text);
  if (learner.json) {
    nlohmann::json object = verdict_json(exercise, verdict);
    object["schema"] = "qlab.exercise";
    object["version"] = 1;
    fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  }
}

void show_commands(const Learner& learner) {
  learner.say(
      "\n"
      "./lab check   build and test it         ./lab watch   the same on each save\n"
      "./lab hint    the next of three hints   ./lab list    all exercises");
}

int all_done(const Learner& learner) {
  learner.say(fmt::format("All {} exercises are done. Measure what they are about: ./lab compare",
                          learner.all.size()));
  if (learner.json) {
    fmt::print("{}\n", R"({"schema": "qlab.exercise", "version": 1, "id": null, "state": "done"})");
  }
  return kDone;
}

/// A sentence begun, of the last exercise that is done: for saying aloud, between two.
std::string spoken_before(const Learner& learner) {
  const Exercise* last = nullptr;
  std::size_t done = 0;
  for (const Exercise& exercise : learner.all) {
    if (known_verdict(learner.places, exercise).state != State::kDone) continue;
    last = &exercise;
    ++done;
  }
  if (last == nullptr) return "";
  const Sheet sheet = read_sheet(learner.places, *last);
  return sheet.spoken[done % sheet.spoken.size()];
}

}  // namespace

NextExercise next_exercise(const Learner& learner) {
  const std::string noted = Notes(learner.places, "seen").text("here", "exercise");
  std::size_t from = learner.all.size() - 1;  // so that the first one comes next
  for (std::size_t i = 0; i < learner.all.size(); ++i) {
    if (learner.all[i].id == noted) from = i;
  }
  NextExercise next;
  for (std::size_t i = 1; i <= learner.all.size() && next.exercise == nullptr; ++i) {
    const Exercise& candidate = learner.all[(from + i) % learner.all.size()];
    if (known_verdict(learner.places, candidate).state != State::kDone) next.exercise = &candidate;
  }
  if (next.exercise == nullptr) return next;
  const Exercise& left = learner.all[from];
  const bool open = known_verdict(learner.places, left).state != State::kDone;
  if (left.id == noted && open) next.left_open = &left;
  note_here(learner, *next.exercise);
  return next;
}

void note_here(const Learner& learner, const Exercise& exercise) {
  Notes seen(learner.places, "seen");
  if (seen.text("here", "exercise") == exercise.id) return;
  seen.set("here", "exercise", exercise.id);
  seen.save();
}

std::string leaving_text(const NextExercise& next) {
  if (next.left_open == nullptr) return "";
  if (next.left_open == next.exercise) {
    return fmt::format("{} is the only one that is not done.", next.exercise->id);
  }
  return fmt::format("{} is not done; it stays in ./lab list.", next.left_open->id);
}

int run_here(const Learner& learner) {
  const Exercise* exercise = learner.current();
  if (exercise == nullptr) return all_done(learner);
  note_here(learner, *exercise);
  show(learner, *exercise);
  show_commands(learner);
  return kDone;
}

int run_next(const Learner& learner) {
  const NextExercise next = next_exercise(learner);
  if (next.exercise == nullptr) return all_done(learner);
  if (next.left_open != nullptr) learner.say(leaving_text(next));
  const std::string spoken = spoken_before(learner);
  if (!spoken.empty()) {
    learner.say(wrapped("Say it out loud: " + spoken, learner.text_width(), "") + "\n");
  }
  show(learner, *next.exercise);
  return kDone;
}

}  // namespace qlab
