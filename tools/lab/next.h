// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which exercise comes after the present one.
#pragma once

#include <string>

#include "lab/learner.h"

namespace qlab {

struct NextExercise {
  const Exercise* exercise = nullptr;   ///< null when all are done
  const Exercise* left_open = nullptr;  ///< the one left behind that is not done, or null
};

/// The first open one after the exercise that was shown last, and notes that it is shown.
NextExercise next_exercise(const Learner& learner);

/// Notes in .lab/seen.json that the learner is at this exercise.
void note_here(const Learner& learner, const Exercise& exercise);

/// "half_formats is not done; …", or "".
std::string leaving_text(const NextExercise& next);

}  // namespace qlab
