// SPDX-License-Identifier: Apache-2.0
/// \file
/// How a verdict looks: the state word first, then one fact a line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lab/learner.h"

namespace qlab {

/// "WRONG  1.1 half_formats   7 of 9 tests pass" and what is known, indented.
std::string state_block(const Learner& learner, const Exercise& exercise, const Verdict& verdict);

/// "How much larger?  [a] 3 times  [b] 8 times", wrapped and indented; empty without a question.
std::string question_text(const Learner& learner, const Sheet& sheet);

/// What follows a verdict once it is known: the mistake that was recognised, where to look, and
/// what to do next.
std::string likely_text(const Learner& learner, const Exercise& exercise,
                        const std::string& likely);

/// After DONE: the prediction beside the fact, a sentence to say aloud, our version.
std::string done_text(const Learner& learner, const Exercise& exercise, const Verdict& verdict);

nlohmann::json verdict_json(const Exercise& exercise, const Verdict& verdict);

/// The style of a state word.
Style state_style(State state);

}  // namespace qlab
