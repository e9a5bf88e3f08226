// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab predict: gives and lists predictions.
#include <fmt/format.h>

#include "lab/commands.h"
#include "lab/predictions.h"
#include "lab/state_block.h"
#include "lab/text.h"

namespace qlab {
namespace {

int list_predictions(const Learner& learner) {
  bool any = false;
  nlohmann::json list = nlohmann::json::array();
  for (const Exercise& exercise : learner.all) {
    const Sheet sheet = read_sheet(learner.places, exercise);
    const std::string said = prediction(learner, exercise);
    if (said.empty() || sheet.question.empty()) continue;
    any = true;
    const Verdict verdict = known_verdict(learner.places, exercise);
    const bool done = verdict.state == State::kDone;
    learner.say(learner.terminal.styled(Style::kBold, exercise.number + " " + exercise.id));
    learner.say(wrapped(sheet.question, learner.text_width(), "  "));
    learner.say(wrapped(done ? prediction_beside_fact(learner, exercise, verdict)
                             : "You said: " + said + ". After the tests you will see.",
                        learner.text_width(), "  "));
    list.push_back({{"id", exercise.id},
                    {"answer", said},
                    {"fact", done ? nlohmann::json(verdict.fact) : nlohmann::json(nullptr)}});
  }
  if (!any) learner.say("No prediction yet; ./lab predict ID asks that exercise's question.");
  if (learner.json) {
    const nlohmann::json object = {
        {"schema", "qlab.predictions"}, {"version", 1}, {"predictions", list}};
    fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  return kDone;
}

}  // namespace

int run_predict(const Learner& learner, const std::string& id, const std::string& answer) {
  if (id.empty()) return list_predictions(learner);
  if (answer.empty() && id.size() == 1 && id[0] >= 'a' && id[0] <= 'z') {
    return run_predict(learner, learner.named_or_current("").id, id);
  }
  const Exercise& exercise = find_exercise(learner.all, id);
  if (!answer.empty()) {
    keep_prediction(learner, exercise, answer);
    return kDone;
  }
  const Sheet sheet = read_sheet(learner.places, exercise);
  if (sheet.question.empty()) {
    learner.say(exercise.id + " asks for no prediction.");
    return kDone;
  }
  std::string text = question_text(learner, sheet);
  text.pop_back();
  learner.say(text);
  const std::string said = prediction(learner, exercise);
  if (!said.empty()) learner.say("  You said: " + said);
  ask_prediction(learner, exercise);
  return kDone;
}

}  // namespace qlab
