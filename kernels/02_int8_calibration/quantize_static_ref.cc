// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of quantize_static: 255 tries a value.
#include <cmath>

#include "02_int8_calibration/quantize_static.h"

namespace qlab {
namespace {

/// The code nearest to `quotient`; of two equally near, the even one. From far away the distances to
/// all codes round to the same number, so what lies outside is told by its sign.
int nearest_code(double quotient) {
  if (std::fabs(quotient) > 128) return quotient > 0 ? 127 : -127;
  int best = -127;
  for (int code = -126; code <= 127; ++code) {
    const double error = std::fabs(quotient - code);
    const double best_error = std::fabs(quotient - best);
    if (error < best_error || (error == best_error && code % 2 == 0)) best = code;
  }
  return best;
}

}  // namespace

void quantize_static_ref(MatrixView<const float> x, float scale, MatrixView<std::int8_t> codes) {
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      const float quotient = x(r, k) / scale;  // the contract's one rounding before the code's
      codes(r, k) = static_cast<std::int8_t>(nearest_code(quotient));
    }
  }
}

}  // namespace qlab
