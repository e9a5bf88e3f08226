// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of w4a8_gemm. It reads the nibbles of the unpacked weights itself; from the lab it
/// takes only to_float, which is tested on every code.
#include <cmath>

#include "03_int4_weight_only/w4a8_gemm.h"

namespace qlab {

void w4a8_gemm_ref(const Int8Rows& X, const Int4Weights& W, MatrixView<double> value,
                   MatrixView<double> abs_sum) {
  for (std::int64_t m = 0; m < X.codes.rows(); ++m) {
    for (std::int64_t n = 0; n < W.N(); ++n) {
      value(m, n) = 0;
      abs_sum(m, n) = 0;
      std::int64_t group_sum = 0;
      for (std::int64_t k = 0; k < W.K; ++k) {
        const std::int64_t g = k / W.group_size;
        const int two_codes = W.qweight(n, k / 2);
        const int code = k % 2 == 0 ? two_codes % 16 : two_codes / 16;
        group_sum += std::int64_t{X.codes(m, k)} * (code - W.zero_point(n, g));
        if (k + 1 < W.K && (k + 1) / W.group_size == g) continue;
        const double part = static_cast<double>(group_sum) * to_float(W.scale(n, g)) * X.scale[m];
        value(m, n) += part;
        abs_sum(m, n) += std::abs(part);
        group_sum = 0;
      }
    }
  }
}

}  // namespace qlab
