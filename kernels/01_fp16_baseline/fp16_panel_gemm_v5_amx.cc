// SPDX-License-Identifier: Apache-2.0
/// \file
/// bf16_panel_gemm, rung 5: matrices instead of vectors.
///
/// Idea    tiles of 16 rows times 16 columns; the panels are B as they lie
/// Before  rung 4 loads a word of X for every 32 products of a register; a tile is loaded once for 8,192
/// Needs   amx tile and bf16, avx512; Linux gives the tiles to a process that asks (common/isa.h). Up to
///         kFewRows rows, bound by reading W, rung 3 does it: a few vectors read more evenly
#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "common/amx_panels.h"

#if QLAB_X86
namespace qlab {
namespace {

constexpr std::int64_t kFewRows = 4;

}  // namespace

void bf16_panel_gemm_v5_amx(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                            MatrixView<float> Y, ThreadPool& threads) {
  if (X.rows() <= kFewRows) {
    bf16_panel_gemm_v3_avx512(X, W, Y, threads);
    return;
  }
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
