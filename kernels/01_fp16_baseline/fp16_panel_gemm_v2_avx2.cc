// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_panel_gemm and bf16_panel_gemm, rung 2: eight columns in a register.
///
/// Idea    the sums of 3 rows and 32 columns in 12 registers; each weight is widened once for them
/// Before  rung 1 keeps its sums in memory and makes one multiply-add at a time
/// Needs   avx2, fma, f16c
#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "common/panel_kernel_avx2.h"
#include "common/panel_tiles.h"

#if QLAB_X86

namespace qlab {
namespace {

template <class T>
void multiply(MatrixView<const T> X, const Panels<T>& W, MatrixView<float> Y, ThreadPool& threads) {
  using Word = typename panels_avx2::FloatKernel<T>::Word;
  panels::Tiles<Word> x(threads, X.rows(), (W.K + kPanelRun<T> - 1) / kPanelRun<T>,
                        panels_avx2::FloatKernel<T>::kMaxRows);
  x.fill(threads, [&](std::int64_t m, Word* to, std::int64_t stride) {
    if (W.K > 0) to[(x.steps() - 1) * stride] = {};  // where K ends within a word
    panels_avx2::widen_row<kPanelRun<T>>(X.row(m), W.K, to->x, stride);
  });
  panels::multiply<panels_avx2::FloatKernel<T>>(
      x, W, threads, [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* sums) {
        std::copy_n(sums, columns, Y.row(m) + n0);
      });
}

}  // namespace

void fp16_panel_gemm_v2_avx2(MatrixView<const half_t> X, const Panels<half_t>& W,
                             MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

void bf16_panel_gemm_v2_avx2(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                             MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

}  // namespace qlab
#endif
