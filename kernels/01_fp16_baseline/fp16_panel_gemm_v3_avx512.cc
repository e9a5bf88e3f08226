// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_panel_gemm and bf16_panel_gemm, rung 3: sixteen columns in a register.
///
/// Idea    with 32 registers of 16 lanes a weight serves 12 rows once it is widened
/// Before  rung 2 widens every weight for 3 rows, and for the next 3 again
/// Needs   avx512 f, bw, dq, vl
#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "common/panel_kernel_avx2.h"
#include "common/panel_kernel_avx512.h"
#include "common/panel_tiles.h"

#if QLAB_X86

namespace qlab {
namespace {

template <class T>
void multiply(MatrixView<const T> X, const Panels<T>& W, MatrixView<float> Y, ThreadPool& threads) {
  using Word = typename panels_avx512::FloatKernel<T>::Word;
  panels::Tiles<Word> x(threads, X.rows(), (W.K + kPanelRun<T> - 1) / kPanelRun<T>,
                        panels_avx512::FloatKernel<T>::kMaxRows);
  x.fill(threads, [&](std::int64_t m, Word* to, std::int64_t stride) {
    if (W.K > 0) to[(x.steps() - 1) * stride] = {};  // where K ends within a word
    panels_avx2::widen_row<kPanelRun<T>>(X.row(m), W.K, to->x, stride);
  });
  panels::multiply<panels_avx512::FloatKernel<T>>(
      x, W, threads, [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* sums) {
        std::copy_n(sums, columns, Y.row(m) + n0);
      });
}

}  // namespace

void fp16_panel_gemm_v3_avx512(MatrixView<const half_t> X, const Panels<half_t>& W,
                               MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

void bf16_panel_gemm_v3_avx512(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                               MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

}  // namespace qlab
#endif
