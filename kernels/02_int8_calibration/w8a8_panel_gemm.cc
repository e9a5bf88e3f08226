// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_panel_gemm: packs the weights, checks the operands and takes the best rung.
#include "02_int8_calibration/w8a8_panel_gemm.h"

#include <algorithm>
#include <numeric>

namespace qlab {

std::int64_t Int8PanelMatrix::bytes() const {
  return codes.bytes() + static_cast<std::int64_t>(scale.size() * sizeof(float) +
                                                   sums.size() * sizeof(std::int32_t));
}

Int8PanelMatrix pack_panels(const Int8Rows& W) {
  QLAB_CHECK(W.zero_point == nullptr,
             "pack_panels: W has zero points, only X may; quantize the weights symmetrically");
  const std::int64_t N = W.codes.rows(), K = W.codes.cols();
  QLAB_CHECK(K <= kW8A8MaxK, "pack_panels: K = ", K, " could overflow an int32 sum; split K at ",
             kW8A8MaxK, " and add the products");
  const auto padded = static_cast<std::size_t>(panel_count(N) * kPanelColumns);
  Int8PanelMatrix packed{.codes = pack_panels(W.codes),
                         .scale = std::vector<float>(padded),
                         .sums = std::vector<std::int32_t>(padded)};
  std::copy_n(W.scale, N, packed.scale.begin());
  for (std::int64_t n = 0; n < N; ++n) {
    const std::int8_t* row = W.codes.row(n);
    packed.sums[static_cast<std::size_t>(n)] = std::accumulate(row, row + K, std::int32_t{0});
  }
  return packed;
}

void w8a8_panel_gemm(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                     const Machine& machine) {
  const std::int64_t M = X.codes.rows(), N = W.codes.N, K = X.codes.cols();
  QLAB_CHECK(W.codes.K == K, "w8a8_panel_gemm: W is [", N, ", ", W.codes.K, "], expected [", N,
             ", ", K, "]");
  check_shape("w8a8_panel_gemm", "Y", Y, M, N);
  check_w8a8_activations("w8a8_panel_gemm", X);
  best_rung(kW8A8PanelGemmRungs, machine.isa).run(X, W, Y, machine.threads);
}

}  // namespace qlab
