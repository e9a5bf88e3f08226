// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads the reports of the address and the undefined-behaviour sanitizer; see crash_text.h.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "lab/crash_text.h"
#include "lab/learners_place.h"
#include "lab/text.h"

namespace qlab {
namespace {

using Lines = std::vector<std::string>;

/// What stands between `before` and `after`; nothing when one of them is missing.
std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return "";
  const std::string_view rest = text.substr(begin + before.size());
  const std::size_t end = rest.find(after);
  return end == std::string_view::npos ? "" : std::string(rest.substr(0, end));
}

/// "24" of "…24-byte region" for "-byte region".
std::string number_before(const std::string& text, std::string_view word) {
  const std::size_t end = text.find(word);
  if (end == std::string::npos) return "";
  const std::size_t blank = text.rfind(' ', end);
  return text.substr(blank + 1, end - blank - 1);
}

std::string counted_bytes(const std::string& count) {
  return count + (count == "1" ? " byte" : " bytes");
}

/// " at labs/…/op.cc:41", of the first stack after lines[at]; a call of ours that the learner's code
/// led to counts as the learner's.
std::string place_in_stack(const Lines& lines, std::size_t at, std::string_view lab_file) {
  bool in_stack = false;
  for (std::size_t i = at; i < lines.size(); ++i) {
    const bool frame = lines[i].starts_with("    #");
    if (in_stack && !frame) break;
    in_stack = frame;
    const std::string place = frame ? learners_place(lines[i], lab_file) : "";
    if (!place.empty()) return " at " + place;
  }
  return "";
}

/// ", just past the end of 24 bytes".
std::string beside_what(const Lines& lines, std::size_t at) {
  for (std::size_t i = at; i < lines.size(); ++i) {
    const std::string variable = between(lines[i], "'", "' (line ");
    if (!variable.empty() && lines[i].find("<== Memory access") != std::string::npos) {
      const bool before = lines[i].find("underflows") != std::string::npos;
      return fmt::format(", {} of the variable {}", before ? "before the begin" : "past the end",
                         variable);
    }
    const std::string distance = between(lines[i], " is located ", " bytes ");
    const std::string size = number_before(lines[i], "-byte region");
    if (distance.empty() || size.empty()) continue;
    const bool before = lines[i].find("to the left of") != std::string::npos ||
                        lines[i].find(" bytes before ") != std::string::npos;
    if (lines[i].find(" inside of ") != std::string::npos) return "";
    return fmt::format(", {} {} of {}", distance == "0" ? "just" : counted_bytes(distance),
                       before ? "before the begin" : "past the end", counted_bytes(size));
  }
  return "";
}

/// "heap-buffer-overflow: read of 2 bytes"; `report` is what follows "AddressSanitizer: ".
std::string kind_of(const std::string& report, const std::string& next) {
  if (report.starts_with("stack-overflow")) return "stack overflow: a recursion without an end?";
  if (report.starts_with("requested allocation size") || report.starts_with("out of memory")) {
    return "more memory was asked for than there is: a size that became negative?";
  }
  if (report.starts_with("attempting double-free")) return "double-free: memory was freed twice";
  if (report.starts_with("SEGV")) {
    const bool null = report.find(" 0x000000000") != std::string::npos;
    const bool write = next.find("WRITE") != std::string::npos;
    return fmt::format("{} through {}", write ? "a write" : "a read",
                       null ? "a null pointer" : "a pointer to memory that is not there");
  }
  const std::string kind = report.substr(0, report.find_first_of(" :"));
  const std::string access = next.starts_with("WRITE of size ")  ? "write"
                             : next.starts_with("READ of size ") ? "read"
                                                                 : "";
  if (access.empty()) return kind;
  return fmt::format("{}: {} of {}", kind, access, counted_bytes(between(next, " of size ", " ")));
}

std::string address_text(const Lines& lines, std::size_t at, std::string_view lab_file) {
  constexpr std::string_view kWord = "AddressSanitizer: ";
  const std::string report = lines[at].substr(lines[at].find(kWord) + kWord.size());
  const std::string next = at + 1 < lines.size() ? lines[at + 1] : "";
  const std::string text = kind_of(report, next) + place_in_stack(lines, at + 1, lab_file);
  return report.find("-overflow on address") == std::string::npos ||
                 report.starts_with("stack-overflow")
             ? text
             : text + beside_what(lines, at);
}

std::string undefined_text(const Lines& lines, std::size_t at, std::string_view lab_file) {
  constexpr std::string_view kWord = ": runtime error: ";
  const std::size_t word = lines[at].find(kWord);
  std::string text = lines[at].substr(word + kWord.size());
  if (text.find("with insufficient space for an object") != std::string::npos) {
    text = fmt::format("{} past the end of an array",
                       text.starts_with("store") ? "a write" : "a read");
  }
  const std::string place = learners_place(lines[at].substr(0, word + 1), lab_file);
  return text + (place.empty() ? place_in_stack(lines, at + 1, lab_file) : " at " + place);
}

}  // namespace

std::string sanitizer_text(std::string_view output, std::string_view lab_file) {
  const Lines lines = lines_of(output);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].find("ERROR: AddressSanitizer: ") != std::string::npos) {
      return address_text(lines, i, lab_file);
    }
    if (lines[i].find(": runtime error: ") != std::string::npos) {
      return undefined_text(lines, i, lab_file);
    }
    if (lines[i].find("hard rss limit exhausted") != std::string::npos) {
      return "more than 4 GB of memory were used: an allocation in a loop without an end?";
    }
  }
  return "";
}

}  // namespace qlab
