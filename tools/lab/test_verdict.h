// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a run of the learner's program to a verdict.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lab/check.h"
#include "lab/variant_run.h"

namespace qlab {

/// What the learner's program was to do.
struct Assignment {
  const Exercise& exercise;
  std::vector<std::string> tests;  ///< of our solution, all of which must run and pass
  std::vector<OpenTodo> open;      ///< in the learner's file
  bool untouched;                  ///< the file is the stub
  std::chrono::milliseconds limit;
};

/// Only a whole report in which every expected test ran and passed is done. Neither the exit status
/// nor anything that the program prints can make it so.
Verdict judge_run(const Assignment& assignment, const VariantRun& run);

}  // namespace qlab
