// SPDX-License-Identifier: Apache-2.0
/// \file
/// The shared memory of the block that a worker is running.
#pragma once

#include <cstddef>
#include <vector>

#include "simt/cpu/guarded_memory.h"

namespace qlab::simt::cpu {

inline constexpr std::size_t kMaxStaticSharedBytes = 48 * 1024;    // as nvcc enforces
inline constexpr std::size_t kMaxDynamicSharedBytes = 227 * 1024;  // sm_90, after opting in

class SharedMemory {
 public:
  /// Starts a block: everything holds poison again.
  void begin_block(std::size_t dynamic_bytes);

  /// Throws Error if the block wrote just outside one of its arrays.
  void end_block() const;

  void* dynamic() const { return dynamic_.data(); }

  /// The block's copy of the __shared__ variable number `id`.
  void* variable(std::size_t id, std::size_t bytes, std::size_t alignment);

  bool contains(const void* p) const;

 private:
  struct Variable {
    GuardedMemory memory;
    unsigned long touched_in_block = 0;
  };
  GuardedMemory dynamic_;
  std::vector<Variable> variables_;
  unsigned long block_ = 0;
  std::size_t static_bytes_ = 0;
};

/// Whether any source of this program was compiled with -femulated-tls, so that every __shared__
/// variable is known to the runtime.
bool shared_variables_are_known();

}  // namespace qlab::simt::cpu
