// SPDX-License-Identifier: Apache-2.0
/// \file
/// granularity: a scale a token, a scale a group, and a dot of which some scales cannot leave the sum.
///
/// Bottleneck   the float multiply-add and the new loop that every group costs
/// Teaches      the grain is which values one search covers; an integer sum ends where a scale changes
/// Leaves out   SIMD (w8a8_gemm, w4a16_gemm); groups of activations, scales in FP16
#include "02_int8_calibration/granularity.h"

#include <algorithm>
#include <cmath>

#include "02_int8_calibration/quantize_rows.h"

namespace qlab::exercise {
namespace {

/// The scale that these values share.
float scale_of(std::span<const float> x) {
  float absmax = 0;
  for (const float value : x) absmax = std::max(absmax, std::fabs(value));
  return int8_scale(absmax);
}

void check_finite(const char* operation, MatrixView<const float> x) {
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      QLAB_CHECK(std::isfinite(x(r, k)), operation, ": x[", r, ", ", k, "] is ", x(r, k),
                 "; a scale needs finite values");
    }
  }
}

void check_group_size(const char* operation, std::int64_t group_size) {
  QLAB_CHECK(group_size >= 1, operation, ": group_size is ", group_size,
             "; a group holds one element at least");
}

}  // namespace

void token_scales(MatrixView<const float> x,  // [rows, K]
                  std::span<float> scale) {   // [rows]
  QLAB_CHECK(static_cast<std::int64_t>(scale.size()) == x.rows(), "token_scales: ", scale.size(),
             " scales for ", x.rows(), " rows; there must be one a row");
  check_finite("token_scales", x);
  // BEGIN SOLUTION [granularity_tokens] Give every token its own scale
  // Write scale[r], the scale of all values of row r. scale_of() finds the scale that some values
  // share, and x.row(r, first, count) is that stretch of row r.

  // A row at a time: a token's codes must not depend on who else is in the batch.
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    scale[static_cast<std::size_t>(r)] = scale_of(x.row(r, 0, x.cols()));
  }
  // END SOLUTION [granularity_tokens]
}

void group_scales(MatrixView<const float> x,  // [rows, K]
                  std::int64_t group_size,
                  MatrixView<float> scale) {  // [rows, groups], the last group may be shorter
  check_group_size("group_scales", group_size);
  check_shape("group_scales", "scale", scale, x.rows(), group_count(x.cols(), group_size));
  check_finite("group_scales", x);
  // BEGIN SOLUTION [granularity_groups] Give every group of a row its own scale
  // Write scale(r, g) for the group of columns from g * group_size on, group_size of them or as many
  // as are left.

  // scale.cols() counts the short group as well; K / group_size would lose it when K is no multiple.
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t g = 0; g < scale.cols(); ++g) {
      const std::int64_t first = g * group_size;
      const std::int64_t count = std::min(group_size, x.cols() - first);
      scale(r, g) = scale_of(x.row(r, first, count));
    }
  }
  // END SOLUTION [granularity_groups]
}

float group_dot(std::span<const std::int8_t> x, float x_scale,  // [K]
                std::span<const std::int8_t> w,                 // [K]
                std::span<const float> w_scale,                 // [groups]
                std::int64_t group_size) {
  check_group_size("group_dot", group_size);
  QLAB_CHECK(x.size() == w.size(), "group_dot: x has ", x.size(), " codes and w has ", w.size(),
             "; they must be equally long");
  const auto K = static_cast<std::int64_t>(x.size());
  const std::int64_t groups = group_count(K, group_size);
  QLAB_CHECK(static_cast<std::int64_t>(w_scale.size()) == groups, "group_dot: ", w_scale.size(),
             " scales for ", groups, " groups; there must be one a group");
  QLAB_CHECK(std::min(K, group_size) <= kMostInt8Products, "group_dot: a group of ",
             std::min(K, group_size), " products may overflow an int32; take groups of ",
             kMostInt8Products, " at most");
  float y = 0;
  // BEGIN SOLUTION [granularity_dot] Sum integers within groups, and floats across them
  // Set `y` to the dot product of the values. Within a group sum the products of codes in an int32;
  // then its scale is used, once. How often is x_scale needed?

  // A scale can leave a sum only if it is the same for every term. x_scale is that for all of K,
  // w_scale[g] within its group alone: where it changes, the integer sum has to end.
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t first = g * group_size;
    const std::int64_t last = first + std::min(group_size, K - first);
    std::int32_t sum = 0;
    for (std::int64_t k = first; k < last; ++k) {
      sum += x[static_cast<std::size_t>(k)] * w[static_cast<std::size_t>(k)];
    }
    y += w_scale[static_cast<std::size_t>(g)] * static_cast<float>(sum);
  }
  y *= x_scale;
  // END SOLUTION [granularity_dot]
  return y;
}

}  // namespace qlab::exercise
