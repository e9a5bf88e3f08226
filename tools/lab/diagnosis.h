// SPDX-License-Identifier: Apache-2.0
/// \file
/// The fingerprints of known mistakes. A wrong diagnosis costs more than none, so a mistake is named
/// only when its outputs are the learner's, element for element, in every test looked at.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lab/dump_files.h"
#include "lab/exercise.h"

namespace qlab {

/// A failing test, and what a program computed in it.
struct Evidence {
  std::string test;
  std::vector<Dump> dumps;
};

/// The first few of the failed tests that fail by a value; `dumps` is where the outputs are.
std::vector<Evidence> evidence_of(const std::filesystem::path& dumps,
                                  const std::vector<std::string>& failed);

/// A mutant, or the stub that writes nothing.
struct Suspect {
  std::string variant, says;
  bool matches = false;
};
std::vector<Suspect> suspects_of(const Places& places, const Exercise& exercise);

/// Whether a suspect that left its outputs in `dumps` computed what the evidence shows, in each of
/// the tests, and fails there itself.
bool same_mistake(const Suspect& suspect, const std::vector<Evidence>& evidence,
                  const std::filesystem::path& dumps);

/// What to tell the learner of the suspects that match: the sentence of one, "one of: …" for two or
/// three, nothing for more.
std::string sentence_of(const std::vector<Suspect>& suspects);

}  // namespace qlab
