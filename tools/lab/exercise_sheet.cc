// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads task sheets and hints: Markdown of a fixed form. They are the lab's own files, so one that is
/// not of that form is our bug, not the learner's.
#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <stdexcept>

#include "lab/exercise.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

/// A Markdown file in sections: the first is what stands above all "## " headings.
class Document {
 public:
  Document(const Places& places, std::string name) : name_(std::move(name)) {
    std::ifstream file(places.root / name_);
    if (!file) refuse("cannot be read");
    sections_.push_back({});
    bool fenced = false;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("```")) fenced = !fenced;
      if (!fenced && line.starts_with("## ")) {
        sections_.push_back({.heading = line.substr(3), .lines = {}});
      } else {
        sections_.back().lines.push_back(line);
      }
    }
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw std::runtime_error(name_ + " " + why);
  }
  const std::vector<std::string>& top() const { return sections_[0].lines; }
  const std::vector<std::string>& section(const std::string& heading) const {
    for (const Section& section : sections_) {
      if (section.heading == heading) return section.lines;
    }
    refuse(fmt::format("has no section '## {}'", heading));
  }
  bool has(const std::string& heading) const {
    for (const Section& section : sections_) {
      if (section.heading == heading) return true;
    }
    return false;
  }

 private:
  struct Section {
    std::string heading;
    std::vector<std::string> lines;
  };
  std::string name_;
  std::vector<Section> sections_;
};

/// Paragraphs, each joined to one line; `item` also begins one.
std::vector<std::string> paragraphs(const std::vector<std::string>& lines, const std::regex& item) {
  std::vector<std::string> result;
  bool inside = false;
  for (const std::string& line : lines) {
    if (line.find_first_not_of(" \t") == std::string::npos) {
      inside = false;
      continue;
    }
    if (!inside || std::regex_search(line, item)) {
      result.push_back(line);
    } else {
      result.back() += " " + line.substr(line.find_first_not_of(" \t"));
    }
    inside = true;
  }
  return result;
}

const std::regex& item_form() {
  static const std::regex form(R"(^(\d+\. |- [a-z]: |[a-z]: ))");
  return form;
}

std::vector<std::string> numbered(const std::vector<std::string>& lines) {
  std::vector<std::string> result;
  for (const std::string& text : paragraphs(lines, item_form())) {
    static const std::regex number(R"(^\d+\. +)");
    if (std::regex_search(text, number)) result.push_back(std::regex_replace(text, number, ""));
  }
  return result;
}

std::string whole(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

void read_question(const Document& document, Sheet& sheet) {
  if (!document.has("Before you run")) return;
  for (const std::string& text : paragraphs(document.section("Before you run"), item_form())) {
    static const std::regex choice(R"(^- ([a-z]): (.+)$)");
    std::smatch match;
    if (!std::regex_match(text, match, choice)) {
      sheet.question += (sheet.question.empty() ? "" : " ") + text;
    } else if (match[1].str()[0] == static_cast<char>('a' + sheet.choices.size())) {
      sheet.choices.push_back(match[2]);
    } else {
      document.refuse("does not name its choices '- a: ', '- b: ', … in order");
    }
  }
  if (sheet.question.empty()) document.refuse("asks nothing under '## Before you run'");
  if (sheet.choices.size() < 2) {
    document.refuse("needs two choices '- a: …' at least under '## Before you run'");
  }
}

}  // namespace

Sheet read_sheet(const Places& places, const Exercise& exercise) {
  const Document document(places, exercise.sheet());
  const std::vector<std::string> top = paragraphs(document.top(), item_form());
  const std::string begin = "# " + exercise.id + ": ";
  if (top.empty() || !top[0].starts_with(begin) || top[0].size() == begin.size()) {
    document.refuse(fmt::format("does not begin with '{}' and a title", begin));
  }
  static const std::regex about(R"(^About (\d+) minutes?\..*)");
  std::smatch match;
  if (top.size() < 2 || !std::regex_match(top[1], match, about)) {
    document.refuse("has no 'About 10 minutes.' under its title");
  }
  if (top.size() < 3) document.refuse("has no paragraph that says what is done and why");
  Sheet sheet{.title = top[0].substr(begin.size()),
              .minutes = std::stoi(match[1]),
              .what = top[2],
              .question = {},
              .choices = {},
              .spoken = numbered(document.section("Say it out loud"))};
  if (sheet.spoken.empty()) document.refuse("says nothing under '## Say it out loud'");
  for (const char* heading : {"What you write", "The data", "Done when"}) {
    document.section(heading);
  }
  read_question(document, sheet);
  return sheet;
}

Hints read_hints(const Places& places, const Exercise& exercise) {
  const Document document(places, exercise.hints());
  Hints hints{.levels = {}, .because = {}, .spoken = numbered(document.section("Say it out loud"))};
  for (const char* heading : {"Hint 1", "Hint 2", "Hint 3"}) {
    hints.levels.push_back(whole(document.section(heading)));
    if (hints.levels.back().empty()) {
      document.refuse(fmt::format("says nothing under '## {}'", heading));
    }
  }
  if (hints.spoken.empty()) document.refuse("says nothing under '## Say it out loud'");
  if (!document.has("Before you run")) return hints;
  static const std::regex answer(R"(^([a-z]): (.+)$)");
  std::smatch match;
  const auto lines = paragraphs(document.section("Before you run"), item_form());
  if (lines.size() != 1 || !std::regex_match(lines[0], match, answer)) {
    document.refuse("does not say 'b: because' under '## Before you run'");
  }
  hints.answer = match[1].str()[0];
  hints.because = match[2];
  return hints;
}

}  // namespace qlab
