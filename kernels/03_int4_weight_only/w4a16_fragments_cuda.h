// SPDX-License-Identifier: Apache-2.0
/// \file
/// What v4_in_flight and v5_mma share: a word of codes as a fragment of an mma, and how a block
/// tells others what it has written.
///
/// Teaches      the lower four bits of a byte are one row and the upper four another: both come out
///              by one lop3 each, without a shift
/// Leaves out   BF16, which has too few bits for the upper four
#pragma once

#include <atomic>
#include <cstdint>

#include "03_int4_weight_only/half_words.h"
#include "simt/ptx.h"

namespace qlab {

/// Adds 1 to a counter in global memory; what it was before. What this block wrote before a barrier is
/// seen by whoever finds the counter higher, and by its block after another barrier.
__device__ inline unsigned arrive(unsigned* counter) {
#if defined(__CUDACC__)
  unsigned before;
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;"
               : "=r"(before)
               : "l"(counter)
               : "memory");
  return before;
#else
  return std::atomic_ref<unsigned>(*counter).fetch_add(1, std::memory_order_acq_rel);
#endif
}

/// Word `i` of four, i known to the compiler.
__device__ inline std::uint32_t word_of(const uint4& words, int i) {
  return i == 0 ? words.x : i == 1 ? words.y : i == 2 ? words.z : words.w;
}

/// A group of two rows, as pack_int4_groups() has it, ready for use.
struct FragmentGroup {
  half2 excess_low, excess_high;  // what is added to take off 1024 and the zero point, twice each
  float scale_low, scale_high;
};
/// The scales and zero points of a group, ready for the fragments of a lane.
__device__ inline FragmentGroup open_group(const uint2& packed) {
  const auto scale = [](std::uint32_t word) {
    return __half2float(__ushort_as_half(static_cast<unsigned short>(word & 0xFFFF)));
  };
  return {.excess_low = as_half2(ptx::prmt(packed.x, 0, 0x3232)),
          .excess_high = as_half2(ptx::prmt(packed.y, 0, 0x3232)),
          .scale_low = scale(packed.x),
          .scale_high = scale(packed.y)};
}

/// The fragment of A that a word of codes is: codes less their zero points, exact in FP16.
///
/// 0x6400 is 1024 in FP16, and its last bits count 1, 2, 4 …, so 0x6400 | code is 1024 + code. Four
/// bits higher a code counts 16 times: a sixteenth of that is 64 + code.
__device__ inline void fragment_of(std::uint32_t (&a)[4], std::uint32_t word,
                                   const FragmentGroup& group) {
  constexpr int kMaskAndInsert = (0xF0 & 0xCC) | 0xAA;
  const half2 sixteenth = as_half2(0x2C002C00);
  for (int i = 0; i < 2; ++i) {
    const std::uint32_t codes = word >> (8 * i);
    const std::uint32_t low = ptx::lop3<kMaskAndInsert>(codes, 0x000F000F, 0x64006400);
    const std::uint32_t high = ptx::lop3<kMaskAndInsert>(codes, 0x00F000F0, 0x64006400);
    a[2 * i] = as_word(__hadd2(as_half2(low), group.excess_low));
    a[2 * i + 1] = as_word(__hfma2(as_half2(high), sixteenth, group.excess_high));
  }
}

/// Two words of a lane, 32 columns of K, as v7_wgmma needs them: exchanged among the four lanes of a
/// row, so that the columns come in the order of memory. The order in which they are packed suits a
/// lane that loads X itself; wgmma reads X from shared memory, 16 columns after another.
class ColumnOrder {
 public:
  /// \param t  lane % 4
  __device__ explicit ColumnOrder(int t)
      : upper_(t >= 2),
        mine_(t % 2 == 0 ? 0x6240 : 0x7351),
        theirs_(t % 2 == 0 ? 0x7351 : 0x6240),
        first_(t % 2 == 0 ? 0x6240 : 0x2604),
        second_(t % 2 == 0 ? 0x7351 : 0x3715) {}

  /// A lane brings k = 8t … 8t + 7, four pairs of columns; it gets the pairs 2t, 2t + 8 in .x, which are
  /// its part of a fragment's 16 columns, and 2t + 16, 2t + 24 in .y.
  __device__ uint2 operator()(std::uint32_t low, std::uint32_t high) const {
    // Lanes 0 and 1 get the first words of all four lanes, 2 and 3 the second ones …
    const std::uint32_t got = __shfl_xor_sync(0xFFFFFFFF, upper_ ? low : high, 2);
    const std::uint32_t kept = upper_ ? high : low;
    const std::uint32_t of_01 = upper_ ? got : kept, of_23 = upper_ ? kept : got;
    // … then even lanes the first pair of each word, in bytes 0 and 2, and odd ones the second.
    const std::uint32_t pairs = ptx::prmt(of_01, of_23, mine_);
    const std::uint32_t other = __shfl_xor_sync(0xFFFFFFFF, ptx::prmt(of_01, of_23, theirs_), 1);
    return make_uint2(ptx::prmt(pairs, other, first_), ptx::prmt(pairs, other, second_));
  }

 private:
  bool upper_;
  std::uint32_t mine_, theirs_, first_, second_;  // bytes that prmt selects
};

}  // namespace qlab
