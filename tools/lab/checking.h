// SPDX-License-Identifier: Apache-2.0
/// \file
/// One check as a person sees it: what is being done, the verdict, and what follows from it.
#pragma once

#include <functional>

#include "lab/learner.h"

namespace qlab {

/// Checks and prints. The verdict comes first; a recognised mistake takes seconds and follows it.
/// \throws Interrupted when `stop` says so.
Verdict check_and_show(const Learner& learner, const Exercise& exercise,
                       const std::function<bool()>& stop);

/// The exit code for one verdict.
int exit_code(State state);

/// Says "checking…" on a line of standard error that it draws over; on its own lines elsewhere.
class Doing {
 public:
  Doing(const Learner& learner, const Exercise& exercise);
  ~Doing() { clear(); }
  Doing(const Doing&) = delete;
  Doing& operator=(const Doing&) = delete;

  void show(const std::string& what);
  void clear();

 private:
  const Learner& learner_;
  const Exercise& exercise_;
  bool drawn_ = false;
};

}  // namespace qlab
