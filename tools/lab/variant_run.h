// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs one program of an exercise: the learner's, ours, or a mutant. They are always children; no
/// program of the lab links a learner's file.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/child.h"
#include "lab/gtest_report.h"

namespace qlab {

struct VariantOptions {
  std::chrono::milliseconds limit{10'000};
  std::optional<std::uint64_t> seed = {};
  std::vector<std::string> tests = {};  ///< to run; empty: all
  std::filesystem::path dumps = {};     ///< where the outputs go, in place of older ones; or empty
  std::function<bool()> stop = {};
};

struct VariantRun {
  ChildResult child;
  std::optional<GtestReport> report;  ///< of a program that came as far as writing one
  /// The program ended inside the tests. Its exit status does not tell: exit(0) gives 0.
  bool ended_early = false;
};

/// Runs the tests of `program`; it writes only into folders beside itself.
VariantRun run_variant(const std::filesystem::path& program, const VariantOptions& options);

/// The names of the tests of `program`, or nothing when it does not list them.
std::vector<std::string> list_tests(const std::filesystem::path& program,
                                    const std::function<bool()>& stop);

}  // namespace qlab
