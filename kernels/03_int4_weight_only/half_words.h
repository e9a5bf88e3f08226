// SPDX-License-Identifier: Apache-2.0
/// \file
/// Words of 32 bits that are seen as pairs of FP16 or BF16, and back. A register has no type, so on
/// a GPU none of these is an instruction.
#pragma once

#include <cstdint>
#include <cstring>

#include "simt/simt.h"

namespace qlab {

/// The same 32 bits as another type. Built from halves, a pair would take two instructions.
template <class To, class From>
__device__ inline To same_bits(const From& from) {
  static_assert(sizeof(To) == 4 && sizeof(From) == 4);
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

/// bits 31 … 16   15 … 0
///      .y        .x
__device__ inline half2 as_half2(std::uint32_t word) { return same_bits<half2>(word); }

/// The two BF16 numbers of a word, its lower half first.
__device__ inline nv_bfloat162 as_bfloat162(std::uint32_t word) {
  return same_bits<nv_bfloat162>(word);
}

/// The 32 bits of two FP16 numbers.
__device__ inline std::uint32_t as_word(half2 pair) { return same_bits<std::uint32_t>(pair); }

/// The 32 bits of two BF16 numbers.
__device__ inline std::uint32_t as_word(nv_bfloat162 pair) {
  return same_bits<std::uint32_t>(pair);
}

}  // namespace qlab
