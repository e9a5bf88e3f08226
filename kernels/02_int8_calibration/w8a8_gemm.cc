// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm: checks the operands and takes the best rung.
#include "02_int8_calibration/w8a8_gemm.h"

namespace qlab {

void check_w8a8(const Int8Rows& X, const Int8Rows& W, MatrixView<const float> Y) {
  check_shape("w8a8_gemm", "W", W.codes, W.codes.rows(), X.codes.cols());
  check_shape("w8a8_gemm", "Y", Y, X.codes.rows(), W.codes.rows());
  QLAB_CHECK(W.zero_point == nullptr,
             "w8a8_gemm: W has zero points, only X may; quantize the weights symmetrically");
  check_w8a8_activations("w8a8_gemm", X);
}

void check_w8a8_activations(const char* operation, const Int8Rows& X) {
  const std::int64_t K = X.codes.cols();
  const std::int64_t max_k = X.zero_point == nullptr ? kW8A8MaxK : kW8A8MaxKWithZeroPoints;
  QLAB_CHECK(K <= max_k, operation, ": K = ", K, " could overflow an int32 sum; split K at ", max_k,
             " and add the products");
  for (std::int64_t m = 0; m < X.codes.rows(); ++m) {
    QLAB_CHECK(X.zero(m) >= -128 && X.zero(m) <= 127, operation, ": X.zero_point[", m,
               "] = ", X.zero(m), " is no code; choose one from -128 to 127");
  }
}

void w8a8_gemm(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y, const Machine& machine) {
  check_w8a8(X, W, Y);
  best_rung(kW8A8GemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
