// SPDX-License-Identifier: Apache-2.0
/// \file
/// bf16_panel_gemm, rung 5: matrices instead of vectors.
///
/// Idea    tiles of 16 rows times 16 columns; the panels are B as they lie
/// Before  rung 4 loads a word of X for every 32 products of a register; a tile is loaded once for 8,192
/// Needs   amx tile and bf16, avx512; Linux gives the tiles to a process that asks (common/isa.h)
#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "common/amx_panels.h"

#if QLAB_X86
namespace qlab {

void bf16_panel_gemm_v5_amx(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                            MatrixView<float> Y, ThreadPool& threads) {
  amx::Rows x(threads, X.rows(), W.padded_k() / kPanelDepth<bf16_t>);
  x.fill(threads, [&](std::int64_t m, std::int64_t s, std::uint8_t* to, std::int64_t) {
    const std::int64_t k = s * kPanelDepth<bf16_t>;
    const std::int64_t count = std::min(kPanelDepth<bf16_t>, W.K - k);
    amx::copy_step(X.row(m) + k, count, to);
  });
  amx::multiply<amx::Bf16Products, float>(
      x, W, threads, [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* sums) {
        std::copy_n(sums, columns, Y.row(m) + n0);
      });
}

}  // namespace qlab
#endif
