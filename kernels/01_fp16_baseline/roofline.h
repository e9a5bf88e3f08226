// SPDX-License-Identifier: Apache-2.0
/// \file
/// roofline: the time of Y[M, N] = X[M, K] · W[N, K]ᵀ before a kernel is written, and what limits it.
///
/// Bottleneck   none: a handful of operations for each question
/// Bytes moved  none
/// FLOPs        none
/// Teaches      decode waits for the weights, prefill for the multiply-add units; where that turns
/// Leaves out   caches, launches, dequantization; the KV cache (attention_decode)
#pragma once

#include <cstdint>

#include "common/contract.h"

namespace qlab {

/// How weights lie in memory.
struct WeightStorage {
  int bits;        ///< of a code: 16, 8, 4, …
  int group_size;  ///< weights along K that share one 16-bit scale; 0: no scales
};

/// The sides of Y[M, N] = X[M, K] · W[N, K]ᵀ. M is the number of tokens: 1 or a batch in decode, a
/// whole prompt in prefill.
struct GemmSides {
  std::int64_t M, N, K;
};

/// The two ceilings of a machine.
struct Roofline {
  double flops_per_second, bytes_per_second;
};

enum class Bottleneck { kMemory, kCompute };

/// What limits a piece of work, and how long it takes at least.
struct RooflineEstimate {
  double intensity;       ///< FLOPs of the work for each byte that it moves
  double ridge;           ///< FLOPs that the machine can do while it moves a byte
  double seconds;         ///< loads and arithmetic overlap, so the longer of the two
  Bottleneck bottleneck;  ///< which one that is; kCompute when they take equally long
};

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Bits that one weight takes on average, its share of a scale included: 4.125 for 4 bits in groups
/// of 128. Of a full group; what rounding up costs at the end of a row is not in it.
double bits_per_weight(WeightStorage storage);

/// Everything read and written once: W, X in 2 bytes an element, Y in 4. A row of W begins at a whole
/// byte, and its last group, which may be shorter, has a scale as well. A multiply-add is two FLOPs.
Cost gemm_cost(GemmSides sides, WeightStorage storage);

/// The roofline model. Source: Williams, Waterman, Patterson, "Roofline: An Insightful Visual
/// Performance Model for Multicore Architectures", CACM 52(4), 2009.
/// \param work     bytes and FLOPs > 0
/// \param machine  both ceilings > 0
RooflineEstimate estimate(Cost work, Roofline machine);

/// M*, the number of rows from which a product is limited by compute. Only the weights are counted as
/// bytes: X and Y are small beside them while M is small beside N and K.
double turning_batch(WeightStorage storage, Roofline machine);

}  // namespace exercise

/// The oracle: counts a row of weights one by one, and takes times from what a byte and a FLOP cost.
double bits_per_weight_ref(WeightStorage storage);
/// The oracle: element by element.
Cost gemm_cost_ref(GemmSides sides, WeightStorage storage);
/// The oracle: both times, compared.
RooflineEstimate estimate_ref(Cost work, Roofline machine);
/// The oracle: tries one batch after the other.
double turning_batch_ref(WeightStorage storage, Roofline machine);

}  // namespace qlab
