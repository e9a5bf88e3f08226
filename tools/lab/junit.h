// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads what ctest reports of each test (JUnit XML, as CMake 3.25 and newer write it).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlab {

struct TestResult {
  enum class End { kPassed, kFailed, kSkipped };
  std::string name;
  End end;
  std::string output;  ///< what the test printed; of a test that never ran, why
  std::string ending;  ///< of a failed test, in ctest's words: Failed, Timeout, …
};

/// \throws std::runtime_error when the report is cut short or counts more tests than it holds.
std::vector<TestResult> read_junit(std::string_view xml);

/// Why a test was skipped: the text behind GoogleTest's "Skipped", or its first line.
std::string skip_reason(std::string_view output);

/// At most `lines` lines, from the first that speaks of a failure, or from the first at all.
std::string failure_excerpt(std::string_view output, int lines);

}  // namespace qlab
