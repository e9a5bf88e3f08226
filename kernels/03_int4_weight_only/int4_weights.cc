// SPDX-License-Identifier: Apache-2.0
/// \file
/// Int4Weights: the checks of its shapes, its memory, and rounding to nearest.
#include "03_int4_weight_only/int4_weights.h"

#include <algorithm>
#include <cmath>

namespace qlab {
namespace {

/// Refuses sizes before anything is divided by group_size.
std::int64_t checked_group_size(const char* operation, std::int64_t K, std::int64_t group_size) {
  QLAB_CHECK(K >= 0, operation, ": K is ", K, "; a row cannot have a negative length");
  QLAB_CHECK(group_size >= 1, operation, ": group_size is ", group_size,
             "; choose 1 or more, for example 128");
  return group_size;
}

/// The scale of one group, and the code that stands for 0.
struct GroupParameters {
  half_t scale;
  float zero_point;  // a whole number, 0 … kInt4Max
};

GroupParameters group_parameters(std::span<const float> group, std::int64_t n, std::int64_t g) {
  // 0 belongs to the range even if no weight is near it: pruned and padded weights must come back
  // as exactly 0, and a zero_point outside 0 … kInt4Max would not fit in 4 bits.
  float low = 0;
  float high = 0;
  for (const float w : group) {
    low = std::min(low, w);
    high = std::max(high, w);
  }
  if (low == high) return {.scale = from_float<half_t>(1), .zero_point = 0};

  const half_t scale = from_float<half_t>((high - low) / kInt4Max);
  const float stored = to_float(scale);
  QLAB_CHECK(stored > 0, "quantize_int4_rtn: the range ", low, " … ", high, " of group ", g,
             " of row ", n, " is too narrow: its scale rounds to 0 in FP16; scale the weights up");
  QLAB_CHECK(std::isfinite(stored), "quantize_int4_rtn: the range ", low, " … ", high, " of group ",
             g, " of row ", n, " is too wide: its scale overflows FP16; scale the weights down");
  const float steps = std::nearbyint(-low / stored);
  return {.scale = scale, .zero_point = std::min(steps, float{kInt4Max})};
}

/// Rounds one group and packs its codes.
void quantize_group(MatrixView<const float> weight, std::int64_t n, std::int64_t g,
                    Int4Matrix& out) {
  const std::int64_t first = g * out.group_size;
  const std::int64_t count = std::min(out.group_size, out.K - first);
  const GroupParameters group = group_parameters(weight.row(n, first, count), n, g);
  const float scale = to_float(group.scale);
  for (std::int64_t k = first; k < first + count; ++k) {
    // The clamp comes before the cast: a scale that FP16 rounded down, by much if it is subnormal,
    // puts the ends of the range outside the codes.
    const float steps = std::nearbyint(weight(n, k) / scale) + group.zero_point;
    const int code = static_cast<int>(std::clamp(steps, 0.0F, float{kInt4Max}));
    out.qweight(n, k / 2) |= static_cast<std::uint8_t>(code << (k % 2 * 4));
  }
  out.scale(n, g) = group.scale;
  out.zero_point(n, g) = static_cast<std::uint8_t>(group.zero_point);
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
