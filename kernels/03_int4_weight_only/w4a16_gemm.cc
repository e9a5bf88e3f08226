// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm: checks the shapes and calls the highest rung that the machine may take.
#include "03_int4_weight_only/w4a16_gemm.h"

namespace qlab {

void w4a16_gemm(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                const Machine& machine) {
  check_int4_weights("w4a16_gemm", W);
  check_shape("w4a16_gemm", "X", X, X.rows(), W.K);
  check_shape("w4a16_gemm", "Y", Y, X.rows(), W.N());
  best_rung(kW4A16GemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
