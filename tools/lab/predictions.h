// SPDX-License-Identifier: Apache-2.0
/// \file
/// Predictions: what a learner expected before the first run, in .lab/answers.json. Nothing depends
/// on them; after the tests they stand beside what was measured.
#pragma once

#include <string>

#include "lab/learner.h"

namespace qlab {

/// The letter that was kept, or "".
std::string prediction(const Learner& learner, const Exercise& exercise);

/// Keeps `letter`. \throws InputError when it is none of the choices, or there is no question.
void keep_prediction(const Learner& learner, const Exercise& exercise, const std::string& letter);

/// Asks once, when there is a question, no answer yet, and somebody to ask; Enter skips.
void ask_prediction(const Learner& learner, const Exercise& exercise);

/// "You said: b, 8 times. Measured here: 8.0. It is b: …". Keeps the fact beside the answer.
std::string prediction_beside_fact(const Learner& learner, const Exercise& exercise,
                                   const Verdict& verdict);

/// "You predicted 9 of 14; what surprised you: kivi, pack_int4": of the exercises that are done. ""
/// where nothing was predicted.
std::string all_predictions(const Learner& learner);

}  // namespace qlab
