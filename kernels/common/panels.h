// SPDX-License-Identifier: Apache-2.0
/// \file
/// Panels: weights reordered once, so that a kernel reads them as one stream of whole registers.
///
/// Bottleneck   none: packing is done once, when a layer is loaded
/// Bytes moved  N·K elements read and written once; a call then reads them in the order they lie
/// FLOPs        none
/// Teaches      32 output channels side by side: their sums stand in lanes and never meet each other
/// Leaves out   4-bit weights, whose groups carry scales (int4_panels)
///
/// A panel is 32 rows of W, so 32 columns of Y. As many k of one row as fill 32 bits lie together, for
/// these the processor multiplies and adds in one lane: four of INT8, two of BF16. FP16 has no such
/// instruction with FP32 sums, so its k lie alone, 32 columns wide:
///
///     INT8   word 0: row 0 k…k+3 | row 1 k…k+3 | … | row 31 k…k+3    word 1: k+4 …
///     BF16   word 0: row 0 k k+1 | row 1 k k+1 | … | row 31 k k+1    word 1: k+2 …
///     FP16           row 0 k     | row 1 k     | … | row 31 k                k+1 …
///
/// K is padded with zeros to 64 bytes of a row, N to a whole panel.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/contract.h"
#include "common/formats.h"
#include "common/matrix.h"

namespace qlab {

inline constexpr std::int64_t kPanelColumns = 32;  // rows of W in a panel

/// How many panels N rows take.
constexpr std::int64_t panel_count(std::int64_t N) {
  return N / kPanelColumns + (N % kPanelColumns != 0 ? 1 : 0);
}

/// How many k of one row lie together in a panel of T.
template <class T>
inline constexpr std::int64_t kPanelRun = 4 / static_cast<std::int64_t>(sizeof(T));
template <>
inline constexpr std::int64_t kPanelRun<half_t> = 1;

/// What K is padded to a multiple of: 64 bytes of a row are the side of a tile of AMX.
template <class T>
inline constexpr std::int64_t kPanelDepth = 64 / static_cast<std::int64_t>(sizeof(T));

/// A view of packed weights [N, K].
template <class T>
struct Panels {
  std::int64_t N, K;
  MatrixView<const T> panels;  // [⌈N / 32⌉, padded_k() · 32]  as above

  /// K with its padding.
  std::int64_t padded_k() const { return panels.cols() / kPanelColumns; }
  /// Where the columns k on of a panel start; k a multiple of kPanelRun.
  const T* at(std::int64_t panel, std::int64_t k) const {
    return panels.row(panel) + k * kPanelColumns;
  }
  /// The first `rows` rows of W; a multiple of kPanelColumns, or all.
  Panels first(std::int64_t rows) const {
    return {rows, K, panels.rows_from(0, panel_count(rows))};
  }
  /// The weight in row n, column k.
  T weight(std::int64_t n, std::int64_t k) const {
    constexpr std::int64_t kRun = kPanelRun<T>;
    return at(n / kPanelColumns, k / kRun * kRun)[n % kPanelColumns * kRun + k % kRun];
  }
};

/// The same, with its memory.
template <class T>
struct PanelMatrix {
  /// Zeros. \throws ContractError for a side under 0.
  PanelMatrix(std::int64_t rows, std::int64_t cols)
      : N(rows),
        K(cols),
        panels(panel_count(rows),
               (cols + kPanelDepth<T> - 1) / kPanelDepth<T> * kPanelDepth<T> * kPanelColumns) {}
  /// Its parts, for as long as this lives.
  Panels<T> view() const { return {N, K, panels.view()}; }
  /// Bytes stored, with the padding.
  std::int64_t bytes() const { return static_cast<std::int64_t>(panels.bytes()); }

  std::int64_t N, K;
  Matrix<T> panels;
};

/// Reorders W [N, K]; nothing is rounded.
template <class T>
PanelMatrix<T> pack_panels(MatrixView<const T> W) {
  constexpr std::int64_t kRun = kPanelRun<T>;
  PanelMatrix<T> packed(W.rows(), W.cols());
  for (std::int64_t n = 0; n < W.rows(); ++n) {
    T* column = packed.panels.view().row(n / kPanelColumns) + n % kPanelColumns * kRun;
    for (std::int64_t k = 0; k < W.cols(); k += kRun) {
      std::copy_n(W.row(n) + k, std::min(kRun, W.cols() - k), column + k * kPanelColumns);
    }
  }
  return packed;
}

}  // namespace qlab
