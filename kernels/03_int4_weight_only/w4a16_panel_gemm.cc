// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm: checks the operands and takes the best rung.
#include "03_int4_weight_only/w4a16_panel_gemm.h"

namespace qlab {

void w4a16_panel_gemm(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                      const Machine& machine) {
  check_int4_panels("w4a16_panel_gemm", W);
  check_shape("w4a16_panel_gemm", "X", X, X.rows(), W.K);
  check_shape("w4a16_panel_gemm", "Y", Y, X.rows(), W.N);
  best_rung(kW4A16PanelGemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
