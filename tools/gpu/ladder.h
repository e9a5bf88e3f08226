// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `./lab bench --device cuda` times: problems, each with the rungs and peers that solve it. For
/// nvcc only.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/contract.h"
#include "simt/enqueue.h"

namespace qlab::gpu {

/// A rung, a peer, or a plain read of as many bytes.
struct Contender {
  std::string name;  ///< "v3_tiles", "cuBLASLt"
  bool ours;
  /// Enqueues one call on the operands of that copy; neither waits nor allocates.
  std::function<void(std::size_t copy, Stream stream)> run;
  /// Fills the output of a copy with NaN.
  std::function<void(std::size_t copy, Stream stream)> poison;
  /// Whether samples of the output of a copy are right; empty where there is no output.
  std::function<bool(std::size_t copy)> right;
};

/// One operation at one shape. Weights or caches exist in so many copies that a pass over them leaves
/// none in the L2; activations stay warm, as in a layer.
struct Problem {
  std::string operation;  ///< "bf16_gemm"
  std::string shape;      ///< "M = 16, N = 4096, K = 4096"
  Cost cost;              ///< compulsory bytes; operations
  std::string
      products;  ///< what the operations are: "bf16", "int8"; of the peak they are held against
  std::size_t copies;
  std::vector<Contender> contenders;
  std::shared_ptr<void> memory;  ///< keeps what the contenders use
};

/// Copies whose bytes exceed five L2 caches together, at least two.
std::size_t copies_of(std::size_t bytes);

/// A problem that can be made, and its name before it is: "bf16_gemm, M = 16, N = 4096, K = 4096".
struct Entry {
  std::string name;
  std::function<Problem()> make;
};

/// The problems of one operation, made one at a time, so that memory holds one.
struct Ladder {
  std::string_view operation;
  std::vector<Entry> entries;
};

Ladder gemm_ladder();       // fp16 and bf16
Ladder w8a8_ladder();       // int8
Ladder w4a16_ladder();      // int4 weights
Ladder attention_ladder();  // decode over fp16, fp8, int8, int4 caches

/// All that this program was built with.
std::vector<Ladder> ladders();

}  // namespace qlab::gpu
