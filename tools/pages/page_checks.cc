// SPDX-License-Identifier: Apache-2.0
/// \file
/// Each check reads the lines of a page once and says where it found what.
#include "pages/page_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/text.h"
#include "model/input_error.h"
#include "pages/markdown.h"
#include "pages/prose_checks.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

class Checks {
 public:
  Checks(const Docs& docs, fs::path page, const std::string& text)
      : docs_(docs), page_(std::move(page)), text_(text), lines_(lines_of(text)) {}

  std::vector<std::string> all() {
    prose();
    links();
    if (const Exercise* exercise = docs_.exercise_of(page_)) {
      sections(*exercise);
      regions(*exercise);
    }
    up_to_date();
    return std::move(complaints_);
  }

 private:
  void complain(std::size_t line, const std::string& what) {
    complaints_.push_back(fmt::format("docs/{}:{}: {}", page_.string(), line, what));
  }

  void prose() {
    for (const ProseFinding& finding : prose_findings(text_)) complain(finding.line, finding.what);
  }

  void sections(const Exercise& exercise) {
    const std::string title =
        fmt::format("# {}: {}", exercise.id, read_sheet(docs_.places, exercise).title);
    if (lines_.empty() || lines_[0] != title) complain(1, fmt::format("must begin '{}'", title));
    std::size_t next = 0;
    bool fenced = false, empty = false;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].starts_with("```")) fenced = !fenced;
      if (fenced || !lines_[i].starts_with("## ")) {
        empty = empty && lines_[i].empty();
        continue;
      }
      if (empty) complain(i + 1, "the section above is empty");
      empty = true;
      const std::string heading = lines_[i].substr(3);
      if (next < kPageSections.size() && heading == kPageSections[next]) {
        ++next;
      } else if (heading != "Numbers on this page") {
        complain(i + 1, fmt::format("'{}' where '{}' belongs", heading,
                                    next < kPageSections.size() ? kPageSections[next] : "nothing"));
      }
    }
    if (next < kPageSections.size()) {
      complain(lines_.size(), fmt::format("the section '{}' is missing", kPageSections[next]));
    }
  }

  /// Every region of the solution stands on the page, and the exercise's picture.
  void regions(const Exercise& exercise) {
    const std::string solution =
        read_text(docs_.places.root / exercise.solution_file()).value_or("");
    static const std::regex begin(R"(BEGIN SOLUTION \[(\w+)\])");
    for (std::sregex_iterator it(solution.begin(), solution.end(), begin), end; it != end; ++it) {
      const std::string block = fmt::format("<!-- code {} -->", (*it)[1].str());
      if (std::ranges::count(lines_, block) != 1)
        complain(1, fmt::format("'{}' must stand once", block));
    }
    const std::regex picture(fmt::format(R"(!\[[^\]]*\]\(\S*/pictures/{}\.svg\))", exercise.id));
    if (!std::regex_search(text_, picture)) {
      complain(1, fmt::format("does not show pictures/{}.svg", exercise.id));
    }
    for (const std::string name : {"mutants", "say"}) {
      if (std::ranges::count(lines_, fmt::format("<!-- {} -->", name)) != 1) {
        complain(1, fmt::format("'<!-- {} -->' must stand once", name));
      }
    }
    if (text_.find("<!--=") != std::string::npos &&
        std::ranges::count(lines_, std::string("<!-- numbers -->")) != 1) {
      complain(1, "has measured numbers and no '<!-- numbers -->'");
    }
  }

  void links() {
    static const std::regex link(R"((!?)\[((?:[^\[\]]|`[^`]*`)*)\]\(([^()\s]+)\))");
    bool fenced = false;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].starts_with("```")) fenced = !fenced;
      if (fenced) continue;
      for (std::sregex_iterator it(lines_[i].begin(), lines_[i].end(), link), end; it != end;
           ++it) {
        follow(i + 1, (*it)[3]);
        constexpr std::size_t kFewWords = 40;
        if ((*it)[1].length() == 1 && (*it)[2].str().size() < kFewWords) {
          complain(i + 1, "the picture has too few words for somebody who cannot see it");
        }
      }
    }
  }

  void follow(std::size_t line, const std::string& address) {
    if (address.find("://") != std::string::npos) return;
    const auto hash = address.find('#');
    const fs::path path = address.substr(0, hash);
    const fs::path target =
        path.empty() ? docs_.places.root / "docs" / page_
                     : (docs_.places.root / "docs" / page_.parent_path() / path).lexically_normal();
    if (!fs::exists(target)) {
      complain(line, fmt::format("the link '{}' leads nowhere", address));
    } else if (hash != std::string::npos &&
               !has_anchor(path.empty() ? text_ : read_text(target).value_or(""),
                           address.substr(hash + 1))) {
      complain(line, fmt::format("'{}': that page has no such heading", address));
    }
  }

  static bool has_anchor(const std::string& text, const std::string& anchor) {
    bool fenced = false;
    for (const std::string& line : lines_of(text)) {
      if (line.starts_with("```")) fenced = !fenced;
      const auto words = line.find(' ');
      if (!fenced && line.starts_with("#") && words != std::string::npos &&
          heading_slug(line.substr(words + 1)) == anchor) {
        return true;
      }
    }
    return false;
  }

  void up_to_date() {
    try {
      const std::vector<std::string> today = lines_of(updated(docs_, page_, text_));
      const auto [here, there] = std::ranges::mismatch(lines_, today);
      if (here != lines_.end() || there != today.end()) {
        complain(static_cast<std::size_t>(here - lines_.begin()) + 1,
                 "is out of date; ./lab docs --write brings it up to date");
      }
    } catch (const InputError& error) {
      complaints_.emplace_back(error.what());
    }
  }

  const Docs& docs_;
  fs::path page_;
  const std::string& text_;
  std::vector<std::string> lines_;
  std::vector<std::string> complaints_;
};

}  // namespace

std::vector<std::string> page_complaints(const Docs& docs, const fs::path& page,
                                         const std::string& text) {
  return Checks(docs, page, text).all();
}

std::vector<std::string> all_complaints(const Docs& docs) {
  std::vector<std::string> complaints;
  const std::vector<fs::path> pages = all_pages(docs);
  for (const fs::path& page : pages) {
    const std::string text = read_text(docs.places.root / "docs" / page).value_or("");
    const std::vector<std::string> found = page_complaints(docs, page, text);
    complaints.insert(complaints.end(), found.begin(), found.end());
  }
  for (const Exercise& exercise : docs.exercises) {
    const fs::path page = fs::path(exercise.module) / (exercise.id + ".md");
    if (std::ranges::find(pages, page) == pages.end()) {
      complaints.push_back(fmt::format("docs/{} is missing", page.string()));
    }
  }
  return complaints;
}

}  // namespace qlab
