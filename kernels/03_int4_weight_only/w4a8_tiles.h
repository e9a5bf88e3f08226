// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the vector rungs of w4a8_gemm share: X cut into tiles, and the loops over panels and tiles.
///
/// A tile is a few rows of X. Its codes are copied once a call, so that all panels read one stream
/// without gaps. Four codes of a row are a word, a step is a word of every row, and a group takes
/// as many steps as its chunks of W have, filled up with codes of 0:
///
///     step 0         row 0 k … k+3     row 1 k … k+3     …   row R-1 k … k+3
///     step 1         row 0 k+4 … k+7   row 1 k+4 … k+7   …   row R-1 k+4 … k+7
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "02_int8_calibration/w8a8_gemm.h"
#include "03_int4_weight_only/int4_panels.h"
#include "common/matrix.h"

namespace qlab::w4a8 {

inline constexpr int kStepsOfChunk = 2;
inline constexpr int kWordCodes = 4;
inline constexpr std::int64_t kStreams = 2;          // panels that take turns in decode
inline constexpr std::int64_t kBlockRows = 96;       // of X between two epilogues: 12 KiB of totals
inline constexpr std::int64_t kUnpackedChunks = 32;  // of 256 bytes each: 8 KiB

/// Rows of X in tiles of at most `max_rows`, of heights that differ by one at most: 13 rows are 6
/// and 7, since a tile of one row would use an unpacked weight only once.
class Tiles {
 public:
  /// Cuts the rows of X into tiles of at most `max_rows`.
  Tiles(const Int8Rows& X, const Int4Panels& W, std::int64_t max_rows)
      : x_(X.codes),
        w_(W),
        count_((X.codes.rows() + max_rows - 1) / max_rows),
        words_(1, X.codes.rows() * all_steps(W)),
        starts_(1, X.codes.rows() * W.groups()) {}

  /// How many tiles there are.
  std::int64_t count() const { return count_; }
  /// The first row of tile t.
  std::int64_t first(std::int64_t t) const { return x_.rows() * t / count_; }
  /// How many rows tile t has.
  int rows(std::int64_t t) const { return static_cast<int>(first(t + 1) - first(t)); }
  /// Steps of four columns in group g, the last one padded.
  std::int64_t steps(std::int64_t g) const {
    return kStepsOfChunk * int4_chunks(w_.group_length(g));
  }

  /// Group g of tile t: [steps, rows]. Tiles of a group follow each other, for they are read so.
  std::int32_t* words(std::int64_t t, std::int64_t g) {
    const std::int64_t before = kStepsOfChunk * g * int4_chunks(w_.group_size);
    return words_.data() + before * x_.rows() + first(t) * steps(g);
  }
  /// What the rung makes of Σx over group g, for each row of tile t: [rows].
  std::int32_t* starts(std::int64_t t, std::int64_t g) {
    return starts_.data() + g * x_.rows() + first(t);
  }

  /// Copies the codes of tile t.
  void fill(std::int64_t t) {
    const std::int64_t m0 = first(t);
    const int R = rows(t);
    for (std::int64_t g = 0; g < w_.groups(); ++g) {
      const std::int64_t length = w_.group_length(g);
      for (int r = 0; r < R; ++r) {
        const std::int8_t* from = x_.row(m0 + r) + g * w_.group_size;
        std::int32_t* to = words(t, g) + r;
        std::int64_t i = 0;
        for (; i + kWordCodes <= length; i += kWordCodes, to += R) {
          std::memcpy(to, from + i, kWordCodes);
        }
        // Behind the last code stay the zeros that the memory was made with.
        if (i < length) std::memcpy(to, from + i, static_cast<std::size_t>(length - i));
      }
    }
  }

 private:
  static std::int64_t all_steps(const Int4Panels& W) {
    const std::int64_t chunks =
        W.K / W.group_size * int4_chunks(W.group_size) + int4_chunks(W.K % W.group_size);
    return kStepsOfChunk * chunks;
  }

  MatrixView<const std::int8_t> x_;
  Int4Panels w_;
  std::int64_t count_;
  Matrix<std::int32_t> words_, starts_;
};

/// Calls task(R) with R() = rows as a constant, 1 … kMax, so that a tile can live in registers.
template <int kMax, int kRows = 1, class Task>
void with_rows(int rows, const Task& task) {
  if (rows == kRows) {
    task(std::integral_constant<int, kRows>{});
  } else if constexpr (kRows < kMax) {
    with_rows<kMax, kRows + 1>(rows, task);
  }
}

/// One group of a panel of W.
struct Group {
  const std::uint8_t* codes;  // packed, or a byte each: [steps, 32 columns, 4]
  bool unpacked;
  std::int64_t chunks;
  const std::uint8_t* scales;       // [32] FP16
  const std::uint8_t* zero_points;  // [32]
};

/// Some panels of W times some tiles of X, and the totals of what they add up to.
struct Block {
  std::int64_t p0, p_end;  // panels
  std::int64_t t0, t_end;  // tiles
  std::int64_t m0, rows;   // of X, in these tiles
  float* totals;           // [panels, rows, 32]

  /// The totals [rows of the panel] of panel p for row m.
  float* totals_of(std::int64_t p, std::int64_t m) const {
    return totals + ((p - p0) * rows + m - m0) * kPanelColumns;
  }
  /// Calls task(m, n0, columns, totals) for every row of every panel: what it is of Y.
  template <class Task>
  void for_rows(std::int64_t N, const Task& task) const {
    for (std::int64_t p = p0; p < p_end; ++p) {
      const std::int64_t n0 = p * kPanelColumns;
      for (std::int64_t m = m0; m < m0 + rows; ++m) {
        task(m, n0, std::min(kPanelColumns, N - n0), totals_of(p, m));
      }
    }
  }
};

/// All groups of a block. Where a group meets several tiles it is unpacked once for all of them,
/// into the first cache; a long one, whose codes would push x out, by each tile in registers.
template <class Unpack, class AddGroup>
void add_groups(const Int4Panels& W, Tiles& tiles, const Block& block, const Unpack& unpack,
                const AddGroup& add_group) {
  alignas(64) std::uint8_t unpacked[2 * kUnpackedChunks * kChunkBytes];
  for (std::int64_t g = 0; g < W.groups(); ++g) {
    for (std::int64_t p = block.p0; p < block.p_end; ++p) {
      Group group = {.codes = W.codes(p, g),
                     .unpacked = false,
                     .chunks = int4_chunks(W.group_length(g)),
                     .scales = W.scales(p, g),
                     .zero_points = W.zero_points(p, g)};
      if (block.t_end - block.t0 > 1 && group.chunks <= kUnpackedChunks) {
        unpack(group.codes, group.chunks, unpacked);
        group.codes = unpacked;
        group.unpacked = true;
      }
      for (std::int64_t t = block.t0; t < block.t_end; ++t) {
        add_group(tiles, t, g, group, block.totals_of(p, tiles.first(t)));
      }
    }
  }
}

/// Y from tiles that are filled. A task is a panel, whose codes stay in the second cache while they
/// meet all rows. With a single tile they come from memory once, and a task is kStreams panels that
/// take turns, group by group: memory answers several streams sooner than one.
///
/// \param unpack     codes of some chunks to bytes
/// \param add_group  adds a group, times scale, to totals [rows, 32] of a tile
/// \param write_row  writes the first `columns` of 32 totals, times X.scale, to a row of Y
template <class Unpack, class AddGroup, class WriteRow>
void multiply(const Int8Rows& X, const Int4Panels& W, Tiles& tiles, std::int64_t max_rows,
              MatrixView<float> Y, ThreadPool& threads, const Unpack& unpack,
              const AddGroup& add_group, const WriteRow& write_row) {
  const std::int64_t block_tiles = kBlockRows / max_rows;
  const std::int64_t together = tiles.count() == 1 ? kStreams : 1;
  const std::int64_t panels = panel_count(W.N);
  threads.run((panels + together - 1) / together, [&](std::int64_t task) {
    alignas(64) float totals[kBlockRows * kPanelColumns];
    for (std::int64_t t0 = 0; t0 < tiles.count(); t0 += block_tiles) {
      const std::int64_t t_end = std::min(t0 + block_tiles, tiles.count());
      const Block block{.p0 = task * together,
                        .p_end = std::min((task + 1) * together, panels),
                        .t0 = t0,
                        .t_end = t_end,
                        .m0 = tiles.first(t0),
                        .rows = tiles.first(t_end) - tiles.first(t0),
                        .totals = totals};
      block.for_rows(W.N, [&](std::int64_t m, std::int64_t n0, std::int64_t columns, float* row) {
        std::fill_n(row, kPanelColumns, 0.0F);
        // Two cache lines of Y, each row in another page. Not fetched ahead, they are what the
        // writes at the end wait for: a tenth of the time with many rows.
        __builtin_prefetch(Y.row(m) + n0, /*rw=*/1);
        __builtin_prefetch(Y.row(m) + n0 + columns / 2, /*rw=*/1);
      });
      add_groups(W, tiles, block, unpack, add_group);
      block.for_rows(W.N, [&](std::int64_t m, std::int64_t n0, std::int64_t columns, float* row) {
        write_row(row, X.scale[m], columns, Y.row(m) + n0);
      });
    }
  });
}

}  // namespace qlab::w4a8
