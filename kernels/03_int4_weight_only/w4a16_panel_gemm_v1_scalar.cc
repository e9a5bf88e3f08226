// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm, rung 1: the definition, group by group.
///
/// Idea    a group is summed as products of X and integers, and meets its scale once
/// Before  w4a16_gemm multiplies every code by its scale before it meets X
/// Needs   nothing
#include "03_int4_weight_only/w4a16_panel_gemm.h"

namespace qlab {

void w4a16_panel_gemm_v1_scalar(MatrixView<const half_t> X, const Int4Panels& W,
                                MatrixView<float> Y, ThreadPool& threads) {
  threads.run(panel_count(W.N), [&](std::int64_t panel) {
    const std::int64_t n_end = std::min((panel + 1) * kPanelColumns, W.N);
    for (std::int64_t n = panel * kPanelColumns; n < n_end; ++n) {
      for (std::int64_t m = 0; m < X.rows(); ++m) {
        float total = 0;
        for (std::int64_t g = 0; g < W.groups(); ++g) {
          const half_t* x = X.row(m) + g * W.group_size;
          const int zero_point = W.zero_point(n, g);
          float sum = 0;
          for (std::int64_t i = 0; i < W.group_length(g); ++i) {
            sum += to_float(x[i]) * static_cast<float>(W.code(n, g, i) - zero_point);
          }
          total += to_float(W.scale(n, g)) * sum;
        }
        Y(m, n) = total;
      }
    }
  });
}

}  // namespace qlab
