// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of w8a8_gemm: int64 sums, scales in double.
#include "02_int8_calibration/w8a8_gemm.h"

namespace qlab {

void w8a8_gemm_ref(const Int8Rows& X, const Int8Rows& W, MatrixView<double> value) {
  for (std::int64_t m = 0; m < X.codes.rows(); ++m) {
    for (std::int64_t n = 0; n < W.codes.rows(); ++n) {
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < X.codes.cols(); ++k) {
        sum += (std::int64_t{X.codes(m, k)} - X.zero(m)) * W.codes(n, k);
      }
      value(m, n) = static_cast<double>(sum) * X.scale[m] * W.scale[n];
    }
  }
}

}  // namespace qlab
