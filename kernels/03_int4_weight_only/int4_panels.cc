// SPDX-License-Identifier: Apache-2.0
/// \file
/// Int4Panels: the checks of its shapes, its memory, and the reordering.
#include "03_int4_weight_only/int4_panels.h"

namespace qlab {
namespace {

/// Refuses sizes before anything is divided by group_size.
std::int64_t checked_group_size(const char* operation, std::int64_t N, std::int64_t K,
                                std::int64_t group_size) {
  QLAB_CHECK(N >= 0 && K >= 0, operation, ": W is [", N, ", ", K,
             "]; a matrix cannot have a negative side");
  QLAB_CHECK(group_size >= 1, operation, ": group_size is ", group_size,
             "; choose 1 or more, for example 128");
  return group_size;
}

/// Row n of the packed weights.
void pack_row(const Int4Weights& W, std::int64_t n, Int4PanelMatrix& out) {
  const std::int64_t column = n % kPanelColumns;
  std::uint8_t* group = out.panels.view().row(n / kPanelColumns);
  for (std::int64_t g = 0; g < int4_groups(W.K, W.group_size); ++g) {
    const std::int64_t first = g * W.group_size;
    const std::int64_t length = std::min(W.group_size, W.K - first);
    for (std::int64_t i = 0; i < length; ++i) {
      group[i / kChunkK * kChunkBytes + column * 4 + i % 4] |=
          static_cast<std::uint8_t>(W.code(n, first + i) << (i % kChunkK / 4 * 4));
    }
    std::uint8_t* scales = group + int4_chunks(length) * kChunkBytes;
    std::memcpy(scales + column * 2, &W.scale(n, g), sizeof(half_t));
    QLAB_CHECK(W.zero_point(n, g) <= kInt4Max, "pack_panels: zero_point[", n, ", ", g,
               "] = ", int{W.zero_point(n, g)}, " is no code; choose one from 0 to ", kInt4Max);
    scales[kPanelScaleBytes + column] = W.zero_point(n, g);
    group += int4_group_bytes(length);
  }
}

}  // namespace

void check_int4_panels(const char* operation, const Int4Panels& W) {
  checked_group_size(operation, W.N, W.K, W.group_size);
  check_shape(operation, "panels", W.panels, panel_count(W.N), int4_panel_bytes(W.K, W.group_size));
}

Int4PanelMatrix::Int4PanelMatrix(std::int64_t N_, std::int64_t K_, std::int64_t group_size_)
    : N(N_),
      K(K_),
      group_size(checked_group_size("Int4PanelMatrix", N_, K_, group_size_)),
      panels(panel_count(N), int4_panel_bytes(K, group_size)) {}

Int4Panels Int4PanelMatrix::view() const {
  return {.N = N, .K = K, .group_size = group_size, .panels = panels.view()};
}

Int4PanelMatrix pack_panels(const Int4Weights& W) {
  check_int4_weights("pack_panels", W);
  Int4PanelMatrix out(W.N(), W.K, W.group_size);
  for (std::int64_t n = 0; n < W.N(); ++n) pack_row(W, n, out);
  return out;
}

}  // namespace qlab
