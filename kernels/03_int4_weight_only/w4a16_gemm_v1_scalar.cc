// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm, rung 1: the definition as loops over rows, columns, groups and k.
///
/// Idea    a weight is dequantized where it is used: W is never widened in memory
/// Before  nothing: this rung runs everywhere. It reads a quarter of fp16_gemm's bytes and is no
///         faster: shift, mask, convert and multiply for one weight, again for each row of X
/// Needs   nothing
#include <algorithm>

#include "03_int4_weight_only/w4a16_gemm.h"

namespace qlab {

void w4a16_gemm_v1_scalar(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                          ThreadPool& threads) {
  threads.run(W.N(), [&](std::int64_t n) {
    for (std::int64_t m = 0; m < X.rows(); ++m) {
      float sum = 0;
      for (std::int64_t g = 0; g < W.scale.cols(); ++g) {
        const float scale = to_float(W.scale(n, g));
        const int zero_point = W.zero_point(n, g);
        const std::int64_t first = g * W.group_size;
        const std::int64_t end = first + std::min(W.group_size, W.K - first);
        for (std::int64_t k = first; k < end; ++k) {
          const float weight = scale * static_cast<float>(W.code(n, k) - zero_point);
          sum += to_float(X(m, k)) * weight;
        }
      }
      Y(m, n) = sum;
    }
  });
}

}  // namespace qlab
