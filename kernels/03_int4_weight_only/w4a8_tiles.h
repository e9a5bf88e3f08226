// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the vector rungs of w4a8_gemm share: X cut into tiles, and the loops over panels and tiles.
///
/// A tile is a few rows of X. Its codes are copied once a call, so that all panels read one stream
/// without gaps. Four codes of a row are a word, a step is a word of every row, and a group takes as
/// many steps as the chunks of W have, filled up with codes of 0:
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
inline constexpr std::int64_t kBlockRows = 96;       // of X between two epilogues: 12 KiB of totals
inline constexpr std::int64_t kUnpackedChunks = 32;  // of 256 bytes each: 8 KiB

/// Rows of X in tiles of at most `max_rows`, of heights that differ by one at most: 13 rows are 6
/// and 7, since a tile of one row would use an unpacked weight only once.
class Tiles {
 public:
  Tiles(const Int8Rows& X, const Int4Panels& W, std::int64_t max_rows)
      : x_(X.codes),
        w_(W),
        count_((X.codes.rows() + max_rows - 1) / max_rows),
        words_(1, X.codes.rows() * all_steps(W) + kPadding),
        starts_(1, X.codes.rows() * W.groups() + kPadding) {}

  std::int64_t count() const { return count_; }
  std::int64_t first(std::int64_t t) const { return x_.rows() * t / count_; }
  int rows(std::int64_t t) const { return static_cast<int>(first(t + 1) - first(t)); }
  std::int64_t steps(std::int64_t g) const {
    return kStepsOfChunk * int4_chunks(w_.group_length(g));
  }

  /// Group g of tile t: [steps, rows]. Tiles of a group follow each other, for they are read so. A
  /// register may be read at the last word.
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
  static constexpr std::int64_t kPadding = 16;

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

/// Calls task(rows) with rows() = 1 … kMax as a constant, so that a tile can live in registers.
template <int kMax, class Task>
void with_rows(int rows, const Task& task) {
  if (rows == kMax) {
    task(std::integral_constant<int, kMax>{});
  } else if constexpr (kMax > 1) {
    with_rows<kMax - 1>(rows, task);
  }
}

/// Group g of a panel of W.
struct Group {
  const std::uint8_t* codes;  // packed, or a byte each: [steps, 32 columns, 4]
  bool unpacked;
  std::int64_t chunks;
  const std::uint8_t* scales;       // [32] FP16
  const std::uint8_t* zero_points;  // [32]
};

/// Y from tiles that are filled. A task is a panel, whose codes stay in the second cache while they
/// meet all rows. If a group meets several tiles it is unpacked once, into the first cache; a long
/// group, whose codes would push x out of there, is unpacked in registers by each tile.
///
/// \param unpack     codes of some chunks to bytes
/// \param add_group  adds a group, times scale, to totals [rows, 32] of a tile
/// \param write_row  writes the first `columns` of 32 totals, times X.scale, to a row of Y
template <class Unpack, class AddGroup, class WriteRow>
void multiply(const Int8Rows& X, const Int4Panels& W, Tiles& tiles, std::int64_t max_rows,
              MatrixView<float> Y, ThreadPool& threads, const Unpack& unpack,
              const AddGroup& add_group, const WriteRow& write_row) {
  const std::int64_t block_tiles = kBlockRows / max_rows;
  threads.run(int4_panels(W.N), [&](std::int64_t panel) {
    alignas(64) float totals[kBlockRows * kPanelColumns];
    alignas(64) std::uint8_t unpacked[2 * kUnpackedChunks * kChunkBytes];
    const std::int64_t n0 = panel * kPanelColumns;
    const std::int64_t columns = std::min(kPanelColumns, W.N - n0);
    for (std::int64_t t0 = 0; t0 < tiles.count(); t0 += block_tiles) {
      const std::int64_t t_end = std::min(t0 + block_tiles, tiles.count());
      const std::int64_t m0 = tiles.first(t0);
      const std::int64_t rows = tiles.first(t_end) - m0;
      std::fill_n(totals, rows * kPanelColumns, 0.0F);
      for (std::int64_t g = 0; g < W.groups(); ++g) {
        Group group = {.codes = W.codes(panel, g),
                       .unpacked = t_end - t0 > 1 && W.group_length(g) <= kUnpackedChunks * kChunkK,
                       .chunks = int4_chunks(W.group_length(g)),
                       .scales = W.scales(panel, g),
                       .zero_points = W.zero_points(panel, g)};
        if (group.unpacked) {
          unpack(group.codes, group.chunks, unpacked);
          group.codes = unpacked;
        }
        for (std::int64_t t = t0; t < t_end; ++t) {
          add_group(tiles, t, g, group, totals + (tiles.first(t) - m0) * kPanelColumns);
        }
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        write_row(totals + r * kPanelColumns, X.scale[m0 + r], columns, Y.row(m0 + r) + n0);
      }
    }
  });
}

}  // namespace qlab::w4a8
