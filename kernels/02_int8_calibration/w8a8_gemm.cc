// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm: checks the operands and takes the best rung.
#include "02_int8_calibration/w8a8_gemm.h"

namespace qlab {

void w8a8_gemm(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y, const Machine& machine) {
  const std::int64_t K = X.codes.cols();
  check_shape("w8a8_gemm", "W", W.codes, W.codes.rows(), K);
  check_shape("w8a8_gemm", "Y", Y, X.codes.rows(), W.codes.rows());
  QLAB_CHECK(K <= kW8A8MaxK, "w8a8_gemm: K = ", K, " could overflow an int32 sum; split K at ",
             kW8A8MaxK, " and add the products");
  best_rung(kW8A8GemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
