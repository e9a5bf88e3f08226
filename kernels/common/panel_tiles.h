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
inline constexpr std::int64_t kAhead = 4096;  // bytes of W fetched ahead when they are read once

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

/// Y from tiles that are filled. A task is a panel. A single tile reads it from memory once, from end
/// to end; for several it is cut along K into blocks that stay in the first cache while all tiles
/// meet them, and fetches the next block meanwhile.
///
/// \tparam Kernel  Word, Sum, kMaxRows, and add<R>(x, w, steps, ahead, first, sums): sums [R, 32] of
///                 the steps, from 0 where `first`, while W is fetched `ahead` bytes further on
/// \param finish   finish(m, n0, columns, sums) writes row m of Y from column n0 on
template <class Kernel, class T, class Finish>
void multiply(const Tiles<typename Kernel::Word>& x, const Panels<T>& W, std::int64_t M,
              ThreadPool& threads, const Finish& finish) {
  constexpr std::int64_t kStepElements = kPanelColumns * kPanelRun<T>;
  constexpr std::int64_t kStepBytes = kStepElements * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t block = x.count() == 1 ? x.steps() : kBlockBytes / kStepBytes;
  threads.run(panel_count(W.N), [&](std::int64_t panel) {
    alignas(64) typename Kernel::Sum sums[kBlockRows * kPanelColumns];
    const std::int64_t n0 = panel * kPanelColumns;
    const std::int64_t tiles_together = kBlockRows / Kernel::kMaxRows;
    for (std::int64_t t0 = 0; t0 < x.count(); t0 += tiles_together) {
      const std::int64_t t_end = std::min(t0 + tiles_together, x.count());
      const std::int64_t m0 = x.first(t0);
      const std::int64_t m_end = x.first(t_end);
      for (std::int64_t s = 0; s < x.steps(); s += block) {
        const std::int64_t steps = std::min(block, x.steps() - s);
        for (std::int64_t t = t0; t < t_end; ++t) {
          const std::int64_t ahead = x.count() == 1 ? kAhead : t == t0 ? steps * kStepBytes : 0;
          with_rows<Kernel::kMaxRows>(x.rows(t), [&](auto rows) {
            Kernel::template add<rows()>(x.words(t, s), W.at(panel, s * kPanelRun<T>), steps, ahead,
                                         s == 0, sums + (x.first(t) - m0) * kPanelColumns);
          });
        }
      }
      for (std::int64_t m = m0; m < m_end; ++m) {
        finish(m, n0, std::min(kPanelColumns, W.N - n0), sums + (m - m0) * kPanelColumns);
      }
    }
  });
  if (x.steps() == 0) {  // no k: sums were never begun
    for (std::int64_t m = 0; m < M; ++m) {
      typename Kernel::Sum zeros[kPanelColumns] = {};
      for (std::int64_t n = 0; n < W.N; n += kPanelColumns) {
        finish(m, n, std::min(kPanelColumns, W.N - n), zeros);
      }
    }
  }
}

}  // namespace qlab::panels
