// SPDX-License-Identifier: Apache-2.0
/// \file
/// The loops of AMX over panels whose words are B as they lie: INT8 and BF16.
#pragma once

#include <algorithm>

#include "common/amx.h"
#include "common/thread_pool.h"

#if QLAB_X86

namespace qlab::amx {

inline constexpr std::int64_t kBlockSteps =
    8;  // of 2 KiB of a panel, which stay in the first cache
inline constexpr std::int64_t kBlockBytes = std::int64_t{1} << 20;  // of X in the second cache
inline constexpr std::int64_t kBlockTiles = 4;   // of X between two epilogues: 16 KiB of sums
inline constexpr std::int64_t kStreams = 4;      // panels that take turns where W is read once,
inline constexpr std::int64_t kStreamSteps = 4;  // by so many steps

/// Fetches 2 KiB of a panel.
inline void fetch_step(const void* step) {
  for (std::int64_t line = 0; line < 2 * kTile; line += 64) {
    __builtin_prefetch(static_cast<const char*>(step) + line);
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
/// the next panel. Where `fetch`, a panel's next step is fetched meanwhile.
template <class Products, class T, class Sum>
void add_block(Rows& x, const Panels<T>& W, const Block<Sum>& block, std::int64_t steps_at_once,
               bool fetch) {
  const std::int64_t steps = W.padded_k() / kPanelDepth<T>;
  int shape = 0;
  for (std::int64_t s0 = 0; s0 < steps; s0 += steps_at_once) {
    const std::int64_t s_end = std::min(s0 + steps_at_once, steps);
    for (std::int64_t p = block.p0; p < block.p_end; ++p) {
      for (std::int64_t t = block.t0; t < block.t_end; ++t) {
        if (x.rows(t) != shape) configure(shape = x.rows(t));
        const Sums in_memory{shape, block.of(p, x.first(t))};
        s0 == 0 ? in_memory.zero() : in_memory.load();
        for (std::int64_t s = s0; s < s_end; ++s) {
          if (fetch) fetch_step(W.at(p, (s + 1) * kPanelDepth<T>));
          add_step<Products>(shape, x.step(t, s), W.at(p, s * kPanelDepth<T>));
        }
        in_memory.store();
      }
    }
  }
  release();
}

/// Y = X · Wᵀ. For several tiles of X a task is a panel and as many tiles as the second cache holds
/// beside it; the panels of the same tiles follow each other, each cut along K into blocks that stay in
/// the first cache while all tiles meet them. A single tile reads W from memory once, and a task is
/// kStreams panels that take turns: memory answers several streams sooner than one.
///
/// \param finish  finish(m, n0, columns, sums) writes row m of Y from column n0 on
template <class Products, class Sum, class T, class Finish>
void multiply(Rows& x, const Panels<T>& W, ThreadPool& threads, const Finish& finish) {
  const bool once = x.count() == 1;
  const std::int64_t tile_bytes = kRows * W.padded_k() * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t tiles_together =
      std::clamp<std::int64_t>(kBlockBytes / std::max<std::int64_t>(tile_bytes, 1), 1, kBlockTiles);
  const std::int64_t panels_together = once ? kStreams : 1;
  const std::int64_t panels = panel_count(W.N);
  const std::int64_t tasks = (panels + panels_together - 1) / panels_together;
  static_assert(kStreams <= kBlockTiles, "the sums of a task fit its memory");
  threads.run((x.count() + tiles_together - 1) / tiles_together * tasks, [&](std::int64_t task) {
    alignas(64) Sum sums[kBlockTiles * kRows * kPanelColumns] = {};
    const std::int64_t p0 = task % tasks * panels_together;
    const std::int64_t t0 = task / tasks * tiles_together;
    const std::int64_t t_end = std::min(t0 + tiles_together, x.count());
    const std::int64_t m0 = x.first(t0), m_end = x.first(t_end);
    const Block<Sum> block{.p0 = p0,
                           .p_end = std::min(p0 + panels_together, panels),
                           .t0 = t0,
                           .t_end = t_end,
                           .m0 = m0,
                           .rows = m_end - m0,
                           .sums = sums};
    add_block<Products>(x, W, block, once ? kStreamSteps : kBlockSteps, once);
    for (std::int64_t p = block.p0; p < block.p_end; ++p) {
      const std::int64_t n0 = p * kPanelColumns;
      for (std::int64_t m = m0; m < m_end; ++m) {
        finish(m, n0, std::min(kPanelColumns, W.N - n0), block.of(p, m));
      }
    }
  });
}

}  // namespace qlab::amx

#endif  // QLAB_X86
