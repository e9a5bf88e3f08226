// SPDX-License-Identifier: Apache-2.0
/// \file
/// Int4DeviceWeights: 4-bit weights where a kernel finds them, and what the CUDA exercises ask of
/// them.
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "simt/simt.h"

namespace qlab {

/// Codes that lie in 16 bytes, the widest load: a piece of a row.
inline constexpr int kInt4Piece = 32;

/// Int4Weights in the memory of a device, rows without gaps: W[n, k] is
/// scale[n, g] · (code[n, k] - zero_point[n, g]) with g = k / group_size.
struct Int4DeviceWeights {
  const std::uint8_t* qweight;  // [N, K / 2]   2j in bits 0-3, 2j + 1 in bits 4-7; 16-byte aligned
  const half* scale;            // [N, groups]  > 0; groups = ⌈K / group_size⌉
  const std::uint8_t* zero_point;  // [N, groups]  0 … 15
  int group_size;
};

/// Refuses an address that no 16-byte load may start at: a GPU would stop the whole context.
inline void check_aligned(const char* operation, const char* operand, const void* address) {
  QLAB_CHECK(
      reinterpret_cast<std::uintptr_t>(address) % 16 == 0, operation, ": ", operand,
      " is not 16-byte aligned, as the widest load needs it; pass the start of an allocation");
}

/// Refuses what would let a piece cross the border of a row or of a group, or start at no multiple of
/// 16 bytes. x [K].
inline void check_int4_pieces(const char* operation, int N, int K, const Int4DeviceWeights& W,
                              const half* x) {
  const int group_size = W.group_size;
  QLAB_CHECK(N >= 1, operation, ": N is ", N, "; a matrix has at least one row");
  QLAB_CHECK(
      K >= kInt4Piece && K % kInt4Piece == 0, operation, ": K is ", K,
      ", expected a multiple of 32 from 32 on, since rows are read in pieces of 32 codes, 16 "
      "bytes; pad the rows");
  QLAB_CHECK(group_size >= kInt4Piece && group_size % kInt4Piece == 0, operation,
             ": group_size is ", group_size,
             ", expected a multiple of 32 from 32 on, so that a piece of 32 codes has one scale; "
             "quantize with 32, 64 or 128");
  check_aligned(operation, "qweight", W.qweight);
  check_aligned(operation, "the input", x);
}

}  // namespace qlab
