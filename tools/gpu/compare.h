// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab_gpu --compare`: the problems of the tradeoff table, each format in its fastest rung, timed
/// turn by turn. `lab compare --device FILE` judges what it writes. For nvcc only.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gpu/ladder.h"

namespace qlab::gpu {

/// A format of the table, or a peer, in one problem.
struct CompareCandidate {
  std::string name;  ///< of the configuration
  Cost cost;
  std::size_t copies;   ///< of its weights or its cache
  Contender contender;  ///< its name is the rung's
};

struct CompareProblem {
  std::string operation;  ///< as `lab compare` names it on the CPU
  bool hot;               ///< so much arithmetic that the card rests before each turn
  std::vector<CompareCandidate> candidates;  ///< FP16, FP16 again, the others
};

/// Whether a rung's output was wrong: its time means nothing.
struct WrongResult : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What times a problem while its operands exist.
using TimeProblem = std::function<void(const CompareProblem&)>;

/// The linear layers of a 7B model; `quick`: one, at fewer M.
void compare_layers(bool quick, Stream stream, const TimeProblem& time);
/// Decode attention of one sequence and of batches, where memory allows; `quick`: of one.
void compare_attention(bool quick, Stream stream, const TimeProblem& time);

/// The fastest of some rungs of one format, by a short trial.
CompareCandidate fastest(const std::string& name, const Cost& cost, std::size_t copies,
                         const std::vector<Contender>& rungs, Stream stream);

/// Times all problems and writes `path`, whole or not at all.
/// \throws WrongResult for a rung that computes something else; simt::Error
void run_compare(bool quick, const char* path);

}  // namespace qlab::gpu
