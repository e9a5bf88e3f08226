// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_panel_gemm, rung 1: the definition, in the order of the panels.
///
/// Idea    as the panels lie: for each k, 32 products and 32 sums
/// Before  w8a8_gemm reads a row of W after the other, and sums each of its products into one number
/// Needs   nothing
#include "02_int8_calibration/w8a8_panel_gemm.h"

namespace qlab {

void w8a8_panel_gemm_v1_scalar(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                               ThreadPool& threads) {
  constexpr std::int64_t kRun = kPanelRun<std::int8_t>;
  const std::int64_t N = W.codes.N;
  threads.run(panel_count(N), [&](std::int64_t panel) {
    const std::int64_t n0 = panel * kPanelColumns;
    for (std::int64_t m = 0; m < X.codes.rows(); ++m) {
      std::int32_t sums[kPanelColumns] = {};
      for (std::int64_t k = 0; k < W.codes.K; ++k) {
        const std::int32_t x = X.codes(m, k);
        const std::int8_t* w = W.codes.at(panel, k / kRun * kRun) + k % kRun;
        for (std::int64_t n = 0; n < kPanelColumns; ++n) sums[n] += x * w[n * kRun];
      }
      for (std::int64_t n = n0; n < std::min(n0 + kPanelColumns, N); ++n) {
        // Unsigned, for a part may pass 2³¹ where the whole does not: it wraps around and back.
        const auto total = static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[n - n0]) -
                                                     static_cast<std::uint32_t>(X.zero(m)) *
                                                         static_cast<std::uint32_t>(W.sums[n]));
        Y(m, n) = static_cast<float>(total) * X.scale[m] * W.scale[n];
      }
    }
  });
}

}  // namespace qlab
