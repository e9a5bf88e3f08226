// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of fp32_gemm: a product of two floats is exact in double (48 of 53 bits).
#include <cmath>

#include "01_fp16_baseline/fp32_gemm.h"

namespace qlab {

void fp32_gemm_ref(MatrixView<const float> X, MatrixView<const float> W, MatrixView<double> value,
                   MatrixView<double> abs_sum) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    for (std::int64_t n = 0; n < W.rows(); ++n) {
      value(m, n) = 0;
      abs_sum(m, n) = 0;
      for (std::int64_t k = 0; k < X.cols(); ++k) {
        const double product = double{X(m, k)} * double{W(n, k)};
        value(m, n) += product;
        abs_sum(m, n) += std::abs(product);
      }
    }
  }
}

}  // namespace qlab
