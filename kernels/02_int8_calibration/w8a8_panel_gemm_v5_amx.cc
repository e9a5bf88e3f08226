// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_panel_gemm, rung 5: matrices instead of vectors.
///
/// Idea    tiles of 16 rows times 16 columns; both operands are signed, so nothing is added
/// Before  rung 4 loads a word of X for every 64 products of a register; a tile is loaded once for 16,384
/// Needs   amx tile and int8, avx512; Linux gives the tiles to a process that asks (common/isa.h). Up to
///         kFewRows rows, bound by reading W, rung 4 does it: a few vectors read more evenly
#include "02_int8_calibration/w8a8_scale_avx512.h"
#include "common/amx_panels.h"

#if QLAB_X86

namespace qlab {
namespace {

constexpr std::int64_t kFewRows = 12;

}  // namespace

void w8a8_panel_gemm_v5_amx(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                            ThreadPool& threads) {
  if (X.codes.rows() <= kFewRows) {
    w8a8_panel_gemm_v4_vnni(X, W, Y, threads);
    return;
  }
  constexpr std::int64_t kDepth = kPanelDepth<std::int8_t>;
  amx::Rows x(threads, X.codes.rows(), W.codes.padded_k() / kDepth);
  x.fill(threads, [&](std::int64_t m, std::int64_t s, std::uint8_t* to, std::int64_t) {
    amx::copy_step(X.codes.row(m) + s * kDepth, W.codes.K - s * kDepth, to);
  });
  amx::multiply<amx::Int8Products, std::int32_t>(
      x, W.codes, threads,
      [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const std::int32_t* sums) {
        scale_panel_row(sums, W, n0, columns, X.zero(m), X.scale[m], Y.row(m) + n0);
      });
}

}  // namespace qlab
#endif
