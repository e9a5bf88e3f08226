// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the vector rungs of w4a16_panel_gemm share: X widened into tiles whose groups are padded as
/// those of W are, and the loops over panels, groups and tiles.
#pragma once

#include <algorithm>
#include <cstdint>

#include "03_int4_weight_only/int4_panels.h"
#include "common/panel_tiles.h"

namespace qlab::w4a16 {

/// One group of a panel of W.
struct Group {
  const std::uint8_t* codes;        // [chunks, 128 bytes]
  std::int64_t chunks;              // of 8 k
  const std::uint8_t* scales;       // [32] FP16
  const std::uint8_t* zero_points;  // [32]
};

/// Columns of x that groups of `length` columns take, padded to whole chunks.
inline std::int64_t padded(std::int64_t length) { return int4_chunks(length) * kChunkK; }

/// Y for a kernel with kMaxRows and add_group<R>(x, group, totals): totals [R, 32] += scale · sums.
/// A task is a panel; a group stays in the first cache while all tiles meet it.
template <class Kernel>
void multiply(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
              ThreadPool& threads) {
  const std::int64_t stride = padded(std::min(W.group_size, W.K));  // of a group in x
  const std::int64_t last = W.groups() == 0 ? 0 : padded(W.group_length(W.groups() - 1));
  const std::int64_t steps = W.groups() == 0 ? 0 : (W.groups() - 1) * stride + last;
  panels::Tiles<float> x(threads, X.rows(), steps, Kernel::kMaxRows);
  x.fill(threads, [&](std::int64_t m, std::int64_t s) {
    const std::int64_t g = s / stride, i = s % stride;
    return i < W.group_length(g) ? to_float(X(m, g * W.group_size + i)) : 0.0F;
  });
  threads.run(panel_count(W.N), [&](std::int64_t panel) {
    alignas(64) float totals[panels::kBlockRows * kPanelColumns];
    const std::int64_t n0 = panel * kPanelColumns;
    const std::int64_t together = panels::kBlockRows / Kernel::kMaxRows;
    for (std::int64_t t0 = 0; t0 < x.count(); t0 += together) {
      const std::int64_t t_end = std::min(t0 + together, x.count());
      const std::int64_t m0 = x.first(t0), m_end = x.first(t_end);
      std::fill_n(totals, (m_end - m0) * kPanelColumns, 0.0F);
      for (std::int64_t g = 0; g < W.groups(); ++g) {
        const Group group = {.codes = W.codes(panel, g),
                             .chunks = int4_chunks(W.group_length(g)),
                             .scales = W.scales(panel, g),
                             .zero_points = W.zero_points(panel, g)};
        for (std::int64_t t = t0; t < t_end; ++t) {
          panels::with_rows<Kernel::kMaxRows>(x.rows(t), [&](auto rows) {
            Kernel::template add_group<rows()>(x.words(t, g * stride), group,
                                               totals + (x.first(t) - m0) * kPanelColumns);
          });
        }
      }
      for (std::int64_t m = m0; m < m_end; ++m) {
        std::copy_n(totals + (m - m0) * kPanelColumns, std::min(kPanelColumns, W.N - n0),
                    Y.row(m) + n0);
      }
    }
  });
}

}  // namespace qlab::w4a16
