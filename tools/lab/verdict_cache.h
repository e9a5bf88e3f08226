// SPDX-License-Identifier: Apache-2.0
/// \file
/// What earlier checks found: exercises/verdicts.json of the build. Only a memory: without it, or
/// when it is damaged, nothing is lost but time.
#pragma once

#include <optional>
#include <string>

#include "lab/check.h"

namespace qlab {

/// Changes with everything that a verdict depends on: the learner's file, our solution, the tests,
/// the contract and its oracle, the mutants.
std::string verdict_key(const Places& places, const Exercise& exercise);

/// The verdict of a check when everything was as it is now.
std::optional<Verdict> remembered(const Places& places, const Exercise& exercise);

/// `key` is verdict_key from before the check; a file that changed meanwhile was not what was judged.
void remember(const Places& places, const Exercise& exercise, const std::string& key,
              const Verdict& verdict);

}  // namespace qlab
