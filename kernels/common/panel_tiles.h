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

  /// Copies the rows: word(m, s) is word s of row m.
  template <class WordOf>
  void fill(ThreadPool& threads, const WordOf& word) {
    threads.run(count_, [&](std::int64_t t) {
      Word* to = words_ + first(t) * steps_;
      for (int r = 0; r < rows(t); ++r) {
        for (std::int64_t s = 0; s < steps_; ++s) to[s * rows(t) + r] = word(first(t) + r, s);
      }
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
/// the next panel. W is fetched `ahead` bytes ahead by the first tile that meets it.
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
                                       t == block.t0 ? ahead : 0, s == 0, block.of(p, x.first(t)));
        });
      }
    }
  }
}

/// Y from tiles that are filled. For several tiles a task is a panel, cut along K into blocks that stay
/// in the first cache while all tiles meet them; the next block is fetched meanwhile. A single tile
/// reads W from memory once, and a task is kStreams panels that take turns: memory answers several
/// streams sooner than one.
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
  const std::int64_t panels = panel_count(W.N), together = once ? kStreams : 1;
  const std::int64_t steps_at_once = (once ? kStreamBytes : kBlockBytes) / kStepBytes;
  threads.run((panels + together - 1) / together, [&](std::int64_t task) {
    alignas(64) typename Kernel::Sum sums[kBlockRows * kPanelColumns] = {};
    const std::int64_t tiles_together = kBlockRows / Kernel::kMaxRows;
    for (std::int64_t t0 = 0; t0 < x.count(); t0 += tiles_together) {
      const std::int64_t t_end = std::min(t0 + tiles_together, x.count());
      const std::int64_t m0 = x.first(t0), m_end = x.first(t_end);
      const Block<typename Kernel::Sum> block{.p0 = task * together,
                                              .p_end = std::min((task + 1) * together, panels),
                                              .t0 = t0,
                                              .t_end = t_end,
                                              .m0 = m0,
                                              .rows = m_end - m0,
                                              .sums = sums};
      add_block<Kernel>(x, W, block, steps_at_once, once ? kAhead : kBlockBytes);
      for (std::int64_t p = block.p0; p < block.p_end; ++p) {
        const std::int64_t n0 = p * kPanelColumns;
        for (std::int64_t m = m0; m < m_end; ++m) {
          finish(m, n0, std::min(kPanelColumns, W.N - n0), block.of(p, m));
        }
      }
    }
  });
}

}  // namespace qlab::panels
