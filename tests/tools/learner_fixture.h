// SPDX-License-Identifier: Apache-2.0
/// \file
/// A learner in a tree of toy exercises: what was said is kept, answers are given beforehand.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>

#include "lab/learner.h"
#include "lab/verdict_cache.h"
#include "tools/exercise_tree.h"

namespace qlab::test {

class LearnerInATree : public testing::Test {
 protected:
  LearnerInATree() {
    learner_.places = tree_.places();
    learner_.all = read_exercises(learner_.places);
    learner_.terminal.width = 80;
    learner_.write = [this](const std::string& text) { said_ += text; };
    learner_.ask = [this](const std::string& question) -> std::optional<std::string> {
      said_ += question + "\n";
      if (answers_.empty()) return std::nullopt;
      std::string answer = std::move(answers_.front());
      answers_.pop_front();
      return answer;
    };
  }

  /// What `call` says.
  template <class Call>
  std::string said(Call call) {
    said_.clear();
    call();
    return std::exchange(said_, "");
  }
  /// What `call` says in its error.
  template <class Call>
  std::string refused(Call call) {
    try {
      call();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "nothing was refused";
  }
  void edit(const Exercise& exercise, const std::string& code = "int mine = 1;\n") {
    tree_.write(exercise.lab_file(), tree_.read(exercise.lab_file()) + code);
  }
  /// As if a check of the present file had found it.
  void plant(const Exercise& exercise, const Verdict& verdict) {
    edit(exercise);
    remember(learner_.places, exercise, verdict_key(learner_.places, exercise), verdict);
  }
  void plant_done(const Exercise& exercise) {
    Verdict verdict;
    verdict.state = State::kDone;
    verdict.passed = verdict.total = 4;
    verdict.fact = "2.5 times.";
    plant(exercise, verdict);
  }

  ExerciseTree tree_;
  Learner learner_;
  std::deque<std::string> answers_;
  const Exercise& alpha() { return learner_.all[0]; }
  const Exercise& warp() { return learner_.all[1]; }
  const Exercise& beta() { return learner_.all[2]; }

 private:
  std::string said_;
};

}  // namespace qlab::test
