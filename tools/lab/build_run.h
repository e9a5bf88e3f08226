// SPDX-License-Identifier: Apache-2.0
/// \file
/// Builds targets of the lab's own build, one builder at a time.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lab/check.h"

namespace qlab {

/// The right to build, which ./lab's launcher and every program of it ask for: build/.lock. Waits for
/// whoever has it. \throws Interrupted, InputError when the file cannot be written.
class BuildLock {
 public:
  BuildLock(const Places& places, const CheckOptions& options);
  ~BuildLock();
  BuildLock(const BuildLock&) = delete;
  BuildLock& operator=(const BuildLock&) = delete;

 private:
  int file_;
};

struct Built {
  bool complete;         ///< every target is up to date
  std::string log;       ///< what the build tool and the compilers said
  std::string log_name;  ///< where it is kept, from the root on: build/log/half_formats.txt
};

/// Builds with whatever tool the folder was configured for, and keeps the log as build/log/<name>.txt.
/// `keep_going`: past the first error, for targets that do not need each other.
/// \throws Interrupted when a stop was asked for; then nothing is left half written.
Built build_targets(const Places& places, const std::vector<std::string>& targets,
                    const std::string& name, const CheckOptions& options, bool keep_going = false);

}  // namespace qlab
