// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp32_gemm, rung 1: the definition as three loops.
///
/// Idea    both operands have K contiguous, so the inner loop walks two rows in step
/// Before  nothing: this rung runs everywhere
/// Needs   nothing
#include "01_fp16_baseline/fp32_gemm.h"

namespace qlab {

void fp32_gemm_v1_scalar(MatrixView<const float> X, MatrixView<const float> W, MatrixView<float> Y,
                         ThreadPool& threads) {
  threads.run(W.rows(), [&](std::int64_t n) {
    for (std::int64_t m = 0; m < X.rows(); ++m) {
      float sum = 0;
      for (std::int64_t k = 0; k < X.cols(); ++k) sum += X(m, k) * W(n, k);
      Y(m, n) = sum;
    }
  });
}

}  // namespace qlab
