// SPDX-License-Identifier: Apache-2.0
/// \file
/// The ladders that `lab bench` measures, and their operands. A new ladder is a line of the table
/// in bench_ladders.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/isa.h"
#include "lab/interleaved.h"
#include "lab/mine.h"
#include "lab/peaks.h"

namespace qlab {

/// Of the operands: weights [N, K] and up to most_m rows of activations. Of attention M is the
/// context.
struct BenchShape {
  std::int64_t N, K, most_m;
  std::uint64_t seed;
};

/// The operands of a ladder; what it returns shares them.
struct BenchProblem {
  /// Output columns of which a slow rung may compute a part only; 0 when a call cannot be cut.
  std::int64_t columns = 0;
  /// Every rung of the table, in its order, whether this processor has its instructions or not.
  /// Each check() runs the rung again on poisoned outputs and asks the oracle. The pool must
  /// outlive them.
  std::function<std::vector<Candidate>(std::int64_t M, std::int64_t columns, ThreadPool& threads)>
      rungs;
  /// The learner's kernel at M, where it takes that; none otherwise.
  std::function<std::vector<Candidate>(const Mine& mine, std::int64_t M, std::int64_t columns)>
      yours;
};

/// One table of rungs on one kind of operands.
struct BenchPart {
  std::string label;  ///< the format of the cache; empty where there is only one part
  std::function<BenchProblem(const BenchShape& shape)> make;
};

struct BenchLadder {
  std::string_view name;      ///< of the operation
  std::string_view what;      ///< in a few words
  std::string_view exercise;  ///< whose kernel can stand beside the rungs; empty for none
  Products products;
  bool of_context = false;  ///< M counts tokens of context, not rows
  std::vector<std::string_view> rungs = {};
  std::vector<BenchPart> parts = {};
};

/// All of them, in the order of the labs.
const std::vector<BenchLadder>& bench_ladders();

}  // namespace qlab
