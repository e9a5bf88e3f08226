// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab bench`: the rungs of one operation, and a learner's kernel beside them, against the
/// roofline.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/isa.h"
#include "lab/bench_ladders.h"
#include "lab/learner.h"

namespace qlab {

struct BenchOptions {
  std::string id;  ///< an operation or an exercise, or any part of one; empty: list
  std::vector<std::int64_t>
      m;                       ///< rows of X, or contexts; empty: what the ladder is usually run at
  std::string device = "cpu";  ///< "cuda" is the launcher's
  std::string shape = "4096x4096";            ///< N x K
  Isa isa = best_isa();                       ///< the highest level that rungs may take
  int threads = available_threads();          ///< ≥ 1
  bool quick = false;                         ///< fewer rounds
  bool ours = false;                          ///< without the learner's kernel
  std::optional<std::filesystem::path> html;  ///< where to write the results as a page
  std::uint64_t seed = 1;                     ///< of operands, orders and bootstraps
};

/// The ladder that `typed` means: its name, the exercise that stands in it, or any part of these.
/// \throws InputError that lists the ladders that match, says why an exercise has no kernel to
///         time, or names the nearest.
const BenchLadder& find_ladder(const std::vector<Exercise>& all, std::string_view typed);

/// The exercise whose kernel can stand in a ladder; null where there is none.
const Exercise* exercise_of(const std::vector<Exercise>& all, const BenchLadder& ladder);

/// N and K of "4096x4096". \throws InputError
BenchShape shape_named(const std::string& text);

/// Without an id: lists the ladders. With one: measures and prints. Where the exercise of the
/// ladder is finished, `lab` starts lab_mine with the same words and that measures; `program` is
/// its file name. Returns the exit code. \throws InputError, Interrupted
int run_bench(const BenchOptions& options, const Learner& learner, const std::string& program,
              const std::vector<std::string>& words);

/// The list of run_bench, for a person.
std::string bench_list(const Learner& learner);

}  // namespace qlab
