// SPDX-License-Identifier: Apache-2.0
/// \file
/// The loops of AMX over panels whose words are B as they lie: INT8 and BF16.
#pragma once

#include <algorithm>

#include "common/amx.h"
#include "common/thread_pool.h"

#if QLAB_X86

namespace qlab::amx {

inline constexpr std::int64_t kBlockRows = 128;  // of X between two epilogues: 16 KiB of sums
inline constexpr std::int64_t kBlockSteps =
    16;  // of 2 KiB of a panel, which stay in the first cache
inline constexpr std::int64_t kAheadSteps = 4;  // fetched ahead when a panel is read once

/// Fetches the lines of a step of a panel.
inline void fetch_step(const void* step) {
  for (std::int64_t line = 0; line < 2 * kTile; line += 64) {
    __builtin_prefetch(static_cast<const char*>(step) + line);
  }
}

/// Y = X · Wᵀ. A task is a panel. A single tile of X reads it once, from end to end, its sums in tiles;
/// for several it is cut along K into blocks, which stay in the first cache while all tiles meet them.
///
/// \param finish  finish(m, n0, columns, sums) writes row m of Y from column n0 on
template <class Products, class Sum, class T, class Finish>
void multiply(Rows& x, const Panels<T>& W, ThreadPool& threads, const Finish& finish) {
  const std::int64_t steps = W.padded_k() / kPanelDepth<T>;
  const std::int64_t block = x.count() == 1 ? std::max<std::int64_t>(steps, 1) : kBlockSteps;
  threads.run(x.count() == 0 ? 0 : panel_count(W.N), [&](std::int64_t panel) {
    alignas(64) Sum sums[kBlockRows * kPanelColumns] = {};
    const std::int64_t n0 = panel * kPanelColumns;
    const std::int64_t tiles_together = kBlockRows / kRows;
    int shape = 0;
    for (std::int64_t t0 = 0; t0 < x.count(); t0 += tiles_together) {
      const std::int64_t t_end = std::min(t0 + tiles_together, x.count());
      const std::int64_t m0 = x.first(t0);
      const std::int64_t m_end = x.first(t_end);
      for (std::int64_t s0 = 0; s0 < steps; s0 += block) {
        const std::int64_t s_end = std::min(s0 + block, steps);
        for (std::int64_t t = t0; t < t_end; ++t) {
          if (x.rows(t) != shape) configure(shape = x.rows(t));
          const Sums in_memory{shape, sums + (x.first(t) - m0) * kPanelColumns};
          s0 == 0 ? in_memory.zero() : in_memory.load();
          const std::int64_t ahead = x.count() == 1 ? kAheadSteps : t == t0 ? block : 0;
          for (std::int64_t s = s0; s < s_end; ++s) {
            const T* words = W.at(panel, s * kPanelDepth<T>);
            if (ahead != 0) fetch_step(words + ahead * kPanelDepth<T> * kPanelColumns);
            add_step<Products>(shape, x.step(t, s), words);
          }
          in_memory.store();
        }
      }
      for (std::int64_t m = m0; m < m_end; ++m) {
        finish(m, n0, std::min(kPanelColumns, W.N - n0), sums + (m - m0) * kPanelColumns);
      }
    }
    release();
  });
}

}  // namespace qlab::amx

#endif  // QLAB_X86
