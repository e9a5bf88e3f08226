// SPDX-License-Identifier: Apache-2.0
/// \file
/// The problems that `lab compare` times: a linear layer and decode attention, in every format.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/isa.h"
#include "lab/interleaved.h"
#include "lab/mine.h"

namespace qlab {

/// A linear layer [N, K] with its weights in FP16, INT8 and INT4.
class LinearProblem {
 public:
  LinearProblem(std::int64_t N, std::int64_t K, std::uint64_t seed, const Machine& machine);
  ~LinearProblem();

  /// FP16 twice (the second one tells how much a kernel differs from itself); INT8 with its
  /// activations quantized inside the call, by scales found there, by one that is fixed, and as
  /// LLM.int8() with four outlier columns; INT4, and INT4 with INT8 activations; with `fallback`, INT8 and INT4 on the portable path too.
  /// `columns` of the N output channels are computed. The problem must outlive the candidates.
  std::vector<Candidate> candidates(std::int64_t M, std::int64_t columns, bool fallback,
                                    const Machine& machine);

  /// The learner's kernels on the same operands, where M suits them. `machine` quantizes activations.
  std::vector<Candidate> candidates_of(const Mine& mine, std::int64_t M, std::int64_t columns,
                                       const Machine& machine);

 private:
  struct Operands;
  std::unique_ptr<Operands> operands_;
};

/// Decode attention of one new token a sequence, in the cache formats of the table.
class AttentionProblem {
 public:
  /// Caches of so many tokens, a multiple of 1024; sequences share them out.
  AttentionProblem(std::int64_t n_heads, std::int64_t n_kv_heads, std::int64_t head_dim,
                   std::int64_t tokens, std::uint64_t seed);
  ~AttentionProblem();

  /// FP16 twice, then INT8, FP8, INT4 and KIVI in 2 bits; with `fallback`, INT8 on the portable path too.
  /// `batch` sequences of `context` tokens, one after the other, each with its own part of the
  /// cache (but one FP16 window of KIVI for all). The problem must outlive the candidates.
  std::vector<Candidate> candidates(std::int64_t batch, std::int64_t context, bool fallback,
                                    const Machine& machine);

  /// The learner's kernel on one sequence, in INT8.
  std::vector<Candidate> candidates_of(const Mine& mine, std::int64_t context);

 private:
  struct Operands;
  std::int64_t tokens_;
  std::unique_ptr<Operands> operands_;
};

}  // namespace qlab
