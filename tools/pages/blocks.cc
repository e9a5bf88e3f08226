// SPDX-License-Identifier: Apache-2.0
/// \file
/// Finds the comments of a page and fills what stands between them.
#include "pages/blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lab/mutants.h"
#include "lab/text.h"
#include "model/input_error.h"
#include "pages/block_texts.h"
#include "pages/markdown.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

using BlockText = std::string (*)(const BlockPlace& place, const std::string& argument);

const std::map<std::string, BlockText, std::less<>>& block_texts() {
  static const std::map<std::string, BlockText, std::less<>> texts{
      {"code", code_block},       {"mutants", mutants_block},   {"say", say_block},
      {"numbers", numbers_block}, {"steps", steps_block},       {"exercises", exercises_block},
      {"table", table_block},     {"claims", claims_block},     {"verdicts", verdicts_block},
      {"ladder", ladder_block},   {"counters", counters_block},
  };
  return texts;
}

const std::regex& number_form() {
  static const std::regex form(R"(<!--= *(.*?)(?: as (.*?))? *-->.*?<!--/-->)");
  return form;
}

std::string with_numbers(const Docs& docs, const std::string& line) {
  return replace_each(line, number_form(), [&](const std::smatch& match) {
    const std::string how = match[2];
    return fmt::format("<!--= {}{} -->{}<!--/-->", match[1].str(), how.empty() ? "" : " as " + how,
                       docs.measured.text(match[1].str(), how));
  });
}

/// "<!-- code rtn_group_scale -->": the name and what follows it.
bool is_opening(const std::string& line, std::string& name, std::string& argument) {
  static const std::regex form(R"(<!-- (\w+)(?: (.*?))? -->)");
  std::smatch match;
  if (!std::regex_match(line, match, form) || !block_texts().contains(match[1].str())) return false;
  name = match[1];
  argument = match[2];
  return true;
}

std::vector<fs::path> pages_in(const fs::path& docs, const fs::path& folder) {
  std::vector<fs::path> pages;
  for (const fs::directory_entry& entry : fs::directory_iterator(docs / folder)) {
    if (entry.path().extension() == ".md") pages.push_back(folder / entry.path().filename());
  }
  std::ranges::sort(pages);
  // README.md introduces the others.
  std::ranges::stable_partition(pages, [](const fs::path& p) { return p.stem() == "README"; });
  return pages;
}

}  // namespace

Docs Docs::here() {
  const Places places = Places::of_this_program();
  return {places, read_exercises(places), Measured(places.root / "plan/measured")};
}

const Exercise* Docs::exercise_of(const fs::path& page) const {
  const auto found = std::ranges::find_if(
      exercises, [&](const Exercise& e) { return page == fs::path(e.module) / (e.id + ".md"); });
  return found == exercises.end() ? nullptr : &*found;
}

std::vector<fs::path> all_pages(const Docs& docs) {
  const fs::path root = docs.places.root / "docs";
  // What leads in; the other pages of docs/ itself are looked up, and come last.
  const std::vector<fs::path> first{"README.md", "table.md", "decide.md", "exercises.md"};
  std::vector<fs::path> pages, last;
  for (const fs::path& page : pages_in(root, "")) {
    if (std::ranges::find(first, page) == first.end()) last.push_back(page);
  }
  for (const fs::path& page : first) {
    if (fs::exists(root / page)) pages.push_back(page);
  }
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (entry.is_directory()) folders.push_back(entry.path().filename());
  }
  std::ranges::sort(folders);
  for (const fs::path& folder : folders) {
    std::vector<fs::path> inside = pages_in(root, folder);
    // Exercises come in their order, not by name.
    std::ranges::stable_sort(inside, {}, [&](const fs::path& page) {
      const Exercise* exercise = docs.exercise_of(page);
      return exercise == nullptr ? std::ptrdiff_t{-1} : exercise - docs.exercises.data();
    });
    pages.insert(pages.end(), inside.begin(), inside.end());
  }
  pages.insert(pages.end(), last.begin(), last.end());
  return pages;
}

std::vector<std::string> numbers_of(const std::string& text) {
  std::vector<std::string> numbers;
  for (std::sregex_iterator it(text.begin(), text.end(), number_form()), end; it != end; ++it) {
    numbers.push_back((*it)[1]);
  }
  // Whole tables of a file.
  static const std::regex table_form(R"(<!-- (?:verdicts|ladder|counters) (\w+).*?-->)");
  for (std::sregex_iterator it(text.begin(), text.end(), table_form), end; it != end; ++it) {
    numbers.push_back((*it)[1].str() + " circumstances");
  }
  return numbers;
}

std::string updated(const Docs& docs, const fs::path& page, const std::string& text) {
  const std::vector<std::string> lines = lines_of(text);
  const BlockPlace place{docs, page, numbers_of(text)};
  std::string result, name, argument;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto refuse = [&, line = i + 1](const std::string& why) {
      throw InputError(fmt::format("docs/{}:{}: {}", page.string(), line, why));
    };
    try {
      result += with_numbers(docs, lines[i]) + "\n";
      if (!is_opening(lines[i], name, argument)) continue;
      const std::string closing = fmt::format("<!-- /{} -->", name);
      const auto end =
          std::find(lines.begin() + static_cast<std::ptrdiff_t>(i) + 1, lines.end(), closing);
      if (end == lines.end()) refuse(fmt::format("'{}' is never closed with '{}'", name, closing));
      // Blank lines around it: else Markdown takes the comment for the beginning of HTML.
      result += "\n" + block_texts().at(name)(place, argument) + "\n" + closing + "\n";
      i = static_cast<std::size_t>(end - lines.begin());
    } catch (const InputError& error) {
      if (std::string_view(error.what()).starts_with("docs/")) throw;
      refuse(error.what());
    }
  }
  return result;
}

}  // namespace qlab
