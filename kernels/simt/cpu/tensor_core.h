// SPDX-License-Identifier: Apache-2.0
/// \file
/// CPU models of ldmatrix and mma.sync: who holds which element, and what is computed.
///
/// Inputs are exact; the sum over k is taken in double and rounded to float once. Hardware adds the
/// products in an undocumented order and truncates: equal to the last bits, not bit for bit.
/// Integer mma is exact on both.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "simt/cpu/runtime.h"
#include "simt/cpu/sanitizers.h"
#include "simt/cpu/small_float.h"

namespace qlab::simt::cpu {

struct LdmatrixOperands {
  const void* row;  // this lane's row address; lane 8·j + i points to row i of matrix j
  std::uint32_t* registers;
};

/// Each matrix is 8×8 elements of 16 bits. Lane 4·r + c receives elements 2c, 2c+1 of row r, or,
/// transposed, of column r.
template <unsigned kMatrices, bool kTransposed>
SIMT_HARDWARE void execute_ldmatrix(std::uint32_t, void* const* operands) {
  for (unsigned m = 0; m < kMatrices; ++m) {
    std::uint16_t matrix[8][8];
    for (unsigned r = 0; r < 8; ++r) {
      const void* row = static_cast<LdmatrixOperands*>(operands[8 * m + r])->row;
      if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) {
        fail("ldmatrix: the row address of lane " + std::to_string(8 * m + r) +
             " is not a multiple of 16 bytes");
      }
      if (!may_be_shared(row, 16)) {
        fail("ldmatrix: the row address of lane " + std::to_string(8 * m + r) +
             " is not in shared memory");
      }
      std::memcpy(matrix[r], row, 16);
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      const unsigned r = lane / 4, c = lane % 4 * 2;
      const std::uint32_t low = kTransposed ? matrix[c][r] : matrix[r][c];
      const std::uint32_t high = kTransposed ? matrix[c + 1][r] : matrix[r][c + 1];
      static_cast<LdmatrixOperands*>(operands[lane])->registers[m] = high << 16 | low;
    }
  }
}

template <unsigned kMatrices, bool kTransposed>
void ldmatrix(std::uint32_t* registers, const void* row, Site at) {
  LdmatrixOperands operands{row, registers};
  WarpCall call{"ldmatrix", ~0u, execute_ldmatrix<kMatrices, kTransposed>, &operands, at, true};
  warp_call(call);
}

/// How mma reads an operand register: `kPerRegister` elements, the first in the lowest bits.
struct ReadF16 {
  static constexpr unsigned kPerRegister = 2;
  using Sum = double;
  using Element = float;
  static Element read(std::uint32_t r, unsigned i) {
    return decode_half(static_cast<std::uint16_t>(r >> 16 * i));
  }
};
struct ReadBf16 {
  static constexpr unsigned kPerRegister = 2;
  using Sum = double;
  using Element = float;
  static Element read(std::uint32_t r, unsigned i) {
    return decode_bfloat16(static_cast<std::uint16_t>(r >> 16 * i));
  }
};
struct ReadTf32 {  // the hardware ignores the low 13 bits
  static constexpr unsigned kPerRegister = 1;
  using Sum = double;
  using Element = float;
  static Element read(std::uint32_t r, unsigned) { return std::bit_cast<float>(r & ~0x1FFFu); }
};
struct ReadE4M3 {
  static constexpr unsigned kPerRegister = 4;
  using Sum = double;
  using Element = float;
  static Element read(std::uint32_t r, unsigned i) { return decode(kE4M3, r >> 8 * i & 0xFF); }
};
struct ReadS8 {
  static constexpr unsigned kPerRegister = 4;
  using Sum = std::int32_t;
  using Element = std::int32_t;
  static Element read(std::uint32_t r, unsigned i) { return static_cast<std::int8_t>(r >> 8 * i); }
};

template <class D>
struct MmaOperands {
  D* d;  // in and out: d = a·b + d
  const std::uint32_t* a;
  const std::uint32_t* b;
};

/// One rule covers all the shapes m16n8kK: with g = lane / 4, t = lane % 4, P elements a register,
///   A 16×K  registers (g, tP…), (g+8, tP…), (g, K/2 + tP…), (g+8, K/2 + tP…)
///   B K×8   registers (tP…, g), (K/2 + tP…, g)
///   D 16×8  registers (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1)
/// where K = 8P.
template <class Read, class D>
SIMT_HARDWARE void execute_mma(std::uint32_t, void* const* operands) {
  constexpr unsigned kP = Read::kPerRegister, kK = 8 * kP;
  typename Read::Element a[16][kK], b[8][kK];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto& mine = *static_cast<MmaOperands<D>*>(operands[lane]);
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < kP; ++i) {
      const unsigned k = t * kP + i;
      a[g][k] = Read::read(mine.a[0], i);
      a[g + 8][k] = Read::read(mine.a[1], i);
      a[g][k + kK / 2] = Read::read(mine.a[2], i);
      a[g + 8][k + kK / 2] = Read::read(mine.a[3], i);
      b[g][k] = Read::read(mine.b[0], i);
      b[g][k + kK / 2] = Read::read(mine.b[1], i);
    }
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    D* d = static_cast<MmaOperands<D>*>(operands[lane])->d;
    for (unsigned r = 0; r < 4; ++r) {
      const unsigned row = lane / 4 + r / 2 * 8, column = lane % 4 * 2 + r % 2;
      typename Read::Sum sum = 0;
      for (unsigned k = 0; k < kK; ++k) sum += typename Read::Sum(a[row][k]) * b[column][k];
      if constexpr (std::is_integral_v<D>) {  // wraps
        d[r] = static_cast<D>(static_cast<std::uint32_t>(d[r]) + static_cast<std::uint32_t>(sum));
      } else {
        d[r] = static_cast<D>(sum + d[r]);
      }
    }
  }
}

template <class Read, class D>
void mma(const char* name, D (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
         Site at) {
  MmaOperands<D> operands{d, a, b};
  WarpCall call{name, ~0u, execute_mma<Read, D>, &operands, at, true};
  warp_call(call);
}

}  // namespace qlab::simt::cpu
