// SPDX-License-Identifier: Apache-2.0
/// \file
/// LearnerCommands: the learner's commands on the command line, and what they are called with.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/commands.h"

namespace qlab {

/// Options that mean the same in every command.
struct Look {
  std::string color = "auto";
  bool ascii = false;

  void add_to(CLI::App& command);
};

/// Adds its commands to an app, and after parsing runs the one that was given.
class LearnerCommands {
 public:
  LearnerCommands(CLI::App& app, Look& look);

  /// What no command at all does: where am I, and on a terminal watch.
  int run_without_command();
  /// The exit code, or nothing when the command given is none of these.
  std::optional<int> run(const CLI::App& app);

 private:
  CLI::App& add(CLI::App& app, const std::string& name, const std::string& what,
                const std::string& example);
  void add_run_options(CLI::App& command);
  void add_checks(CLI::App& app);
  void add_help(CLI::App& app);
  void add_files(CLI::App& app);
  Learner learner() const;

  Look& look_;
  bool json_ = false, no_ask_ = false;
  std::string timeout_ = "10s";
  std::optional<std::uint64_t> seed_;
  std::string id_, answer_;
  int level_ = 0, level_behind_id_ = 0;
  bool page_ = false;
  ListOptions list_;
  CheckCommand check_;
  SolutionOptions solution_;
  ResetOptions reset_;
};

}  // namespace qlab
