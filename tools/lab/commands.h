// SPDX-License-Identifier: Apache-2.0
/// \file
/// The learner's commands. Each returns the exit code of ./lab; LEARNER's texts stand in their files.
#pragma once

#include <string>
#include <vector>

#include "lab/learner.h"

namespace qlab {

/// Without a command: the exercise to work on, what to do, and the commands that matter.
int run_here(const Learner& learner);

struct ListOptions {
  std::string module;  ///< "03", "3" or part of its name; empty for all
  bool open = false;   ///< only what is not done
};
int run_list(const Learner& learner, const ListOptions& options);

struct CheckCommand {
  std::vector<std::string> ids;  ///< none: the current exercise
  bool all = false;
};
int run_check(const Learner& learner, const CheckCommand& command);
/// Every exercise without an open TODO again.
int run_verify(const Learner& learner);

int run_next(const Learner& learner);

/// level 0: the next one, or the same again when the file did not change.
int run_hint(const Learner& learner, const std::string& id, int level);

struct SolutionOptions {
  std::string id;
  bool diff = false;  ///< the learner's file beside it
  bool yes = false;   ///< without asking
};
int run_solution(const Learner& learner, const SolutionOptions& options);

struct ResetOptions {
  std::string id;
  bool all = false;
  bool yes = false;   ///< without asking
  bool undo = false;  ///< the newest copy again
};
int run_reset(const Learner& learner, const ResetOptions& options);

/// Without id and answer: every prediction beside its fact. Without answer: asks. A letter alone
/// answers the current exercise's question.
int run_predict(const Learner& learner, const std::string& id, const std::string& answer);

/// The task sheet; once the exercise is done, or if asked for with `page`, its page with our code.
int run_docs(const Learner& learner, const std::string& id, bool page = false);

int run_watch(const Learner& learner, const std::string& id);

}  // namespace qlab
