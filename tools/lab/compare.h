// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab compare`: measures every claim of the written tradeoff table on this machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/isa.h"
#include "lab/mine.h"
#include "lab/terminal.h"

namespace qlab {

struct CompareOptions {
  std::string device = "cpu";         ///< whose times: "cpu", or a file of lab_gpu --compare
  bool quick = false;                 ///< fewer documents and repetitions
  Isa isa = best_isa();               ///< the highest level that kernels may take
  int threads = available_threads();  ///< ≥ 1
  std::uint64_t seed = 1;             ///< of recall documents, orders and bootstraps
  double budget_gib = 24;             ///< memory that model and KV cache must share
  std::filesystem::path model;        ///< empty: the lab's own model
  std::optional<std::filesystem::path> json;  ///< where to write the results
  std::optional<std::filesystem::path> html;  ///< where to write them as a page
  std::string only;                           ///< a family of configurations; empty: all
  std::filesystem::path calibration;          ///< thresholds of a file; empty: none
  Mine mine;                                  ///< the learner's functions, beside ours
  MineUse mine_use;                           ///< and what is said of them
  bool strict = false;                        ///< a claim that did not hold ends with 4
};

/// Prints the report and writes the files asked for. Returns the exit code: 0 when it measured, 4 with
/// `strict` and a claim that did not hold.
/// \throws InputError for a model that cannot be used or a path that cannot be written (before anything
///         is measured).
int run_compare(const CompareOptions& options, const Terminal& terminal);

}  // namespace qlab
