// SPDX-License-Identifier: Apache-2.0
/// \file
/// run_child: runs a program that may do anything, for a limited time, and leaves nothing running.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qlab {

struct ChildOptions {
  std::filesystem::path folder = {};  ///< to run in; empty: the caller's
  /// Variables on top of the caller's environment; nothing removes one. A name that ends with '*'
  /// removes all that begin so.
  std::map<std::string, std::optional<std::string>> environment = {};
  std::chrono::milliseconds limit{10'000};
  /// 4 GB of address space. Not for sanitized programs: their shadow memory alone takes terabytes.
  bool limit_memory = true;
  /// Asked every few milliseconds; true ends the child.
  std::function<bool()> stop = {};
  /// Asks a stopped child to end by itself first: a compiler then removes what is half written.
  bool gentle = false;
};

struct ChildResult {
  enum class End { kExited, kCrashed, kTimedOut, kStopped, kNotStarted };
  End end;
  int code;            ///< exit status, signal, or the errno of a child that did not start
  std::string output;  ///< standard output and error: the first and the last half megabyte
  double seconds;
};

/// Runs command[0], found through PATH when it has no slash. It is the leader of a process group, all
/// of which is killed when it ends, when the limit is over, and when this process dies. Standard
/// input is empty, and no core file is written.
ChildResult run_child(const std::vector<std::string>& command, const ChildOptions& options);

}  // namespace qlab
