// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lays verdicts out; see state_block.h.
#include "lab/state_block.h"

#include <fmt/format.h>

#include "lab/look_at.h"
#include "lab/predictions.h"
#include "lab/text.h"

namespace qlab {
namespace {

std::string counted(int count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// What stands behind the id in the first line.
std::string aside(const Verdict& verdict, int minutes) {
  switch (verdict.state) {
    case State::kNotStarted:
      return fmt::format("   about {} min", minutes);
    case State::kDone:
      return fmt::format("   {}, {:.1f} s", counted(verdict.total, "test"), verdict.seconds);
    case State::kWrong:
      return fmt::format("   {} of {} pass", verdict.passed, counted(verdict.total, "test"));
    default:
      return "";
  }
}

/// What to do in a file that has nothing to judge yet.
std::string open_text(const Learner& learner, const Exercise& exercise, const Sheet& sheet) {
  std::string text = wrapped(sheet.what, learner.text_width(), "  ") + "\n";
  if (!read_text(learner.places.root / exercise.lab_file())) {
    return text + fmt::format("  {} is gone; ./lab reset {} brings the stub back\n",
                              exercise.lab_file(), exercise.id);
  }
  const std::vector<OpenTodo> open = open_todos(learner.places, exercise);
  if (open.empty()) return text + fmt::format("  Edit  {}\n", exercise.lab_file());
  text +=
      fmt::format("  Edit  {}:{}   TODO {}\n", exercise.lab_file(), open[0].line, open[0].title);
  if (open.size() > 1) {
    text += fmt::format("        and {} more in the same file\n", open.size() - 1);
  }
  return text;
}

}  // namespace

Style state_style(State state) {
  switch (state) {
    case State::kNotStarted:
    case State::kInProgress:
      return Style::kYellow;
    case State::kDone:
      return Style::kGreen;
    case State::kOurBug:
      return Style::kMagenta;
    default:
      return Style::kRed;
  }
}

std::string question_text(const Learner& learner, const Sheet& sheet) {
  if (sheet.question.empty()) return "";
  std::string text =
      wrapped("Before you run: " + sheet.question, learner.text_width(), "  ") + "\n   ";
  std::size_t used = 3;
  for (std::size_t i = 0; i < sheet.choices.size(); ++i) {
    const std::string choice =
        fmt::format(" [{}] {} ", static_cast<char>('a' + i), sheet.choices[i]);
    if (i > 0 && used + columns(choice) > learner.text_width()) {
      text += "\n   ";
      used = 3;
    }
    text += choice;
    used += columns(choice);
  }
  text.pop_back();
  return text + "\n";
}

std::string state_block(const Learner& learner, const Exercise& exercise, const Verdict& verdict) {
  const Sheet sheet = read_sheet(learner.places, exercise);
  const Terminal& terminal = learner.terminal;
  std::string text = fmt::format(
      "{}  {}{}\n", terminal.styled(state_style(verdict.state), state_word(verdict.state)),
      terminal.styled(Style::kBold, exercise.number + " " + exercise.id),
      aside(verdict, sheet.minutes));
  for (const std::string& line : verdict.text) text += line.empty() ? "\n" : "  " + line + "\n";
  if (verdict.state == State::kNotStarted ||
      (verdict.state == State::kInProgress && verdict.text.empty())) {
    text += open_text(learner, exercise, sheet);
  }
  if (verdict.state == State::kOurBug) {
    text += "  Your work is not the cause and is untouched. Please report: ./lab doctor --report\n";
  }
  return text;
}

std::string likely_text(const Learner& learner, const Exercise& exercise,
                        const std::string& likely) {
  std::string text;
  if (!likely.empty()) {
    text += wrapped("likely: " + likely, learner.text_width(), "  ") + "\n";
    const std::string place = look_at(learner.places, exercise, likely);
    if (!place.empty()) text += fmt::format("  look at: {}\n", place);
  }
  return text + fmt::format("  next: ./lab hint {}\n", exercise.id);
}

std::string done_text(const Learner& learner, const Exercise& exercise, const Verdict& verdict) {
  const Sheet sheet = read_sheet(learner.places, exercise);
  const std::size_t width = learner.text_width();
  std::string text;
  if (!sheet.question.empty()) {
    text += wrapped(prediction_beside_fact(learner, exercise, verdict), width, "  ") + "\n";
  }
  text += wrapped("Say it out loud: " + sheet.spoken[0], width, "  ") + "\n";
  text += wrapped(fmt::format("(finish it; the whole sentence: ./lab docs {})", exercise.id), width,
                  "    ") +
          "\n";
  return text + fmt::format("  Our version: ./lab solution {} --diff      next: ./lab next\n",
                            exercise.id);
}

nlohmann::json verdict_json(const Exercise& exercise, const Verdict& verdict) {
  const bool failed = verdict.state != State::kDone && !verdict.text.empty();
  return {{"id", exercise.id},
          {"number", exercise.number},
          {"state", state_name(verdict.state)},
          {"cpu", state_name(verdict.state)},
          {"gpu", exercise.is_cuda() ? nlohmann::json("not_run") : nlohmann::json(nullptr)},
          {"first_bad", failed ? nlohmann::json(verdict.text) : nlohmann::json::array()},
          {"likely", verdict.likely},
          {"failed", verdict.failed},
          {"passed", verdict.passed},
          {"total", verdict.total},
          {"seed", verdict.seed},
          {"seconds", verdict.seconds}};
}

}  // namespace qlab
