// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a8_gemm, rung 1: the definition as loops over columns, rows, groups and codes.
///
/// Idea    a group is summed in int32 and meets its scale once
/// Before  nothing: this rung runs everywhere, and reads the packed weights as the others do
/// Needs   nothing
#include <cmath>

#include "03_int4_weight_only/w4a8_gemm.h"

namespace qlab {

void w4a8_gemm_v1_scalar(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                         ThreadPool& threads) {
  threads.run(W.N, [&](std::int64_t n) {
    for (std::int64_t m = 0; m < X.codes.rows(); ++m) {
      float total = 0;
      for (std::int64_t g = 0; g < W.groups(); ++g) {
        const std::int8_t* x = X.codes.row(m) + g * W.group_size;
        const std::int64_t length = W.group_length(g);
        const int zero_point = W.zero_point(n, g);
        std::int32_t sum = 0;
        for (std::int64_t i = 0; i < length; ++i) sum += x[i] * (W.code(n, g, i) - zero_point);
        total = std::fma(static_cast<float>(sum), to_float(W.scale(n, g)), total);
      }
      Y(m, n) = X.scale[m] * total;
    }
  });
}

}  // namespace qlab
