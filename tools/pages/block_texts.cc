// SPDX-License-Identifier: Apache-2.0
/// \file
/// Blocks about an exercise and about a page's place among the others.
#include "pages/block_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lab/mutants.h"
#include "lab/text.h"
#include "model/input_error.h"
#include "pages/markdown.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

/// The title of a page: its first heading.
std::string title_of(const Docs& docs, const fs::path& page) {
  for (const std::string& line :
       lines_of(read_text(docs.places.root / "docs" / page).value_or(""))) {
    if (line.starts_with("# ")) return line.substr(2);
  }
  throw InputError(fmt::format("docs/{} has no heading '# …'", page.string()));
}

/// The lines of a region of a file, without its markers.
std::vector<std::string> region_of(const fs::path& file, const std::string& region) {
  const std::string begin = fmt::format("BEGIN SOLUTION [{}]", region);
  const std::string end = fmt::format("END SOLUTION [{}]", region);
  std::vector<std::string> lines;
  bool inside = false;
  for (const std::string& line : lines_of(read_text(file).value_or(""))) {
    if (line.find(end) != std::string::npos) return without_indent(lines);
    if (inside) lines.push_back(line);
    inside = inside || line.find(begin) != std::string::npos;
  }
  return {};
}

}  // namespace

std::string BlockPlace::link(const fs::path& target) const {
  return target.lexically_relative(fs::path("docs") / page.parent_path()).generic_string();
}

const Exercise& BlockPlace::exercise() const {
  const Exercise* exercise = docs.exercise_of(page);
  if (exercise == nullptr) throw InputError("this is the page of no exercise");
  return *exercise;
}

std::string code_block(const BlockPlace& place, const std::string& region) {
  for (const Exercise& exercise : place.docs.exercises) {
    if (!region.starts_with(exercise.id)) continue;
    const auto lines = region_of(place.docs.places.root / exercise.solution_file(), region);
    if (lines.empty()) continue;
    std::string text = "```cpp\n";
    for (const std::string& line : lines) text += line + "\n";
    return text + "```\n";
  }
  throw InputError(fmt::format("no solution has a region [{}]", region));
}

std::string mutants_block(const BlockPlace& place, const std::string& /*nothing*/) {
  const Exercise& exercise = place.exercise();
  std::string text;
  for (const Mutant& mutant : read_mutants(place.docs.places, exercise)) {
    text += fmt::format("- {} *Why it is written: {}.*\n", mutant.says, mutant.why);
  }
  if (text.empty()) throw InputError(exercise.mutants() + " has no mutants");
  return text;
}

std::string say_block(const BlockPlace& place, const std::string& /*nothing*/) {
  const Exercise& exercise = place.exercise();
  const Sheet sheet = read_sheet(place.docs.places, exercise);
  const Hints hints = read_hints(place.docs.places, exercise);
  std::string text;
  for (std::size_t i = 0; i < sheet.spoken.size() && i < hints.spoken.size(); ++i) {
    if (i > 0) text += "\n";
    text += fmt::format("<details>\n<summary>{}</summary>\n\n{}\n\n</details>\n", sheet.spoken[i],
                        hints.spoken[i]);
  }
  return text;
}

std::string numbers_block(const BlockPlace& place, const std::string& /*nothing*/) {
  std::map<std::string, Origin> origins;
  std::map<std::string, std::vector<std::string>> claims;
  for (const std::string& number : place.numbers) {
    for (const Origin& origin : place.docs.measured.origins(number)) {
      origins.emplace(origin.file, origin);
      static const std::regex claim(R"(^(C\d\d))");
      std::smatch match;
      if (!std::regex_search(number, match, claim)) continue;
      auto& known = claims[origin.file];
      if (std::ranges::find(known, match[1].str()) == known.end()) known.push_back(match[1]);
    }
  }
  std::string text;
  for (const auto& [file, origin] : origins) {
    std::ranges::sort(claims[file]);
    text += fmt::format("- {}, {}: `{}`, kept in [{}.json]({}){}{}.\n", origin.machine, origin.date,
                        origin.command, file, place.link("plan/measured/" + file + ".json"),
                        claims[file].empty() ? "" : "; claims ", fmt::join(claims[file], ", "));
  }
  return text.empty() ? "None was measured: all follow from definitions.\n" : text;
}

std::string steps_block(const BlockPlace& place, const std::string& /*nothing*/) {
  const std::vector<fs::path> pages = all_pages(place.docs);
  const auto here = std::ranges::find(pages, place.page);
  std::vector<std::string> steps;
  const auto step = [&](const char* word, const fs::path& page) {
    steps.push_back(
        fmt::format("{}: [{}]({})", word, title_of(place.docs, page), place.link("docs" / page)));
  };
  if (here != pages.begin()) step("Before", here[-1]);
  if (here + 1 != pages.end()) step("Next", here[1]);
  return fmt::format("{}\n", fmt::join(steps, " · "));
}

std::string exercises_block(const BlockPlace& place, const std::string& module_number) {
  std::string text = "| | Exercise | What you write | About |\n| --- | --- | --- | --- |\n";
  bool any = false;
  for (const Exercise& exercise : place.docs.exercises) {
    if (!exercise.module.starts_with(module_number)) continue;
    any = true;
    const Sheet sheet = read_sheet(place.docs.places, exercise);
    const fs::path page = fs::path("docs") / exercise.module / (exercise.id + ".md");
    text += fmt::format("| {} | [{}]({}) | {} ({}) | {} min |\n", exercise.number, exercise.id,
                        place.link(page), sheet.title, exercise.is_cuda() ? "CUDA" : "C++",
                        sheet.minutes);
  }
  if (!any) throw InputError(fmt::format("there is no module '{}'", module_number));
  return text;
}

}  // namespace qlab
