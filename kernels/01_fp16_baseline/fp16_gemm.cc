// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm, bf16_gemm: check the shapes and call the highest rung that the machine may take.
#include "01_fp16_baseline/fp16_gemm.h"

namespace qlab {

void fp16_gemm(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y,
               const Machine& machine) {
  check_shape("fp16_gemm", "W", W, W.rows(), X.cols());
  check_shape("fp16_gemm", "Y", Y, X.rows(), W.rows());
  best_rung(kFp16GemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

void bf16_gemm(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W, MatrixView<float> Y,
               const Machine& machine) {
  check_shape("bf16_gemm", "W", W, W.rows(), X.cols());
  check_shape("bf16_gemm", "Y", Y, X.rows(), W.rows());
  best_rung(kBf16GemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
