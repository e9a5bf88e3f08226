// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the vector rungs of w4a16_panel_gemm share: X widened into tiles whose groups are padded as
/// those of W are, and the loops over panels, groups and tiles.
#pragma once

#include <algorithm>
#include <cstdint>

#include "03_int4_weight_only/int4_panels.h"
#include "common/panel_kernel_avx2.h"
#include "common/panel_tiles.h"

#if QLAB_X86

namespace qlab::w4a16 {

inline constexpr std::int64_t kWideChunks = 16;  // dequantized at a time: 16 KiB of floats

/// One group of a panel of W.
struct Group {
  const std::uint8_t* codes;        // [chunks, 128 bytes]
  std::int64_t chunks;              // of 8 k
  const std::uint8_t* scales;       // [32] FP16
  const std::uint8_t* zero_points;  // [32]
};

/// Columns of x that groups of `length` columns take, padded to whole chunks.
inline std::int64_t padded(std::int64_t length) { return int4_chunks(length) * kChunkK; }

/// The totals of a block: all groups, each of the panels in turn. Where a group meets several tiles it is
/// dequantized once for all of them, some k at a time, into the first cache.
template <class Kernel>
void add_groups(const panels::Tiles<float>& x, const Int4Panels& W,
                const panels::Block<float>& block, std::int64_t stride) {
  alignas(64) float wide[kWideChunks * kChunkK * kPanelColumns];
  std::fill_n(block.sums, (block.p_end - block.p0) * block.rows * kPanelColumns, 0.0F);
  for (std::int64_t g = 0; g < W.groups(); ++g) {
    for (std::int64_t p = block.p0; p < block.p_end; ++p) {
      Group group = {.codes = W.codes(p, g),
                     .chunks = int4_chunks(W.group_length(g)),
                     .scales = W.scales(p, g),
                     .zero_points = W.zero_points(p, g)};
      if (block.t_end - block.t0 == 1) {
        panels::with_rows<Kernel::kMaxRows>(x.rows(block.t0), [&](auto rows) {
          Kernel::template add_group<rows()>(x.words(block.t0, g * stride), group,
                                             block.of(p, block.m0));
        });
        continue;
      }
      for (std::int64_t k = g * stride; group.chunks > 0; k += kWideChunks * kChunkK) {
        const std::int64_t chunks = std::min(group.chunks, kWideChunks);
        Kernel::dequantize(group, chunks, wide);
        for (std::int64_t t = block.t0; t < block.t_end; ++t) {
          panels::with_rows<Kernel::kMaxRows>(x.rows(t), [&](auto rows) {
            Kernel::template add_wide<rows()>(x.words(t, k), wide, chunks * kChunkK,
                                              block.of(p, x.first(t)));
          });
        }
        group.codes += chunks * kChunkBytes;
        group.chunks -= chunks;
      }
    }
  }
}

/// Y for a kernel with kMaxRows, add_group<R>(x, group, totals), dequantize(group, chunks, wide) and
/// add_wide<R>(x, wide, count, totals): totals [R, 32] += x · weights.
/// For several tiles a task is a panel, whose groups stay in the first cache while all tiles meet them.
/// A single tile reads W once, and a task is a few panels that take turns, group by group.
template <class Kernel>
void multiply(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
              ThreadPool& threads) {
  const std::int64_t stride = padded(std::min(W.group_size, W.K));  // of a group in x
  const std::int64_t last = W.groups() == 0 ? 0 : padded(W.group_length(W.groups() - 1));
  const std::int64_t steps = W.groups() == 0 ? 0 : (W.groups() - 1) * stride + last;
  panels::Tiles<float> x(threads, X.rows(), steps, Kernel::kMaxRows);
  x.fill(threads, [&](std::int64_t m, float* to, std::int64_t row_stride) {
    for (std::int64_t g = 0; g < W.groups(); ++g, to += stride * row_stride) {
      const std::int64_t length = W.group_length(g);
      panels_avx2::widen_row<1>(X.row(m) + g * W.group_size, length, to, row_stride);
      for (std::int64_t i = length; i < padded(length); ++i) to[i * row_stride] = 0;
    }
  });
  const panels::Tasks tasks(x.count(), panel_count(W.N), Kernel::kMaxRows,
                            steps * static_cast<std::int64_t>(sizeof(float)));
  threads.run(tasks.count(), [&](std::int64_t task) {
    alignas(64) float totals[panels::kBlockRows * kPanelColumns];
    const auto block = tasks.block(task, x, totals);
    add_groups<Kernel>(x, W, block, stride);
    panels::for_rows(block, W.N,
                     [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* row) {
                       std::copy_n(row, columns, Y.row(m) + n0);
                     });
  });
}

}  // namespace qlab::w4a16

#endif
