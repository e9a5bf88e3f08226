// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is FP16 or BF16 about a product on tensor cores: the instruction, and the rounding of two sums.
#pragma once

#include <cstring>
#include <type_traits>

#include "simt/ptx.h"
#if defined(__CUDACC__)
#include "simt/wgmma.h"
#endif

namespace qlab {

/// T is half or __nv_bfloat16; sums are FP32.
template <class T>
struct HalfFormat {
  using Element = T;
  using Sum = float;
  /// d [16, 8] += a [16, 16] · b [8, 16]ᵀ, a lane's words of each.
  __device__ static void mma(float (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
    if constexpr (std::is_same_v<T, half>) {
      ptx::mma_m16n8k16_f16(d, a, b);
    } else {
      ptx::mma_m16n8k16_bf16(d, a, b);
    }
  }
#if defined(__CUDACC__)
  /// d [64, kSums · 2] += or = a · bᵀ, 16 of K, in shared memory.
  template <int kSums>
  __device__ __forceinline__ static void multiply(float (&d)[kSums], std::uint64_t a,
                                                  std::uint64_t b, int add) {
    if constexpr (std::is_same_v<T, half>) {
      hopper::wgmma_f16(d, a, b, add);
    } else {
      hopper::wgmma_bf16(d, a, b, add);
    }
  }
#endif
};

/// An epilogue that only rounds.
template <class T>
struct RoundHalf {
  struct Nothing {};  ///< what it wants of rows and columns
  /// Of rows m and m + 8.
  __device__ Nothing rows(int) const { return {}; }
  /// Of columns n and n + 1.
  __device__ Nothing columns(int) const { return {}; }
  /// Two sums of neighbouring columns, rounded, in a word.
  __device__ std::uint32_t pair(Nothing, int, Nothing, float left, float right) const {
    const T both[2] = {T(left), T(right)};
    std::uint32_t word;
    std::memcpy(&word, both, sizeof word);
    return word;
  }
};

}  // namespace qlab
