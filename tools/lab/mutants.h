// SPDX-License-Identifier: Apache-2.0
/// \file
/// The well-known mistakes of an exercise, as their patches describe them.
#pragma once

#include <string>
#include <vector>

#include "lab/exercise.h"

namespace qlab {

struct Mutant {
  std::string name;                    ///< of the patch
  std::string says;                    ///< what a learner who made it reads
  std::string why;                     ///< why people make it
  std::vector<std::string> caught_by;  ///< tests that must fail, Suite.Test

  std::string variant() const { return "mutant." + name; }
};

/// From the lines "Says: …", "Why: …" and "Caught by: A.B, C.D" of tests/<module>/mutants/<id>/*.patch, in the
/// order of their names. What a patch does not say stays empty.
std::vector<Mutant> read_mutants(const Places& places, const Exercise& exercise);

}  // namespace qlab
