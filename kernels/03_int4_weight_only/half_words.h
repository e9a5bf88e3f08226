// SPDX-License-Identifier: Apache-2.0
/// \file
/// Words of 32 bits that are seen as pairs of FP16 or BF16, and back. A register has no type, so on
/// a GPU none of these is an instruction.
#pragma once

#include <cstdint>

#include "simt/simt.h"

namespace qlab {

/// bits 31 … 16   15 … 0
///      .y        .x
__device__ inline half2 as_half2(std::uint32_t word) {
  return __halves2half2(__ushort_as_half(static_cast<unsigned short>(word & 0xFFFF)),
                        __ushort_as_half(static_cast<unsigned short>(word >> 16)));
}

/// The two BF16 numbers of a word, its lower half first.
__device__ inline nv_bfloat162 as_bfloat162(std::uint32_t word) {
  return __halves2bfloat162(__ushort_as_bfloat16(static_cast<unsigned short>(word & 0xFFFF)),
                            __ushort_as_bfloat16(static_cast<unsigned short>(word >> 16)));
}

/// The 32 bits of two FP16 numbers.
__device__ inline std::uint32_t as_word(half2 pair) {
  return __half_as_ushort(pair.x) | std::uint32_t{__half_as_ushort(pair.y)} << 16;
}

/// The 32 bits of two BF16 numbers.
__device__ inline std::uint32_t as_word(nv_bfloat162 pair) {
  return __bfloat16_as_ushort(pair.x) | std::uint32_t{__bfloat16_as_ushort(pair.y)} << 16;
}

}  // namespace qlab
