// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows: checks the operands, takes the best rung, refuses what it could not scale.
#include "02_int8_calibration/quantize_rows.h"

#include <cmath>

namespace qlab {

void quantize_rows(MatrixView<const float> x, Granularity granularity,
                   MatrixView<std::int8_t> codes, float* scale, const Machine& machine) {
  check_shape("quantize_rows", "codes", codes, x.rows(), x.cols());
  best_rung(kQuantizeRowsRungs, machine.isa).run(x, granularity, codes, scale, machine.threads);

  // The search for the largest magnitude has already met every value, so only the rows with a bad
  // scale are read again.
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    if (std::isfinite(scale[r])) continue;
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      QLAB_CHECK(std::isfinite(x(r, k)), "quantize_rows: x[", r, ", ", k, "] is ", x(r, k),
                 "; a scale needs finite values");
    }
  }
}

}  // namespace qlab
