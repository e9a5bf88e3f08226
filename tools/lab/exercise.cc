// SPDX-License-Identifier: Apache-2.0
/// \file
/// The list of exercises, the one that a learner means, and what is open in a file.
#include "lab/exercise.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <fstream>
#include <regex>

#include "lab/fuzzy.h"
#include "model/input_error.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

/// One line of exercises.txt; `place` is its place in its module.
Exercise exercise_named(const std::string& line, int place) {
  static const std::regex form(R"((0*(\d+)_\w+)/(\w+)(\.cc|\.cu))");
  std::smatch match;
  if (!std::regex_match(line, match, form)) {
    throw InputError(
        fmt::format("exercises.txt: {} is not of the form 01_topic/name.cc", printable(line)));
  }
  return {.id = match[3],
          .module = match[1],
          .number = fmt::format("{}.{}", match[2].str(), place),
          .extension = match[4]};
}

/// A path to one of its files means the exercise as well.
std::string without_path(std::string_view typed) {
  const std::string name = fs::path(typed).filename();
  for (const std::string_view end : {".hints.md", ".md", ".cc", ".cu", ".h"}) {
    if (name.ends_with(end)) return name.substr(0, name.size() - end.size());
  }
  return name;
}

}  // namespace

Places Places::of_this_program() { return {.root = QLAB_SOURCE_DIR, .build = QLAB_BUILD_DIR}; }

std::vector<Exercise> read_exercises(const Places& places) {
  const fs::path path = places.build / "exercises.txt";
  std::ifstream file(path);
  if (!file) {
    throw InputError(
        fmt::format("{} cannot be read; ./lab doctor says what the build lacks", path.string()));
  }
  std::vector<Exercise> all;
  int place = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    const std::string module = line.substr(0, line.find('/'));
    place = !all.empty() && all.back().module == module ? place + 1 : 1;
    all.push_back(exercise_named(line, place));
  }
  return all;
}

const Exercise& find_exercise(const std::vector<Exercise>& all, std::string_view typed) {
  const std::string name = without_path(typed);
  std::vector<const Exercise*> matches;
  std::vector<std::string> names;
  for (const Exercise& exercise : all) {
    if (exercise.id == name || exercise.number == name) return exercise;
    if (!name.empty() && exercise.id.find(name) != std::string::npos) matches.push_back(&exercise);
    names.push_back(exercise.id);
  }
  if (matches.size() == 1) return *matches[0];
  if (matches.size() > 1) {
    std::vector<std::string> labels;
    for (const Exercise* match : matches) labels.push_back(match->number + " " + match->id);
    throw InputError(fmt::format("{} is part of {}; type more of the one that you mean",
                                 printable(typed), fmt::join(labels, ", ")));
  }
  const std::string nearest = nearest_name(name, names);
  throw InputError(fmt::format("{} is not an exercise{}; all of them: ./lab list", printable(typed),
                               nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

std::vector<OpenTodo> open_todos(const Places& places, const Exercise& exercise) {
  static const std::regex title(R"(^\s*// TODO \[(\w+)\] (.+?)\s*$)");
  static const std::regex call(R"~(^[^/]*\btodo\("(\w+)"\))~");  // not one behind a comment
  std::ifstream file(places.root / exercise.lab_file());
  std::vector<OpenTodo> titles, open;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::smatch match;
    if (std::regex_match(line, match, title)) {
      titles.push_back({.id = match[1], .title = match[2], .line = number});
    } else if (std::regex_search(line, match, call)) {
      for (const OpenTodo& todo : titles) {
        if (todo.id == match[1]) open.push_back(todo);
      }
    }
  }
  return open;
}

}  // namespace qlab
