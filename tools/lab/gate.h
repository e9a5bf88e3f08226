// SPDX-License-Identifier: Apache-2.0
/// \file
/// The gate: whether the tests of an exercise can be believed. A stub must fail them all, our solution
/// pass them all, and every known mistake be caught by the test that its patch names.
#pragma once

#include <string>
#include <vector>

#include "lab/exercise.h"
#include "lab/mutants.h"
#include "lab/terminal.h"
#include "lab/variant_run.h"

namespace qlab {

struct MutantRun {
  Mutant mutant;
  VariantRun run;
  std::string told;  ///< what a learner with this mutant's outputs reads as the likely mistake
};

/// What an exercise is judged by.
struct GateEvidence {
  std::vector<std::string> tests;  ///< all there are, Suite.Test
  VariantRun stub, solution;
  std::vector<MutantRun> mutants;
};

struct GateResult {
  int tests = 0;            ///< there are
  int stub_failed = 0;      ///< of them, on the stub, because nothing is written yet
  int solution_passed = 0;  ///< of them, on the solution
  int mutants = 0, mutants_caught = 0;
  int pairs = 0;                             ///< tests that ran to their end, over all programs
  std::vector<std::string> complaints = {};  ///< a sentence each; none: the tests may be believed
};

/// The verdict on what ran; starts nothing.
GateResult judge_evidence(const GateEvidence& evidence);

/// Runs the programs of an exercise that is built, and judges them and its files: a sheet, three
/// hints, three mutants at least. With `drift`, also that the learner's file is the stub as it is
/// generated; that is for a tree in which nobody has worked yet.
GateResult gate_exercise(const Places& places, const Exercise& exercise, bool drift);

struct GateOptions {
  std::vector<std::string> ids;  ///< none: all exercises
  bool drift = false;
};

/// `lab selftest --gate`: a line an exercise, then what is wrong. Returns 0, or 3 when something is.
int run_gate(const Places& places, const GateOptions& options, const Terminal& terminal);

}  // namespace qlab
