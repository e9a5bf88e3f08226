// SPDX-License-Identifier: Apache-2.0
/// \file
/// 4-bit weights in the orders that the fast rungs of w4a16_gemm_cuda read, packed on the host, once
/// for a model.
///
/// Teaches      an order of the codes costs nothing when it is made once; shuffles in the kernel cost
///              an instruction each
/// Leaves out   a packing kernel, in place, on the GPU
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "03_int4_weight_only/w4a16_gemm_cuda.h"

namespace qlab {

/// Code k of a row of codes [K / 2], two a byte.
inline std::uint32_t int4_code(const std::uint8_t* row, int k) {
  return static_cast<std::uint32_t>(row[k / 2] >> (k % 2 * 4)) & 0xF;
}

/// [N, K / 32] for v3_bits. The codes 2i and 2i + 1 of a word's eight are its nibbles i and i + 4: a
/// mask that keeps both leaves them where two halves have their last bits.
///
///   bits  31     28     24     20     16     12     8      4      0
///          |  7   |  5   |  3   |  1   |  6   |  4   |  2   |  0   |
inline std::vector<uint4> pack_int4_pairs(const std::uint8_t* qweight, int N, int K) {
  std::vector<uint4> packed(static_cast<std::size_t>(N) * (K / 32));
  for (std::size_t piece = 0; piece < packed.size(); ++piece) {
    std::uint32_t words[4] = {};
    for (int k = 0; k < 32; ++k) {
      const int nibble = k % 8 / 2 + k % 2 * 4;
      words[k / 8] |= int4_code(qweight + piece * 16, k) << (4 * nibble);
    }
    packed[piece] = make_uint4(words[0], words[1], words[2], words[3]);
  }
  return packed;
}

/// [strips, tiles, 32 lanes] for v4_in_flight and v5_mma: a word is what a lane brings to one mma as
/// its fragment of A, 16 rows by 16 of K. Lane 4i + t has the rows i and i + 8 of the strip. An mma
/// may sum over K in any order that A and B have in common; here lane t brings k = 8t … 8t + 7 of
/// each half of the tile, since these eight are one load of X: four to one mma, four to the next.
///
///   word      w = 0        1            2            3
///   k         8t …  + 3    8t + 4 …     32 + 8t …    32 + 8t + 4 …
///
///   bits  31     28     24     20     16     12     8      4      0
///   row    | i+8  |  i   | i+8  |  i   | i+8  |  i   | i+8  |  i   |
///   k + …  |  3   |  3   |  1   |  1   |  2   |  2   |  0   |  0   |
inline std::vector<uint4> pack_int4_fragments(const std::uint8_t* qweight, int N, int K) {
  const int strips = int4_strips(N), tiles = int4_tiles(K);
  std::vector<uint4> packed(static_cast<std::size_t>(strips) * tiles * 32);
  for (int strip = 0; strip < strips; ++strip) {
    for (int tile = 0; tile < tiles; ++tile) {
      for (int lane = 0; lane < 32; ++lane) {
        std::uint32_t words[4] = {};
        for (int nibble = 0; nibble < 32; ++nibble) {
          const int w = nibble / 8, bit = nibble % 8;
          const int n = strip * kInt4StripRows + lane / 4 + bit % 2 * 8;
          const int k =
              tile * kInt4TileK + w / 2 * 32 + lane % 4 * 8 + w % 2 * 4 + bit / 4 + bit / 2 % 2 * 2;
          if (n >= N || k >= K) continue;  // code 0
          words[w] |= int4_code(qweight + static_cast<std::size_t>(n) * (K / 2), k) << (4 * bit);
        }
        packed[(static_cast<std::size_t>(strip) * tiles + tile) * 32 + lane] =
            make_uint4(words[0], words[1], words[2], words[3]);
      }
    }
  }
  return packed;
}

/// [strips, tiles · 64 / group_size, 8] for v4_in_flight and v5_mma: .x is row i of the strip, .y row i + 8; in either
/// the lower half is the scale and the upper one what fragment_of() adds to take off 1024 and the
/// zero point: -(1024 + zero_point) for row i, -(64 + zero_point) for row i + 8.
inline std::vector<uint2> pack_int4_groups(const half* scale, const std::uint8_t* zero_point, int N,
                                           int K, int group_size) {
  const int strips = int4_strips(N), groups = int4_tiles(K) * kInt4TileK / group_size;
  std::vector<uint2> packed(static_cast<std::size_t>(strips) * groups * 8);
  const auto word = [&](int n, int group, bool upper) -> std::uint32_t {
    const bool exists = n < N && group < K / group_size;
    const std::size_t at = static_cast<std::size_t>(n) * (K / group_size) + group;
    const std::uint32_t zero = exists ? zero_point[at] : 0;
    const std::uint32_t excess = upper ? 0xD400 | zero << 4 : 0xE400 | zero;
    return (exists ? __half_as_ushort(scale[at]) : std::uint32_t{0}) | excess << 16;
  };
  for (int strip = 0; strip < strips; ++strip) {
    for (int group = 0; group < groups; ++group) {
      for (int i = 0; i < 8; ++i) {
        const int n = strip * kInt4StripRows + i;
        packed[(static_cast<std::size_t>(strip) * groups + group) * 8 + i] =
            make_uint2(word(n, group, false), word(n + 8, group, true));
      }
    }
  }
  return packed;
}

}  // namespace qlab
