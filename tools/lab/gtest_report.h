// SPDX-License-Identifier: Apache-2.0
/// \file
/// What GoogleTest says of a program: its list of tests, and the report of a run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlab {

struct ReportedTest {
  std::string name;                   ///< Suite.Test
  bool ran = false;                   ///< to its end; neither skipped nor filtered out
  bool skipped = false;               ///< by itself
  std::vector<std::string> failures;  ///< each "file:line\nFailed\ntext" as GoogleTest writes it
  std::string guards;  ///< the property "guards": what a test is for that no known mistake fails
};

struct GtestReport {
  std::vector<ReportedTest> tests;
  std::string fact;    ///< the property "fact" of a test
  double seconds = 0;  ///< of all tests

  const ReportedTest* find(std::string_view name) const;
};

/// Reads what --gtest_output=json writes. Nothing when it is cut off or something else.
std::optional<GtestReport> read_gtest_report(std::string_view json);

/// The names in the output of --gtest_list_tests, without those that are disabled.
std::vector<std::string> listed_tests(std::string_view output);

/// The text of a failure without the place in the test, which the learner did not write; of an
/// exception what it says.
std::string failure_text(std::string_view failure);

/// "rounds ties to even" for HalfFormats.RoundsTiesToEven: a test's name is a sentence.
std::string in_words(std::string_view name);

}  // namespace qlab
