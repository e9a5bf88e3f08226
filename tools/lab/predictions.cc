// SPDX-License-Identifier: Apache-2.0
/// \file
/// Keeps and shows predictions; see predictions.h.
#include "lab/predictions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "lab/notes.h"
#include "lab/state_block.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

Notes answers(const Learner& learner) {
  Notes notes(learner.places, "answers");
  if (!notes.complaint().empty()) learner.say(notes.complaint());
  return notes;
}

bool is_choice(const Sheet& sheet, const std::string& letter) {
  return letter.size() == 1 && letter[0] >= 'a' &&
         static_cast<std::size_t>(letter[0] - 'a') < sheet.choices.size();
}

std::string letters(const Sheet& sheet) {
  std::string text;
  for (std::size_t i = 0; i < sheet.choices.size(); ++i) {
    text += i == 0 ? "" : i + 1 == sheet.choices.size() ? " or " : ", ";
    text += static_cast<char>('a' + i);
  }
  return text;
}

std::string choice(const Sheet& sheet, const std::string& letter) {
  return fmt::format("{}, {}", letter, sheet.choices[static_cast<std::size_t>(letter[0] - 'a')]);
}

}  // namespace

std::string prediction(const Learner& learner, const Exercise& exercise) {
  return answers(learner).text(exercise.id, "answer");
}

void keep_prediction(const Learner& learner, const Exercise& exercise, const std::string& letter) {
  const Sheet sheet = read_sheet(learner.places, exercise);
  if (sheet.question.empty()) throw InputError(exercise.id + " asks for no prediction");
  if (!is_choice(sheet, letter)) {
    throw InputError(fmt::format("{} is no answer to {}'s question; say {}", printable(letter),
                                 exercise.id, letters(sheet)));
  }
  Notes notes = answers(learner);
  notes.set(exercise.id, "answer", letter);
  notes.set(exercise.id, "date", time_stamp());
  if (!notes.save()) {
    throw InputError(notes.path().string() +
                     " cannot be written, so the prediction is not kept; ./lab doctor says why");
  }
  learner.say("  kept; after the tests you will see");
}

void ask_prediction(const Learner& learner, const Exercise& exercise) {
  if (!learner.may_ask_predictions || !prediction(learner, exercise).empty()) return;
  const Sheet sheet = read_sheet(learner.places, exercise);
  if (sheet.question.empty()) return;
  for (;;) {
    const std::optional<std::string> line =
        learner.ask(fmt::format("  Your guess, {} (Enter skips): ", letters(sheet)));
    if (!line || line->empty()) return;
    if (is_choice(sheet, *line)) return keep_prediction(learner, exercise, *line);
  }
}

std::string prediction_beside_fact(const Learner& learner, const Exercise& exercise,
                                   const Verdict& verdict) {
  const Sheet sheet = read_sheet(learner.places, exercise);
  const Hints hints = read_hints(learner.places, exercise);
  Notes notes = answers(learner);
  const std::string said = notes.text(exercise.id, "answer");
  std::string text;
  if (is_choice(sheet, said)) {
    text += fmt::format("You said: {}. ", choice(sheet, said));
    if (!verdict.fact.empty() && notes.text(exercise.id, "fact") != verdict.fact) {
      notes.set(exercise.id, "fact", verdict.fact);
      notes.save();
    }
  } else {
    text += sheet.question + " ";
  }
  if (!verdict.fact.empty()) {
    text +=
        fmt::format("Measured here: {}{} ", verdict.fact, verdict.fact.back() == '.' ? "" : ".");
  }
  return text +
         fmt::format("It is {}: {}", choice(sheet, std::string(1, hints.answer)), hints.because);
}

std::string all_predictions(const Learner& learner) {
  const Notes notes = answers(learner);
  int right = 0;
  std::vector<std::string> surprises;
  for (const Exercise& exercise : learner.all) {
    const std::string said = notes.text(exercise.id, "answer");
    if (said.empty() || !is_choice(read_sheet(learner.places, exercise), said)) continue;
    if (known_verdict(learner.places, exercise).state != State::kDone) continue;
    if (said[0] == read_hints(learner.places, exercise).answer) {
      ++right;
    } else {
      surprises.push_back(exercise.id);
    }
  }
  const std::size_t all = static_cast<std::size_t>(right) + surprises.size();
  if (all == 0) return "";
  std::string text = fmt::format("You predicted {} of {}", right, all);
  if (!surprises.empty())
    text += fmt::format("; what surprised you: {}", fmt::join(surprises, ", "));
  return text;
}

}  // namespace qlab
