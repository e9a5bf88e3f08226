// SPDX-License-Identifier: Apache-2.0
/// \file
/// Int4Grid: the sixteen values that the codes of a group stand for, as quantize_int4_rtn and gptq
/// both choose them. Not for callers: include int4_weights.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include "03_int4_weight_only/int4_weights.h"
#include "common/contract.h"
#include "common/formats.h"

namespace qlab {

/// What a group's codes must span. 0 belongs to it even if no weight is near it: pruned and padded
/// weights must come back as exactly 0, and a zero_point outside 0 … kInt4Max would not fit in 4
/// bits.
struct Int4Extent {
  /// The smallest and the largest of `group` [any], and 0.
  explicit Int4Extent(std::span<const float> group) {
    for (const float w : group) {
      low = std::min(low, w);
      high = std::max(high, w);
    }
  }

  /// As it is stored: 0 when the range is too narrow for FP16, infinity when it is too wide.
  half_t scale() const { return from_float<half_t>(low == high ? 1 : (high - low) / kInt4Max); }

  float low = 0, high = 0;
};

/// Refuses a scale that is no number above 0; the sentence names group g of row n.
inline void check_int4_scale(std::string_view operation, const Int4Extent& range, std::int64_t n,
                             std::int64_t g) {
  const float stored = to_float(range.scale());
  QLAB_CHECK(stored > 0, operation, ": the range ", range.low, " … ", range.high, " of group ", g,
             " of row ", n, " is too narrow: its scale rounds to 0 in FP16; scale the weights up");
  QLAB_CHECK(std::isfinite(stored), operation, ": the range ", range.low, " … ", range.high,
             " of group ", g, " of row ", n,
             " is too wide: its scale overflows FP16; scale the weights down");
}

/// The steps of a group: its scale as stored, and the code of 0.
struct Int4Grid {
  half_t scale;      // > 0
  float zero_point;  // a whole number, 0 … kInt4Max

  /// The grid of a range whose scale is a number above 0.
  static Int4Grid of(const Int4Extent& range, half_t scale) {
    const float steps = std::nearbyint(-range.low / to_float(scale));
    return {.scale = scale, .zero_point = std::min(steps, float{kInt4Max})};
  }

  /// The nearest code of a weight, ties to even.
  int code(float weight) const {
    // The clamp comes before the cast: a scale that FP16 rounded down, by much if it is subnormal,
    // puts the ends of the range outside the codes.
    const float steps = std::nearbyint(weight / to_float(scale)) + zero_point;
    return static_cast<int>(std::clamp(steps, 0.0F, float{kInt4Max}));
  }

  /// What a code stands for: 5 bits times 11, exact.
  float real(int code) const { return to_float(scale) * (static_cast<float>(code) - zero_point); }
};

}  // namespace qlab
