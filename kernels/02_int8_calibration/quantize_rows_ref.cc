// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of quantize_rows: 255 tries a value.
#include <cmath>
#include <cstdlib>

#include "02_int8_calibration/quantize_rows.h"

namespace qlab {
namespace {

double largest_magnitude(MatrixView<const float> x) {
  double largest = 0;
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t k = 0; k < x.cols(); ++k) largest = std::fmax(largest, std::fabs(x(r, k)));
  }
  return largest;
}

/// Rounding twice is harmless: a double has more than twice a float's bits, and two.
float scale_for(double largest) {
  if (largest == 0) return 1;
  return static_cast<float>(std::fmax(largest / 127, 0x1p-126));
}

/// The code nearest to `quotient`; of two equally near, the even one.
int nearest_code(double quotient) {
  int best = 0;
  for (int code = -127; code <= 127; ++code) {
    const double error = std::fabs(quotient - code);
    const double best_error = std::fabs(quotient - best);
    if (error < best_error || (error == best_error && code % 2 == 0)) best = code;
  }
  return best;
}

}  // namespace

void quantize_rows_ref(MatrixView<const float> x, Granularity granularity,
                       MatrixView<std::int8_t> codes, float* scale) {
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const bool alone = granularity == Granularity::kPerRow;
    scale[r] = scale_for(largest_magnitude(alone ? x.rows_from(r, 1) : x));
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      const float quotient = x(r, k) / scale[r];  // the contract's one rounding before the code's
      codes(r, k) = static_cast<std::int8_t>(nearest_code(quotient));
    }
  }
}

}  // namespace qlab
