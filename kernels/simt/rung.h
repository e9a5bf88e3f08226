// SPDX-License-Identifier: Apache-2.0
/// \file
/// CudaRung: one implementation in a ladder of CUDA kernels, the oldest GPU that it runs on, and
/// the most tokens that it takes.
#pragma once

#include <limits>
#include <string_view>

namespace qlab {

inline constexpr int kAnyGpu = 80;  // Ampere, compute capability 8.0: mma.sync, cp.async
inline constexpr int kHopper = 90;  // 9.0 itself, not what came after: wgmma, TMA

/// One rung; Function is its C++ function type.
template <class Function>
struct CudaRung {
  std::string_view name;  ///< "v3_tiles": what stands behind the operation in its function's name
  Function* run;
  int needs;                                          ///< kAnyGpu or kHopper
  int most_tokens = std::numeric_limits<int>::max();  ///< rows of X in one call

  /// Whether a GPU of this compute capability, 10 · major + minor, can run it. Instructions of Hopper
  /// exist on Hopper alone.
  constexpr bool runs_on(int capability) const {
    return needs == kHopper ? capability == kHopper : capability >= needs;
  }
};

}  // namespace qlab
