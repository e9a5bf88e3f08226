// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp32_gemm: checks the shapes and calls the highest rung that the machine may take.
#include "01_fp16_baseline/fp32_gemm.h"

namespace qlab {

void fp32_gemm(MatrixView<const float> X, MatrixView<const float> W, MatrixView<float> Y,
               const Machine& machine) {
  check_shape("fp32_gemm", "W", W, W.rows(), X.cols());
  check_shape("fp32_gemm", "Y", Y, X.rows(), W.rows());
  best_rung(kFp32GemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
