// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads GoogleTest's JSON and its list.
#include "lab/gtest_report.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "lab/text.h"

namespace qlab {
namespace {

using nlohmann::json;

/// GoogleTest 1.12 writes each byte beyond ASCII as a character of its own (as in \u00e2\u0080\u00a6),
/// so the text arrives with two bytes for one. Newer ones write it as it is.
std::string undo_byte_escapes(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes += text[i];
    } else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < text.size()) {
      bytes += static_cast<char>((lead & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3F));
    } else {
      return text;  // a character that no byte can be
    }
  }
  try {
    json(bytes).dump();  // throws unless it is UTF-8
  } catch (const json::type_error&) {
    return text;  // it was not escaped: "é" as it is
  }
  return bytes;
}

ReportedTest read_test(const json& test, const std::string& suite) {
  ReportedTest result{.name = suite + "." + test.at("name").get<std::string>(),
                      .ran = test.at("status") == "RUN" && test.at("result") == "COMPLETED",
                      .skipped = test.at("result") == "SKIPPED",
                      .failures = {},
                      .guards = undo_byte_escapes(test.value("guards", ""))};
  if (const auto failures = test.find("failures"); failures != test.end()) {
    for (const json& failure : *failures) {
      result.failures.push_back(undo_byte_escapes(failure.at("failure")));
    }
  }
  return result;
}

bool starts_with_place(std::string_view line) {
  const std::size_t colon = line.rfind(':');
  return line == "unknown file" ||
         (colon != std::string_view::npos && colon + 1 < line.size() &&
          line.find_first_not_of("0123456789", colon + 1) == std::string_view::npos);
}

}  // namespace

const ReportedTest* GtestReport::find(std::string_view name) const {
  const auto test = std::ranges::find(tests, name, &ReportedTest::name);
  return test == tests.end() ? nullptr : &*test;
}

std::optional<GtestReport> read_gtest_report(std::string_view text) {
  GtestReport report;
  try {
    const json root = json::parse(text);
    if (root.at("name") != "AllTests") return std::nullopt;
    report.seconds = std::strtod(root.at("time").get<std::string>().c_str(), nullptr);
    for (const json& suite : root.at("testsuites")) {
      for (const json& test : suite.at("testsuite")) {
        report.tests.push_back(read_test(test, suite.at("name")));
        if (report.fact.empty()) report.fact = undo_byte_escapes(test.value("fact", ""));
      }
    }
  } catch (const json::exception&) {
    return std::nullopt;
  }
  return report;
}

std::vector<std::string> listed_tests(std::string_view output) {
  std::vector<std::string> names;
  std::string suite;
  for (const std::string& line : lines_of(output)) {
    const std::string word = line.substr(0, line.find("  #"));  // "# GetParam() = …" follows
    if (word.starts_with("  ") && !suite.empty()) {
      if (!word.starts_with("  DISABLED_")) names.push_back(suite + word.substr(2));
    } else if (word.ends_with('.') && word.find(' ') == std::string::npos) {
      suite = word.find("DISABLED_") == std::string::npos ? word : "";
    }
  }
  return names;
}

std::string failure_text(std::string_view failure) {
  constexpr std::string_view kException = "C++ exception with description \"";
  const std::string_view first = failure.substr(0, failure.find('\n'));
  if (starts_with_place(first)) {
    failure.remove_prefix(std::min(failure.size(), first.size() + 1));
  }
  if (failure.starts_with("Failed\n")) failure.remove_prefix(7);
  if (failure.starts_with(kException)) {
    const std::size_t end = failure.rfind("\" thrown in ");
    return std::string(failure.substr(kException.size(), end - kException.size()));
  }
  return std::string(failure);
}

std::string in_words(std::string_view name) {
  name = name.substr(name.find('.') + 1);
  const std::size_t slash = name.find('/');
  std::string words;
  for (const char c : name.substr(0, slash)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isupper(byte) != 0 && !words.empty()) words += ' ';
    words += static_cast<char>(std::tolower(byte));
  }
  if (slash != std::string_view::npos) words += " (" + std::string(name.substr(slash + 1)) + ")";
  return words;
}

}  // namespace qlab
