// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_static: checks operands and scale, takes the best rung, refuses what has no code.
#include "02_int8_calibration/quantize_static.h"

#include <cmath>

namespace qlab {

void quantize_static(MatrixView<const float> x, float scale, MatrixView<std::int8_t> codes,
                     const Machine& machine) {
  check_shape("quantize_static", "codes", codes, x.rows(), x.cols());
  QLAB_CHECK(std::isnormal(scale) && scale > 0, "quantize_static: scale is ", scale,
             "; it must be a normal number above 0, as int8_scale(threshold) gives it");
  if (best_rung(kQuantizeStaticRungs, machine.isa).run(x, scale, codes, machine.threads)) return;

  // The rung has met a NaN in its one pass; only now are the values read again, to name the first.
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      QLAB_CHECK(!std::isnan(x(r, k)), "quantize_static: x[", r, ", ", k,
                 "] is nan, which no code stands for; mend what computed it");
    }
  }
}

}  // namespace qlab
