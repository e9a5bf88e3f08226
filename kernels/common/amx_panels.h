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
inline constexpr std::int64_t kBlockTiles = 4;  // of X between two epilogues: 16 KiB of sums

/// The sums of tiles [t0, t_end) of X with a panel. A single tile reads it from end to end, its sums
/// in tiles; for several it is cut along K into blocks, which stay in the first cache while all tiles
/// meet them.
template <class Products, class Sum, class T>
void multiply_panel(Rows& x, std::int64_t t0, std::int64_t t_end, const Panels<T>& W,
                    std::int64_t panel, Sum* sums) {
  const std::int64_t steps = W.padded_k() / kPanelDepth<T>;
  const std::int64_t block = t_end - t0 == 1 ? steps : kBlockSteps;
  int shape = 0;
  for (std::int64_t s0 = 0; s0 < steps; s0 += block) {
    const std::int64_t s_end = std::min(s0 + block, steps);
    for (std::int64_t t = t0; t < t_end; ++t) {
      if (x.rows(t) != shape) configure(shape = x.rows(t));
      const Sums in_memory{shape, sums + (x.first(t) - x.first(t0)) * kPanelColumns};
      s0 == 0 ? in_memory.zero() : in_memory.load();
      for (std::int64_t s = s0; s < s_end; ++s) {
        add_step<Products>(shape, x.step(t, s), W.at(panel, s * kPanelDepth<T>));
      }
      in_memory.store();
    }
  }
  release();
}

/// Y = X · Wᵀ. A task is a panel and as many tiles of X as the second cache holds beside it; the panels
/// of the same tiles follow each other.
///
/// \param finish  finish(m, n0, columns, sums) writes row m of Y from column n0 on
template <class Products, class Sum, class T, class Finish>
void multiply(Rows& x, const Panels<T>& W, ThreadPool& threads, const Finish& finish) {
  const std::int64_t tile_bytes = kRows * W.padded_k() * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t together =
      std::clamp<std::int64_t>(kBlockBytes / std::max<std::int64_t>(tile_bytes, 1), 1, kBlockTiles);
  const std::int64_t panels = panel_count(W.N);
  threads.run((x.count() + together - 1) / together * panels, [&](std::int64_t task) {
    alignas(64) Sum sums[kBlockTiles * kRows * kPanelColumns] = {};
    const std::int64_t panel = task % panels;
    const std::int64_t n0 = panel * kPanelColumns;
    const std::int64_t t0 = task / panels * together;
    const std::int64_t t_end = std::min(t0 + together, x.count());
    multiply_panel<Products>(x, t0, t_end, W, panel, sums);
    for (std::int64_t m = x.first(t0); m < x.first(t_end); ++m) {
      finish(m, n0, std::min(kPanelColumns, W.N - n0), sums + (m - x.first(t0)) * kPanelColumns);
    }
  });
}

}  // namespace qlab::amx

#endif  // QLAB_X86
