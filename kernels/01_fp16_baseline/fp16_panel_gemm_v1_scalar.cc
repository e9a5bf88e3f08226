// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_panel_gemm and bf16_panel_gemm, rung 1: the definition, in the order of the panels.
///
/// Idea    as the panels lie: for each k, 32 products and 32 sums
/// Before  fp16_gemm reads a row of W after the other, and sums each of its products into one number
/// Needs   nothing
#include "01_fp16_baseline/fp16_panel_gemm.h"

namespace qlab {
namespace {

template <class T>
void multiply(MatrixView<const T> X, const Panels<T>& W, MatrixView<float> Y, ThreadPool& threads) {
  constexpr std::int64_t kRun = kPanelRun<T>;
  threads.run(panel_count(W.N), [&](std::int64_t panel) {
    const std::int64_t n0 = panel * kPanelColumns;
    for (std::int64_t m = 0; m < X.rows(); ++m) {
      float sums[kPanelColumns] = {};
      for (std::int64_t k = 0; k < W.K; ++k) {
        const float x = to_float(X(m, k));
        const T* w = W.at(panel, k / kRun * kRun) + k % kRun;
        for (std::int64_t n = 0; n < kPanelColumns; ++n) sums[n] += x * to_float(w[n * kRun]);
      }
      std::copy_n(sums, std::min(kPanelColumns, W.N - n0), Y.row(m) + n0);
    }
  });
}

}  // namespace

void fp16_panel_gemm_v1_scalar(MatrixView<const half_t> X, const Panels<half_t>& W,
                               MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

void bf16_panel_gemm_v1_scalar(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                               MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

}  // namespace qlab
