// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tiles of K and V in shared memory, and how their codes become fragments of mma.m16n8k16.
///
/// ldmatrix moves units of 16 bits: one FP16 number, two INT8 or FP8 codes, four INT4 codes, all
/// neighbouring channels of one token. A register has two units, and expand makes of them as many
/// pairs of FP16 as a unit has codes: a pair is the same code of both units.
///
///   K, plain       both units of one token: a pair is two channels, along k of S = K·qᵀ
///   V, transposed  one of each of two tokens: a pair is two tokens, along k of Oᵀ = Vᵀ·Pᵀ
///
/// Either way a pair is what the fragment needs; only which channel is which depends on the format.
/// q is loaded in that order, and the output stored in it, so no code ever moves to another lane.
#pragma once

#include <cstring>

#include "04_kv_cache/attention_decode_cuda.h"
#include "simt/ptx.h"

namespace qlab::decode {

/// The copies of one warp.
template <DecodeFormat kFormat, int kHeadDim>
struct MmaTile {
  static constexpr int kTokens = decode_copies(kFormat).tokens;
  static constexpr int kStages = decode_copies(kFormat).stages;
  static_assert((kTokens == 16 || kTokens == 32) && kStages >= 2);
  static constexpr int kUnit = 16 / decode_bits(kFormat);  // codes in 16 bits
  static constexpr int kRow = kHeadDim * decode_bits(kFormat) / 8;
  static constexpr int kPieces = kRow / 16;             // of 8 units, in a row
  static constexpr int kTile = kTokens * kRow;          // bytes of K; V behind them
  static constexpr int kWeights = kStages * 2 * kTile;  // [kTokens, 8] FP16
  static constexpr int kBytes = kWeights + kTokens * 16;

  /// Where a piece lies: swapped with others of its row, so that eight rows of one piece, which
  /// ldmatrix reads at once, are in 32 different banks.
  static __device__ int offset(int token, int piece) {
    constexpr int kRowsOfBanks = kPieces >= 8 ? 1 : 8 / kPieces;  // 128 bytes
    constexpr int kMask = kPieces >= 8 ? 7 : kPieces - 1;
    return token * kRow + 16 * (piece ^ (token / kRowsOfBanks & kMask));
  }

  /// Starts to copy the tokens t0 … t0 + kTokens - 1 of a head, which lie at `rows` of K or V.
  /// Tokens from `end` on become zeros; where all are, nothing happens.
  template <class Rows>
  static __device__ void fetch(unsigned char* tile, const void* codes, const Rows& rows, int t0,
                               int end, int lane) {
    if (t0 >= end) return;
    QLAB_UNROLL
    for (int i = 0; i < kTokens * kPieces; i += 32) {
      const int token = (i + lane) / kPieces, piece = (i + lane) % kPieces;
      const bool valid = t0 + token < end;
      const std::size_t from = rows.template piece<kPieces>(i, lane, valid);
      ptx::cp_async_16_zfill(tile + offset(token, piece), static_cast<const uint4*>(codes) + from,
                             valid);
    }
  }
};

/// The bits of a word as two FP16 numbers, and back. No instruction on a GPU, as a copy of bytes;
/// taking the halves out and putting them together would be two.
__device__ inline half2 pair_of(std::uint32_t word) {
  half2 pair;
  std::memcpy(static_cast<void*>(&pair), &word, sizeof word);
  return pair;
}
/// The other way.
__device__ inline std::uint32_t word_of(half2 pair) {
  std::uint32_t word;
  std::memcpy(&word, static_cast<const void*>(&pair), sizeof word);
  return word;
}

/// Two E4M3 codes, the first in the low byte, as two FP16 numbers.
__device__ inline std::uint32_t widen_e4m3_pair(std::uint32_t codes) {
#if defined(__CUDACC__)
  const __half2_raw pair =
      __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(codes & 0xFFFF), __NV_E4M3);
  return pair.x | static_cast<std::uint32_t>(pair.y) << 16;
#else
  const auto widen = [](std::uint32_t code) {
    return std::uint32_t{
        __nv_cvt_fp8_to_halfraw(static_cast<__nv_fp8_storage_t>(code & 0xFF), __NV_E4M3).x};
  };
  return widen(codes) | widen(codes >> 8) << 16;
#endif
}

/// What pair j is made of: code code_of(j) of a unit, divided by divisor_of(j).
template <DecodeFormat kFormat>
__host__ __device__ constexpr int code_of(int j) {
  return kFormat == DecodeFormat::kInt4 ? j % 2 * 2 + j / 2 : j;  // 0, 2, 1, 3
}
/// What code j of a unit was multiplied by where it stands.
template <DecodeFormat kFormat>
__host__ __device__ constexpr float divisor_of(int j) {
  return kFormat != DecodeFormat::kInt4 ? 1 : j / 2 % 2 == 0 ? 0x1p24F : 0x1p20F;
}

/// pair[j] is a code of the low 16 bits and the same of the high ones, exactly, as FP16.
///
/// INT8   FP16 has 10 bits behind the leading one: under the exponent of 1024, bits 0x6400, an
///        integer n below 1024 in the low bits is the number 1024 + n.
/// INT4   Without an exponent an integer n in the low bits is the subnormal number n·2⁻²⁴, which
///        tensor cores multiply as exactly as any other: a mask is all that a code costs. Those
///        four bits higher are n·2⁻²⁰. Codes are 0 … 15.
template <DecodeFormat kFormat>
__device__ void expand(std::uint32_t word, std::uint32_t (&pair)[16 / decode_bits(kFormat)]) {
  if constexpr (kFormat == DecodeFormat::kFp16) {
    pair[0] = word;
  } else if constexpr (kFormat == DecodeFormat::kInt8) {
    const std::uint32_t biased = word ^ 0x8080'8080;  // code + 128, without a sign
    const half2 bias = pair_of(0x6480'6480);          // 1024 + 128
    const std::uint32_t first = ptx::prmt(biased, 0x6464'6464, 0x4240);
    const std::uint32_t second = ptx::prmt(biased, 0x6464'6464, 0x4341);
    pair[0] = word_of(__hsub2(pair_of(first), bias));
    pair[1] = word_of(__hsub2(pair_of(second), bias));
  } else if constexpr (kFormat == DecodeFormat::kFp8E4m3) {
    const std::uint32_t sorted = ptx::prmt(word, 0, 0x3120);
    pair[0] = widen_e4m3_pair(sorted);
    pair[1] = widen_e4m3_pair(sorted >> 16);
  } else {
    QLAB_UNROLL
    for (int byte = 0; byte < 2; ++byte) {
      pair[byte] = word >> (8 * byte) & 0x000F'000F;
      pair[byte + 2] = word >> (8 * byte) & 0x00F0'00F0;
    }
  }
}

/// The fragments of 16 tokens and two neighbouring pieces of K (A = K: rows are tokens, k channels)
/// or, transposed, of V (A = Vᵀ: rows are channels, k tokens). Block n of 8 channels of the two
/// pieces is pair n % kUnit of the units of piece n / kUnit.
template <DecodeFormat kFormat, int kHeadDim, bool kTransposed>
__device__ void load_fragments(std::uint32_t (&a)[16 / decode_bits(kFormat)][4],
                               const unsigned char* tile, int token, int piece, int lane) {
  using Tile = MmaTile<kFormat, kHeadDim>;
  constexpr int kUnit = Tile::kUnit;
  const void* const row = tile + Tile::offset(token + lane % 16, piece + lane / 16);
  std::uint32_t words[4];  // [piece, half of the tokens]
  if constexpr (kTransposed) {
    ptx::ldmatrix_x4_trans(words, row);
  } else {
    ptx::ldmatrix_x4(words, row);
  }
  std::uint32_t block[2][2 * kUnit];  // [half of the tokens, block of 8 channels]
  QLAB_UNROLL
  for (int i = 0; i < 4; ++i) {
    std::uint32_t pairs[kUnit];
    expand<kFormat>(words[i], pairs);
    QLAB_UNROLL
    for (int j = 0; j < kUnit; ++j) block[i % 2][i / 2 * kUnit + j] = pairs[j];
  }
  QLAB_UNROLL
  for (int n = 0; n < kUnit; ++n) {
    a[n][0] = block[0][2 * n];                                      // rows 0-7, k 0-7
    a[n][1] = kTransposed ? block[0][2 * n + 1] : block[1][2 * n];  // rows 8-15, k 0-7
    a[n][2] = kTransposed ? block[1][2 * n] : block[0][2 * n + 1];  // rows 0-7, k 8-15
    a[n][3] = block[1][2 * n + 1];                                  // rows 8-15, k 8-15
  }
}

}  // namespace qlab::decode
