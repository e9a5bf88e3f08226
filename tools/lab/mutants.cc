// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads the heads of patches; see mutants.h.
#include "lab/mutants.h"

#include <algorithm>
#include <sstream>

#include "lab/text.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream words(list);
  for (std::string word; words >> word;) {
    if (word.back() == ',') word.pop_back();
    if (!word.empty()) names.push_back(word);
  }
  return names;
}

Mutant read_mutant(const fs::path& patch) {
  constexpr std::string_view kSays = "Says: ", kWhy = "Why: ", kCaughtBy = "Caught by: ";
  Mutant mutant{.name = patch.stem().string(), .says = {}, .why = {}, .caught_by = {}};
  for (const std::string& line : lines_of(read_text(patch).value_or(""))) {
    if (line.starts_with("--- ")) break;
    if (line.starts_with(kSays)) mutant.says = line.substr(kSays.size());
    if (line.starts_with(kWhy)) mutant.why = line.substr(kWhy.size());
    if (line.starts_with(kCaughtBy)) mutant.caught_by = names_in(line.substr(kCaughtBy.size()));
  }
  return mutant;
}

}  // namespace

std::vector<Mutant> read_mutants(const Places& places, const Exercise& exercise) {
  std::vector<Mutant> mutants;
  std::error_code none;  // an exercise without a folder has none
  for (const auto& entry : fs::directory_iterator(places.root / exercise.mutants(), none)) {
    if (entry.path().extension() == ".patch") mutants.push_back(read_mutant(entry.path()));
  }
  std::ranges::sort(mutants, {}, &Mutant::name);
  return mutants;
}

}  // namespace qlab
