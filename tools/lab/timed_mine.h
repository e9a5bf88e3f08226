// SPDX-License-Identifier: Apache-2.0
/// \file
/// The learner's kernels as candidates: what they throw is said in a sentence and ends nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "03_int4_weight_only/int4_weights.h"
#include "lab/interleaved.h"

namespace qlab {

/// A learner's call is timed where it takes at most so long: in seconds.
inline constexpr double kLongestOfMine = 0.5;

/// The candidate "<format> (yours)". What `run` or `check` throws becomes its trouble; from then on it
/// does nothing. `exercise` is its id.
Candidate candidate_of_mine(const std::string& format, const std::string& exercise,
                            const Cost& cost, std::function<void()> run,
                            std::function<void()> check);

/// Tries a learner's candidate: whether it is right and fast enough to be timed. If not, `sentences`
/// says why.
bool admit_mine(const Candidate& candidate, const std::string& operation,
                std::vector<std::string>& sentences);

/// After the rounds: drops the learner's candidates that got into trouble, with their times.
void drop_troubled(std::vector<Candidate>& candidates, Times& times, const std::string& operation,
                   std::vector<std::string>& sentences);

/// The tolerance that w4a16_gemv.h allows y[n], for each row n of W.
void w4a16_gemv_bound(MatrixView<const half_t> x, const Int4Weights& W, MatrixView<double> bound);

}  // namespace qlab
