// SPDX-License-Identifier: Apache-2.0
/// \file
/// check_and_show, and the commands check and verify.
#include "lab/checking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "lab/commands.h"
#include "lab/interrupt.h"
#include "lab/next.h"
#include "lab/state_block.h"

namespace qlab {
namespace {

CheckOptions options_of(const Learner& learner, Doing& doing, const std::function<bool()>& stop) {
  return {.limit = learner.limit,
          .seed = learner.seed,
          .doing = [&doing](const std::string& what) { doing.show(what); },
          .stop = stop};
}

/// Prints `json` on standard output, where with --json nothing else goes.
void print_object(nlohmann::json object, const std::string& schema) {
  object["schema"] = schema;
  object["version"] = 1;
  fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void print_verdicts(const std::vector<nlohmann::json>& verdicts) {
  if (verdicts.size() == 1) {
    print_object(verdicts[0], "qlab.exercise");
  } else {
    print_object({{"exercises", verdicts}}, "qlab.exercises");
  }
}

/// The worst of all: our bug, then not done.
int worst(int one, int other) { return std::max(one, other); }

int check_all(const Learner& learner, const std::vector<const Exercise*>& exercises) {
  std::vector<nlohmann::json> verdicts;
  int code = kDone, done = 0;
  for (const Exercise* exercise : exercises) {
    if (!verdicts.empty()) learner.say("");
    const Verdict verdict = check_and_show(learner, *exercise, interrupted);
    verdicts.push_back(verdict_json(*exercise, verdict));
    code = worst(code, exit_code(verdict.state));
    done += verdict.state == State::kDone ? 1 : 0;
  }
  if (verdicts.size() > 1) learner.say(fmt::format("\n{} of {} done", done, verdicts.size()));
  if (learner.json) print_verdicts(verdicts);
  return code;
}

}  // namespace

Doing::Doing(const Learner& learner, const Exercise& exercise)
    : learner_(learner), exercise_(exercise) {
  show("checking");
}

void Doing::show(const std::string& what) {
  const std::string text =
      learner_.terminal.plain(fmt::format("{} {}: {}…", exercise_.number, exercise_.id, what));
  if (learner_.terminal.redraw) {
    fmt::print(stderr, "\r\033[K{}", text);
    drawn_ = true;
  } else {
    fmt::print(stderr, "{}\n", text);
  }
  std::fflush(stderr);
}

void Doing::clear() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

int exit_code(State state) {
  if (state == State::kDone) return kDone;
  return state == State::kOurBug ? kBroken : kNotDone;
}

Verdict check_and_show(const Learner& learner, const Exercise& exercise,
                       const std::function<bool()>& stop) {
  Doing doing(learner, exercise);
  const CheckOptions options = options_of(learner, doing, stop);
  Verdict verdict = check_exercise(learner.places, exercise, options);
  doing.clear();
  std::string text = state_block(learner, exercise, verdict);
  if (verdict.state == State::kDone) text += done_text(learner, exercise, verdict);
  text.pop_back();  // say() ends the line
  learner.say(text);
  if (verdict.state == State::kWrong) {
    verdict.likely = likely_mistake(learner.places, exercise, verdict, options);
    doing.clear();
  }
  if (exit_code(verdict.state) == kNotDone && verdict.state != State::kNotStarted) {
    text = likely_text(learner, exercise, verdict.likely);
    text.pop_back();
    learner.say(text);
  }
  return verdict;
}

int run_check(const Learner& learner, const CheckCommand& command) {
  std::vector<const Exercise*> exercises;
  for (const std::string& id : command.ids) exercises.push_back(&find_exercise(learner.all, id));
  if (command.all) {
    exercises.clear();
    for (const Exercise& exercise : learner.all) exercises.push_back(&exercise);
  } else if (exercises.empty()) {
    exercises.push_back(&learner.named_or_current(""));
  }
  if (exercises.size() == 1) note_here(learner, *exercises[0]);
  return check_all(learner, exercises);
}

int run_verify(const Learner& learner) {
  std::vector<const Exercise*> finished;
  for (const Exercise& exercise : learner.all) {
    const State state = known_verdict(learner.places, exercise).state;
    const bool started = state != State::kNotStarted;
    if (state == State::kDone || (started && open_todos(learner.places, exercise).empty())) {
      finished.push_back(&exercise);
    }
  }
  if (!finished.empty()) return check_all(learner, finished);
  learner.say("No exercise is finished yet; begin with ./lab");
  if (learner.json) print_object({{"exercises", nlohmann::json::array()}}, "qlab.exercises");
  return kDone;
}

}  // namespace qlab
