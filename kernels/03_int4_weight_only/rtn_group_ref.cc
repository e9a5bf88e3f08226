// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of rtn_group: no clamp and no rounding function, all codes are tried.
#include <cmath>

#include "01_fp16_baseline/half_formats.h"
#include "03_int4_weight_only/rtn_group.h"

namespace qlab {
namespace {

/// Of first … last the number nearest to `steps` + zero; of two equally near, the one at an even
/// distance from zero.
int nearest(double steps, int first, int last, int zero) {
  int best = first;
  for (int code = first + 1; code <= last; ++code) {
    const double error = std::fabs(steps - (code - zero));
    const double best_error = std::fabs(steps - (best - zero));
    if (error < best_error || (error == best_error && (code - zero) % 2 == 0)) best = code;
  }
  return best;
}

}  // namespace

void rtn_group_ref(MatrixView<const float> weight, std::int64_t group_size, Int4Range range,
                   GroupQuantized out) {
  const bool symmetric = range == Int4Range::kSymmetric;
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::int64_t k = 0; k < weight.cols(); ++k) {
      const std::int64_t g = k / group_size;
      double low = 0, high = 0, absmax = 0;
      for (std::int64_t j = 0; j < weight.cols(); ++j) {
        if (j / group_size != g) continue;
        low = std::fmin(low, weight(n, j));
        high = std::fmax(high, weight(n, j));
        absmax = std::fmax(absmax, std::fabs(weight(n, j)));
      }
      // The contract's roundings to FP32, one after the other. Rounding twice is harmless: a double
      // has more than twice a float's bits, and two.
      const double spread = static_cast<float>(high - low);
      const float step = static_cast<float>(symmetric ? absmax / 7 : spread / 15);
      const half_t stored = {half_code_ref(absmax == 0 ? 1.0 : step)};
      const double scale = half_value_ref(stored.bits);
      const int zero = symmetric ? 0 : nearest(static_cast<float>(-low / scale), 0, 15, /*zero=*/0);
      const float steps = static_cast<float>(weight(n, k) / scale);
      out.scale(n, g) = stored;
      out.zero_point(n, g) = static_cast<std::uint8_t>(zero);
      out.codes(n, k) =
          static_cast<std::int8_t>(nearest(steps, symmetric ? -7 : 0, symmetric ? 7 : 15, zero));
    }
  }
}

}  // namespace qlab
