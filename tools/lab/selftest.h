// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab selftest`: every test of a build, counted by the lab itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lab/junit.h"
#include "lab/terminal.h"

namespace qlab {

struct SelftestOptions {
  std::filesystem::path build;        ///< empty: the build that this program is part of
  bool slow = false;                  ///< the exhaustive tests of minutes as well
  std::optional<std::uint64_t> seed;  ///< of random data; else each test has its own
};

/// Runs ctest on the build and prints what failed, what was skipped and why, and as the last line
/// "N passed, N failed, N skipped". Returns 0 when tests passed and none failed, else 3: a build
/// without tests has shown nothing.
int run_selftest(const SelftestOptions& options, const Terminal& terminal);

/// What run_selftest prints of the results; `log` is where the whole output is.
std::string selftest_report(const std::vector<TestResult>& results, const std::string& log);

}  // namespace qlab
