// SPDX-License-Identifier: Apache-2.0
/// \file
/// Int4Panels: 4-bit weights in the order in which w4a8_gemm reads them, and how they get there.
///
/// Bottleneck   none worth naming: it runs once, when the model is loaded
/// Bytes moved  read and written N·⌈K/2⌉ + 3·N·⌈K/group_size⌉, as in Int4Weights; what pads N to a
///              multiple of 32 and each group to a multiple of 8 comes on top
/// FLOPs        none: codes keep their values, scales and zero points their bits
/// Teaches      an order made for the multiply costs nothing a call: no shuffle, one stream
/// Leaves out   the word orders of other engines (pack_int4)
///
/// A panel is 32 rows of W, so 32 columns of Y: one run of memory, in which its groups follow each
/// other. A group is cut into chunks of 8 k; behind them stand its scales and zero points:
///
///     chunk 0 | chunk 1 | … | 32 scales, FP16 | 32 zero points, a byte each
///       128       128             64                      32               bytes
///
/// A chunk, for column n of the panel and k on:
///
///     byte        0     1     2     3 |     4     5     6     7 | … |   124   125   126   127
///     column      n     n     n     n |   n+1   n+1   n+1   n+1 | … |  n+31  n+31  n+31  n+31
///     bits 7-4  k+4   k+5   k+6   k+7 |   k+4   k+5   k+6   k+7 | … |   k+4   k+5   k+6   k+7
///     bits 3-0    k   k+1   k+2   k+3 |     k   k+1   k+2   k+3 | … |     k   k+1   k+2   k+3
///
/// So 64 bytes & 0x0F are four k of 16 columns, one column a 32-bit lane, as vpdpbusd takes them;
/// shifted by 4 first, they are the next four. Scales of their own would be a second stream, that
/// leaves a page every 64 groups: decode read a sixth less a second with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "03_int4_weight_only/int4_weights.h"
#include "common/matrix.h"
#include "common/panels.h"

namespace qlab {

inline constexpr std::int64_t kChunkK = 8;  // k in a chunk
inline constexpr std::int64_t kChunkBytes = kPanelColumns * kChunkK / 2;
inline constexpr std::int64_t kPanelScaleBytes = 2 * kPanelColumns;

/// Chunks that `count` weights of one group take; the last is padded with codes of 0.
constexpr std::int64_t int4_chunks(std::int64_t count) {
  return count / kChunkK + (count % kChunkK != 0 ? 1 : 0);
}

/// Bytes that `count` weights of one group take in each panel; none if there are none.
constexpr std::int64_t int4_group_bytes(std::int64_t count) {
  return count == 0 ? 0 : int4_chunks(count) * kChunkBytes + kPanelScaleBytes + kPanelColumns;
}

/// Bytes of a panel.
constexpr std::int64_t int4_panel_bytes(std::int64_t K, std::int64_t group_size) {
  if (group_size >= K) return int4_group_bytes(K);  // no product that could overflow
  return K / group_size * int4_group_bytes(group_size) + int4_group_bytes(K % group_size);
}

/// A view of packed weights; real = scale * (code - zero_point).
struct Int4Panels {
  std::int64_t N, K, group_size;
  MatrixView<const std::uint8_t> panels;  // [⌈N / 32⌉, int4_panel_bytes]  as above

  /// The first `rows` rows of W; a multiple of kPanelColumns, or all.
  Int4Panels first(std::int64_t rows) const {
    return {rows, K, group_size, panels.rows_from(0, panel_count(rows))};
  }
  /// Groups of a row.
  std::int64_t groups() const { return int4_groups(K, group_size); }
  /// Weights of group g in a row.
  std::int64_t group_length(std::int64_t g) const {
    return std::min(group_size, K - g * group_size);
  }
  /// Where the codes of group g of a panel start, its scales, its zero points.
  const std::uint8_t* codes(std::int64_t panel, std::int64_t g) const {
    return panels.row(panel) + g * int4_group_bytes(std::min(group_size, K));
  }
  /// The scales [kPanelColumns], two bytes each, of a panel's rows in group g.
  const std::uint8_t* scales(std::int64_t panel, std::int64_t g) const {
    return codes(panel, g) + int4_chunks(group_length(g)) * kChunkBytes;
  }
  /// The zero points [kPanelColumns] of a panel's rows in group g.
  const std::uint8_t* zero_points(std::int64_t panel, std::int64_t g) const {
    return scales(panel, g) + kPanelScaleBytes;
  }

  /// The code of row n, column i of group g.
  int code(std::int64_t n, std::int64_t g, std::int64_t i) const {
    const std::uint8_t* chunk = codes(n / kPanelColumns, g) + i / kChunkK * kChunkBytes;
    return (chunk[n % kPanelColumns * 4 + i % 4] >> (i % kChunkK / 4 * 4)) & kInt4Max;
  }
  /// The scale of row n and group g.
  half_t scale(std::int64_t n, std::int64_t g) const {
    half_t value;
    std::memcpy(&value, scales(n / kPanelColumns, g) + n % kPanelColumns * 2, sizeof value);
    return value;
  }
  /// The zero point of row n and group g.
  int zero_point(std::int64_t n, std::int64_t g) const {
    return zero_points(n / kPanelColumns, g)[n % kPanelColumns];
  }
};

/// Refuses a view whose parts do not fit each other.
void check_int4_panels(const char* operation, const Int4Panels& W);

/// The same, with its memory.
struct Int4PanelMatrix {
  /// Memory for [N, K] weights. \throws ContractError for sides or a group_size under 1.
  Int4PanelMatrix(std::int64_t N, std::int64_t K, std::int64_t group_size);
  /// Its parts, for as long as this lives.
  Int4Panels view() const;
  /// Bytes stored: codes, scales and zero points, with their padding.
  std::int64_t bytes() const { return static_cast<std::int64_t>(panels.bytes()); }

  std::int64_t N, K, group_size;
  Matrix<std::uint8_t> panels;
};

/// Reorders W; nothing is rounded.
/// \throws ContractError when the parts of W do not fit each other, or naming the first zero point
///         that is no code: kernels rely on 4 bits.
Int4PanelMatrix pack_panels(const Int4Weights& W);

}  // namespace qlab
