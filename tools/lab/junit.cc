// SPDX-License-Identifier: Apache-2.0
/// \file
/// A reader of ctest's own output, not of XML at large.
#include "lab/junit.h"

#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace qlab {
namespace {

/// The text between `open` and the next `close`, or nothing.
std::string_view between(std::string_view text, std::string_view open, std::string_view close) {
  const std::size_t start = text.find(open);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start + open.size());
  return text.substr(0, text.find(close));
}

std::string unescaped(std::string_view text) {
  constexpr std::pair<std::string_view, char> kEntities[] = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}};
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t taken = 1;
    char letter = text[i];
    for (const auto& [entity, meaning] : kEntities) {
      if (text.substr(i, entity.size()) == entity) {
        taken = entity.size();
        letter = meaning;
      }
    }
    plain += letter;
    i += taken;
  }
  return plain;
}

/// "notrun" means two things: the test asked to be skipped, or its program is not there.
TestResult::End end_of(std::string_view status, std::string_view message) {
  if (status == "run") return TestResult::End::kPassed;
  if (status == "disabled") return TestResult::End::kSkipped;
  if (status == "notrun" && message.starts_with("SKIP_")) return TestResult::End::kSkipped;
  return TestResult::End::kFailed;
}

/// Takes the first line off `text`.
std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
  return line;
}

}  // namespace

std::vector<TestResult> read_junit(std::string_view xml) {
  constexpr std::string_view kOpen = "<testcase ";
  constexpr std::string_view kClose = "</testcase>";
  const auto expected =
      std::strtoul(std::string(between(xml, "tests=\"", "\"")).c_str(), nullptr, 10);
  std::vector<TestResult> results;
  for (std::size_t at = xml.find(kOpen); at != std::string_view::npos; at = xml.find(kOpen, at)) {
    const std::size_t end = xml.find(kClose, at);
    if (end == std::string_view::npos) break;
    const std::string_view test = xml.substr(at, end - at);
    results.push_back(
        {.name = unescaped(between(test, "name=\"", "\"")),
         .end = end_of(between(test, "status=\"", "\""), between(test, "message=\"", "\"")),
         .output = unescaped(between(test, "<system-out>", "</system-out>")),
         .ending = "Failed"});
    at = end;
  }
  if (results.size() != expected) {
    throw std::runtime_error("ctest's report speaks of " + std::to_string(expected) +
                             " tests but holds " + std::to_string(results.size()));
  }
  return results;
}

std::string skip_reason(std::string_view output) {
  std::string first;
  while (!output.empty()) {
    const std::string_view line = take_line(output);
    if (line.ends_with(": Skipped")) return std::string(take_line(output));
    if (first.empty()) first = line;
  }
  return first.empty() ? "no reason given" : first;
}

std::string failure_excerpt(std::string_view output, int lines) {
  const std::size_t failure = output.find("Failure\n");
  if (failure != std::string_view::npos) {
    const std::size_t line_start = output.rfind('\n', failure);
    output.remove_prefix(line_start == std::string_view::npos ? 0 : line_start + 1);
  }
  std::string excerpt;
  while (lines > 0 && !output.empty()) {
    const std::string_view line = take_line(output);
    if (line.empty()) continue;
    excerpt += "    " + std::string(line) + "\n";
    --lines;
  }
  return excerpt;
}

}  // namespace qlab
