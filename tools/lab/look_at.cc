// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a mutant's sentence over its patch to a region of the solution, and to that region's title in
/// the learner's file.
#include "lab/look_at.h"

#include <fmt/format.h>

#include <regex>
#include <set>

#include "lab/stub.h"
#include "lab/text.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

/// The line of the solution that a patch first changes when `likely` quotes its sentence, else 0.
int changed_line(const std::string& patch, const std::string& likely) {
  static const std::regex hunk(R"(^@@ -(\d+).*)");
  int line = 0;
  bool quoted = false, inside = false;
  for (const std::string& text : lines_of(patch)) {
    std::smatch match;
    if (!inside && text.starts_with("Says: ")) {
      quoted = likely.find(text.substr(6)) != std::string::npos;
    } else if (std::regex_match(text, match, hunk)) {
      line = std::stoi(match[1]);
      inside = true;
    } else if (inside) {
      if (text.starts_with("-") || text.starts_with("+")) return quoted ? line : 0;
      ++line;
    }
  }
  return 0;
}

}  // namespace

std::string look_at(const Places& places, const Exercise& exercise, const std::string& likely) {
  const auto solution = read_text(places.root / exercise.solution_file());
  const auto lab = read_text(places.root / exercise.lab_file());
  std::error_code none;
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(places.root / exercise.mutants(), none)) {
    if (!solution || entry.path().extension() != ".patch") continue;
    const int line = changed_line(read_text(entry.path()).value_or(""), likely);
    for (const Region& region : regions(*solution)) {
      if (region.begin <= line && line <= region.end) found.insert(region.id);
    }
  }
  if (found.size() != 1 || !lab) return "";
  int number = 0;
  for (const std::string& line : lines_of(*lab)) {
    ++number;
    if (line.find("// TODO [" + *found.begin() + "]") != std::string::npos) {
      return fmt::format("{}:{}", exercise.lab_file(), number);
    }
  }
  return "";
}

}  // namespace qlab
