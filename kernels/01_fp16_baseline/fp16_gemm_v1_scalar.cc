// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm and bf16_gemm, rung 1: the definition as three loops.
///
/// Idea    narrow operands are widened where they are used; the one sum is FP32
/// Before  nothing: this rung runs everywhere. One multiply-add at a time, each waiting for the
///         last, and every weight is widened again for each row of X
/// Needs   nothing
#include "01_fp16_baseline/fp16_gemm.h"

namespace qlab {
namespace {

template <class Format>
void gemm(MatrixView<const Format> X, MatrixView<const Format> W, MatrixView<float> Y,
          ThreadPool& threads) {
  threads.run(W.rows(), [&](std::int64_t n) {
    for (std::int64_t m = 0; m < X.rows(); ++m) {
      float sum = 0;
      for (std::int64_t k = 0; k < X.cols(); ++k) sum += to_float(X(m, k)) * to_float(W(n, k));
      Y(m, n) = sum;
    }
  });
}

}  // namespace

void fp16_gemm_v1_scalar(MatrixView<const half_t> X, MatrixView<const half_t> W,
                         MatrixView<float> Y, ThreadPool& threads) {
  gemm(X, W, Y, threads);
}

void bf16_gemm_v1_scalar(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W,
                         MatrixView<float> Y, ThreadPool& threads) {
  gemm(X, W, Y, threads);
}

}  // namespace qlab
