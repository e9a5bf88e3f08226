// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_panel_gemm, bf16_panel_gemm: check the shapes and call the highest rung that the machine may take.
#include "01_fp16_baseline/fp16_panel_gemm.h"

namespace qlab {
namespace {

template <class T>
void check(const char* operation, MatrixView<const T> X, const Panels<T>& W,
           MatrixView<const float> Y) {
  QLAB_CHECK(W.K == X.cols(), operation, ": W is [", W.N, ", ", W.K, "], expected [", W.N, ", ",
             X.cols(), "]");
  check_shape(operation, "Y", Y, X.rows(), W.N);
}

}  // namespace

void fp16_panel_gemm(MatrixView<const half_t> X, const Panels<half_t>& W, MatrixView<float> Y,
                     const Machine& machine) {
  check<half_t>("fp16_panel_gemm", X, W, Y);
  best_rung(kFp16PanelGemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

void bf16_panel_gemm(MatrixView<const bf16_t> X, const Panels<bf16_t>& W, MatrixView<float> Y,
                     const Machine& machine) {
  check<bf16_t>("bf16_panel_gemm", X, W, Y);
  best_rung(kBf16PanelGemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
