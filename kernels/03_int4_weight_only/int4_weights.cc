// SPDX-License-Identifier: Apache-2.0
/// \file
/// Int4Weights: the checks of its shapes, its memory, and rounding to nearest.
#include "03_int4_weight_only/int4_weights.h"

#include <algorithm>
#include <cmath>

#include "03_int4_weight_only/int4_grid.h"

namespace qlab {
namespace {

/// Refuses sizes before anything is divided by group_size.
std::int64_t checked_group_size(const char* operation, std::int64_t K, std::int64_t group_size) {
  QLAB_CHECK(K >= 0, operation, ": K is ", K, "; a row cannot have a negative length");
  QLAB_CHECK(group_size >= 1, operation, ": group_size is ", group_size,
             "; choose 1 or more, for example 128");
  return group_size;
}

/// Rounds one group and packs its codes.
void quantize_group(MatrixView<const float> weight, std::int64_t n, std::int64_t g,
                    Int4Matrix& out) {
  const std::int64_t first = g * out.group_size;
  const std::int64_t count = std::min(out.group_size, out.K - first);
  const Int4Extent range(weight.row(n, first, count));
  check_int4_scale("quantize_int4_rtn", range, n, g);
  const Int4Grid grid = Int4Grid::of(range, range.scale());
  for (std::int64_t k = first; k < first + count; ++k) {
    out.qweight(n, k / 2) |= static_cast<std::uint8_t>(grid.code(weight(n, k)) << (k % 2 * 4));
  }
  out.scale(n, g) = grid.scale;
  out.zero_point(n, g) = static_cast<std::uint8_t>(grid.zero_point);
}

}  // namespace

void check_int4_weights(const char* operation, const Int4Weights& W) {
  checked_group_size(operation, W.K, W.group_size);
  const std::int64_t groups = int4_groups(W.K, W.group_size);
  check_shape(operation, "qweight", W.qweight, W.N(), W.K / 2 + W.K % 2);
  check_shape(operation, "scale", W.scale, W.N(), groups);
  check_shape(operation, "zero_point", W.zero_point, W.N(), groups);
}

Int4Matrix::Int4Matrix(std::int64_t N, std::int64_t K_, std::int64_t group_size_)
    : K(K_),
      group_size(checked_group_size("Int4Matrix", K_, group_size_)),
      qweight(N, K / 2 + K % 2),
      scale(N, int4_groups(K, group_size)),
      zero_point(N, int4_groups(K, group_size)) {}

Int4Weights Int4Matrix::view() const {
  return {.K = K,
          .group_size = group_size,
          .qweight = qweight.view(),
          .scale = scale.view(),
          .zero_point = zero_point.view()};
}

std::int64_t Int4Matrix::bytes() const {
  return static_cast<std::int64_t>(qweight.bytes() + scale.bytes() + zero_point.bytes());
}

Int4Matrix quantize_int4_rtn(MatrixView<const float> weight, std::int64_t group_size) {
  checked_group_size("quantize_int4_rtn", weight.cols(), group_size);
  Int4Matrix out(weight.rows(), weight.cols(), group_size);
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::int64_t k = 0; k < weight.cols(); ++k) {
      QLAB_CHECK(std::isfinite(weight(n, k)), "quantize_int4_rtn: weight[", n, ", ", k, "] is ",
                 weight(n, k), "; only finite weights have codes");
    }
    for (std::int64_t g = 0; g < int4_groups(out.K, group_size); ++g) {
      quantize_group(weight, n, g, out);
    }
  }
  return out;
}

}  // namespace qlab
