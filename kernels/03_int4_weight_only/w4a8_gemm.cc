// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a8_gemm: checks the operands and takes the best rung.
#include "03_int4_weight_only/w4a8_gemm.h"

namespace qlab {

void w4a8_gemm(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
               const Machine& machine) {
  check_int4_panels("w4a8_gemm", W);
  check_shape("w4a8_gemm", "X", X.codes, X.codes.rows(), W.K);
  check_shape("w4a8_gemm", "Y", Y, X.codes.rows(), W.N);
  QLAB_CHECK(X.zero_point == nullptr,
             "w4a8_gemm: X has zero points; quantize the activations symmetrically");
  QLAB_CHECK(std::min(W.group_size, W.K) <= kW4A8MaxGroup, "w4a8_gemm: a group of ",
             std::min(W.group_size, W.K),
             " weights could overflow an int32 sum; choose a group_size of at most ",
             kW4A8MaxGroup);
  best_rung(kW4A8GemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
