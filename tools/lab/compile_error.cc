// SPDX-License-Identifier: Apache-2.0
/// \file
/// Finds the first error in a compiler's log. Without std::regex, which recurses once a character:
/// a line of a template's backtrace can be longer than its stack.
#include "lab/compile_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "lab/learners_place.h"
#include "lab/link_error.h"
#include "lab/text.h"

namespace qlab {
namespace {

constexpr std::size_t kWidth = 160;  // of a message; a terminal folds it once

/// "path:44:17: error: text".
struct Diagnostic {
  std::string place, text;
};

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
}

/// Whether `place` ends with a line and a column. A linker tells a line at most.
bool has_column(std::string_view place) {
  const std::size_t column = place.rfind(':');
  if (column == std::string_view::npos || !is_number(place.substr(column + 1))) return false;
  const std::size_t line = place.rfind(':', column - 1);
  return column > 0 && line != std::string_view::npos &&
         is_number(place.substr(line + 1, column - line - 1));
}

bool read_diagnostic(const std::string& line, Diagnostic& result) {
  for (const std::string_view word :
       {": error: ", ": fatal error: ", ": internal compiler error: "}) {
    const std::size_t at = line.find(word);
    if (at == std::string::npos || !has_column(std::string_view(line).substr(0, at))) continue;
    result = {.place = line.substr(0, at), .text = line.substr(at + word.size())};
    return true;
  }
  return false;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// The names as the learner writes them.
std::string readable(std::string text) {
  if (text.ends_with(']')) text.erase(std::min(text.rfind(" [-W"), text.size()));  // an option
  replace_all(text, "qlab::exercise::", "");
  replace_all(text, "{anonymous}::", "");
  replace_all(text, "(anonymous namespace)::", "");
  replace_all(text, "__cxx11::", "");
  replace_all(text, "std::basic_string<char>", "std::string");
  return padded(text, std::min(columns(text), kWidth));
}

/// "…/labs/x.cc:44:17" from the root on; "/usr/lib/../include/x" without detours.
std::string shown_place(const std::string& place, const std::filesystem::path& root) {
  const std::string path = std::filesystem::path(place).lexically_normal();
  const std::string prefix = (root / "").lexically_normal();
  return path.starts_with(prefix) ? path.substr(prefix.size()) : path;
}

bool is_context(const std::string& line) {
  return line.starts_with("In file included from ") || line.starts_with("                 from ") ||
         line.find(": In instantiation of ") != std::string::npos ||
         line.find(": In substitution of ") != std::string::npos ||
         line.find("required from") != std::string::npos ||
         line.find("required by") != std::string::npos;
}

/// From where in the learner's file the error in lines[at] comes: of the template's backtrace, which
/// g++ writes before the error and clang after it; else of the chain of includes.
std::string origin(const std::vector<std::string>& lines, std::size_t at,
                   const std::string& lab_file) {
  std::string included;
  for (std::size_t i = at; i-- > 0 && is_context(lines[i]);) {
    const std::string place = learners_place(lines[i], lab_file);
    if (place.empty()) continue;
    if (lines[i].find("required from") != std::string::npos) return place;
    included = place;
  }
  Diagnostic next;
  for (std::size_t i = at + 1; i < lines.size() && !read_diagnostic(lines[i], next); ++i) {
    if (lines[i].find("requested here") == std::string::npos) continue;
    const std::string place = learners_place(lines[i], lab_file);
    if (!place.empty()) return place;
  }
  return included;
}

bool is_caret(std::string_view line) {
  return line.find('^') != std::string_view::npos &&
         line.find_first_not_of(" ^~") == std::string_view::npos;
}

/// The line of source under an error and its caret, in g++'s form whoever wrote them.
std::vector<std::string> snippet(const std::vector<std::string>& lines, std::size_t at,
                                 const std::string& place) {
  if (at + 2 >= lines.size()) return {};
  std::string source = lines[at + 1], caret = lines[at + 2];
  if (const std::size_t bar = caret.find(" | "); caret.find_first_not_of(' ') == bar + 1) {
    if (!is_number(std::string_view(source).substr(0, bar).substr(
            std::min(bar, source.find_first_not_of(' '))))) {
      return {};
    }
    caret.erase(0, bar + 3);
    source.erase(0, bar + 3);
  }
  if (!is_caret(caret)) return {};
  const std::string before_column = place.substr(0, place.rfind(':'));
  const std::string number = before_column.substr(before_column.rfind(':') + 1);
  return {fmt::format("{:>6} | {}", number, source), fmt::format("{:>6} | {}", "", caret)};
}

/// Errors without a place: of CMake, of ninja, of a compiler that was killed.
std::vector<std::string> unplaced_error(const std::vector<std::string>& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].starts_with("CMake Error")) {
      std::vector<std::string> shown;
      for (std::size_t j = i; j < std::min(i + 6, lines.size()); ++j) {
        if (lines[j].starts_with("Call Stack")) break;
        if (!lines[j].empty()) shown.push_back(lines[j]);
      }
      return shown;
    }
    if (lines[i].find("error: ") != std::string::npos) return {lines[i]};
  }
  return {};
}

}  // namespace

std::vector<std::string> first_error(std::string_view log, const std::filesystem::path& root,
                                     const Exercise& exercise, std::string_view stub) {
  const std::vector<std::string> lines = lines_of(log);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Diagnostic error;
    if (read_diagnostic(lines[i], error)) {
      const std::string place = shown_place(error.place, root);
      std::vector<std::string> shown = {place + ": " + readable(error.text)};
      for (std::string& line : snippet(lines, i, error.place)) shown.push_back(std::move(line));
      const std::string lab = exercise.lab_file();
      const std::string from = place.starts_with(lab) ? "" : origin(lines, i, lab);
      if (!from.empty()) shown.push_back("from " + from);
      return shown;
    }
    const std::string link = link_error(lines[i], exercise, stub);
    if (!link.empty()) return {readable(link)};
  }
  std::vector<std::string> shown = unplaced_error(lines);
  for (std::string& line : shown) replace_all(line, (root / "").string(), "");
  return shown;
}

int count_errors(std::string_view log) {
  Diagnostic unused;
  int count = 0;
  std::set<std::string> refused;  // the linker tells each place that needs the same function
  for (const std::string& line : lines_of(log)) {
    if (read_diagnostic(line, unused)) {
      ++count;
    } else if (const std::string symbol = refused_symbol(line); !symbol.empty()) {
      count += refused.insert(symbol).second ? 1 : 0;
    }
  }
  return std::max(1, count);
}

}  // namespace qlab
