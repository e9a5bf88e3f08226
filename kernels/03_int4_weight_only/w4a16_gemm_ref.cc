// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of w4a16_gemm, in double. It reads the nibbles itself; from the lab it takes only
/// to_float, which is tested on every code.
#include <cmath>

#include "03_int4_weight_only/w4a16_gemm.h"

namespace qlab {

void w4a16_gemm_ref(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<double> value,
                    MatrixView<double> abs_sum) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    for (std::int64_t n = 0; n < W.N(); ++n) {
      value(m, n) = 0;
      abs_sum(m, n) = 0;
      for (std::int64_t k = 0; k < W.K; ++k) {
        const int two_codes = W.qweight(n, k / 2);
        const int code = k % 2 == 0 ? two_codes % 16 : two_codes / 16;
        const std::int64_t g = k / W.group_size;
        const double weight = double{to_float(W.scale(n, g))} * (code - W.zero_point(n, g));
        const double product = double{to_float(X(m, k))} * weight;
        value(m, n) += product;
        abs_sum(m, n) += std::abs(product);
      }
    }
  }
}

}  // namespace qlab
