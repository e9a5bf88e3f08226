// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the vector rungs over panels share: X cut into tiles, and the loops over panels and tiles.
///
/// A tile is a few rows of X, whose sums with 32 columns stay in registers. It is copied once a call,
/// so that all panels read one stream without gaps: a step is a word of every row, where a word is
/// what meets one word of W.
///
///     step 0    row 0 | row 1 | … | row R-1
///     step 1    row 0 | row 1 | … | row R-1
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "common/panels.h"
#include "common/thread_pool.h"

namespace qlab::panels {

inline constexpr std::int64_t kBlockRows = 96;      // of X between two epilogues: 12 KiB of sums
inline constexpr std::int64_t kBlockBytes = 16384;  // of a panel, half of the first cache
inline constexpr std::int64_t kSecondCacheBytes = std::int64_t{1} << 20;  // what X may take of it
inline constexpr std::int64_t kStreams = 4;         // panels that take turns where W is read once,
inline constexpr std::int64_t kStreamBytes = 1024;  // by so many bytes
inline constexpr std::int64_t kAhead = 2048;  // bytes of W fetched ahead when they are read once

/// Rows of X in tiles of at most `max_rows`, of heights that differ by one at most: 13 rows are 6
/// and 7, since a tile of one row would use a weight only once.
template <class Word>
class Tiles {
 public:
  /// M rows of `steps` words, in the scratch memory of the threads; not yet filled.
  Tiles(ThreadPool& threads, std::int64_t M, std::int64_t steps, std::int64_t max_rows)
      : M_(M),
        steps_(steps),
        count_((M + max_rows - 1) / max_rows),
        words_(threads.scratch<Word>(M * steps)) {}

  /// How many tiles there are.
  std::int64_t count() const { return count_; }
  /// Words of a row.
  std::int64_t steps() const { return steps_; }
  /// The first row of tile t.
  std::int64_t first(std::int64_t t) const { return M_ * t / count_; }
  /// How many rows tile t has.
  int rows(std::int64_t t) const { return static_cast<int>(first(t + 1) - first(t)); }
  /// Tile t from step s on: [steps, rows].
  const Word* words(std::int64_t t, std::int64_t s) const {
    return words_ + first(t) * steps_ + s * rows(t);
  }

  /// Copies the rows: fill_row(m, to, stride) writes word s of row m to to[s · stride].
  template <class FillRow>
  void fill(ThreadPool& threads, const FillRow& fill_row) {
    threads.run(count_, [&](std::int64_t t) {
      Word* tile = words_ + first(t) * steps_;
      for (int r = 0; r < rows(t); ++r) fill_row(first(t) + r, tile + r, rows(t));
    });
  }

 private:
  std::int64_t M_, steps_, count_;
  Word* words_;
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

/// Panels [p0, p_end) times tiles [t0, t_end) of X, and what their sums are kept in.
template <class Sum>
struct Block {
  std::int64_t p0, p_end, t0, t_end;
  std::int64_t m0, rows;  // of X, in these tiles
  Sum* sums;              // [panels, rows, 32]

  /// The sums of panel p from row m on.
  Sum* of(std::int64_t p, std::int64_t m) const {
    return sums + ((p - p0) * rows + m - m0) * kPanelColumns;
  }
};

/// The sums of a block, `steps_at_once` at a time: those of the first panel for all tiles, then those of
/// the next panel. W is fetched `ahead` bytes ahead by the last tiles: X of the others would push it out.
template <class Kernel, class T>
void add_block(const Tiles<typename Kernel::Word>& x, const Panels<T>& W,
               const Block<typename Kernel::Sum>& block, std::int64_t steps_at_once,
               std::int64_t ahead) {
  for (std::int64_t s = 0; s < x.steps(); s += steps_at_once) {
    const std::int64_t steps = std::min(steps_at_once, x.steps() - s);
    for (std::int64_t p = block.p0; p < block.p_end; ++p) {
      for (std::int64_t t = block.t0; t < block.t_end; ++t) {
        with_rows<Kernel::kMaxRows>(x.rows(t), [&](auto rows) {
          Kernel::template add<rows()>(x.words(t, s), W.at(p, s * kPanelRun<T>), steps,
                                       t >= block.t_end - 2 ? ahead : 0, s == 0,
                                       block.of(p, x.first(t)));
        });
      }
    }
  }
}

/// How the work is cut into tasks. A single tile of X reads W from memory once, and a task is kStreams
/// panels that take turns: memory answers several streams sooner than one. For several tiles a task is
/// one panel and as many tiles as the second cache holds; the panels of the same tiles follow each other.
struct Tasks {
  /// For `tiles` of X, of at most `max_rows` and `row_bytes` a row as they lie in a tile.
  Tasks(std::int64_t tiles, std::int64_t panels, std::int64_t max_rows, std::int64_t row_bytes)
      : tile_count(tiles), panel_count(panels) {
    const std::int64_t fit = kSecondCacheBytes / std::max<std::int64_t>(max_rows * row_bytes, 1);
    tiles_together = std::clamp<std::int64_t>(fit, 1, kBlockRows / max_rows);
    panels_together = tiles == 1 ? kStreams : 1;
  }
  /// Groups of panels.
  std::int64_t panel_tasks() const { return (panel_count + panels_together - 1) / panels_together; }
  /// How many there are.
  std::int64_t count() const {
    return (tile_count + tiles_together - 1) / tiles_together * panel_tasks();
  }
  /// What task i does, with `sums` [panels, rows, 32] as its memory.
  template <class Word, class Sum>
  Block<Sum> block(std::int64_t i, const Tiles<Word>& x, Sum* sums) const {
    const std::int64_t p0 = i % panel_tasks() * panels_together;
    const std::int64_t t0 = i / panel_tasks() * tiles_together;
    const std::int64_t t_end = std::min(t0 + tiles_together, tile_count);
    return {.p0 = p0,
            .p_end = std::min(p0 + panels_together, panel_count),
            .t0 = t0,
            .t_end = t_end,
            .m0 = x.first(t0),
            .rows = x.first(t_end) - x.first(t0),
            .sums = sums};
  }

  std::int64_t tile_count, panel_count, tiles_together, panels_together;
};

/// Calls finish(m, n0, columns, sums) for every row of every panel of a block: what it is of Y [M, N].
template <class Sum, class Finish>
void for_rows(const Block<Sum>& block, std::int64_t N, const Finish& finish) {
  for (std::int64_t p = block.p0; p < block.p_end; ++p) {
    const std::int64_t n0 = p * kPanelColumns;
    for (std::int64_t m = block.m0; m < block.m0 + block.rows; ++m) {
      finish(m, n0, std::min(kPanelColumns, N - n0), block.of(p, m));
    }
  }
}

/// Y from tiles that are filled. Where several tiles meet a panel it is cut along K into blocks that stay
/// in the first cache meanwhile, while the next block is fetched.
///
/// \tparam Kernel  Word, Sum, kMaxRows, and add<R>(x, w, steps, ahead, first, sums): sums [R, 32] of
///                 the steps, from 0 where `first`, while W is fetched `ahead` bytes further on
/// \param finish   finish(m, n0, columns, sums) writes row m of Y from column n0 on
template <class Kernel, class T, class Finish>
void multiply(const Tiles<typename Kernel::Word>& x, const Panels<T>& W, ThreadPool& threads,
              const Finish& finish) {
  constexpr std::int64_t kStepBytes =
      kPanelColumns * kPanelRun<T> * static_cast<std::int64_t>(sizeof(T));
  static_assert(kStreams * Kernel::kMaxRows <= kBlockRows, "the sums of a task fit its memory");
  const bool once = x.count() == 1;
  const Tasks tasks(x.count(), panel_count(W.N), Kernel::kMaxRows,
                    x.steps() * static_cast<std::int64_t>(sizeof(typename Kernel::Word)));
  threads.run(tasks.count(), [&](std::int64_t task) {
    alignas(64) typename Kernel::Sum sums[kBlockRows * kPanelColumns] = {};
    const auto block = tasks.block(task, x, sums);
    add_block<Kernel>(x, W, block, (once ? kStreamBytes : kBlockBytes) / kStepBytes,
                      once ? kAhead : kBlockBytes);
    for_rows(block, W.N, finish);
  });
}

}  // namespace qlab::panels
