// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is INT8 about a product on tensor cores: the instruction.
#pragma once

#include "simt/ptx.h"
#if defined(__CUDACC__)
#include "simt/wgmma.h"
#endif

namespace qlab {

/// Sums are exact.
struct Int8Format {
  using Element = std::int8_t;
  using Sum = std::int32_t;
  /// d [16, 8] += a [16, 32] · b [8, 32]ᵀ, a lane's words of each.
  __device__ static void mma(std::int32_t (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k32_s8(d, a, b);
  }
#if defined(__CUDACC__)
  /// d [64, kSums · 2] += or = a · bᵀ, 32 of K, in shared memory.
  template <int kSums>
  __device__ __forceinline__ static void multiply(std::int32_t (&d)[kSums], std::uint64_t a,
                                                  std::uint64_t b, int add) {
    hopper::wgmma_s8(d, a, b, add);
  }
#endif
};

}  // namespace qlab
