// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_panel_gemm, rung 5: FP16 on a unit that knows BF16 alone.
///
/// Idea    a number of FP16 has 11 significant bits, one of BF16 has 8: its upper 8 bits and the rest are
///         two numbers of BF16 whose sum it is, exactly, and whose range is wider. So x · w is four
///         products that are exact in FP32: an eighth of the units' speed is still twice that of FMA
/// Before  rung 3 is bound by its multiply-adds from a dozen rows on
/// Needs   amx tile and bf16, avx512. Up to kFewRows rows read W once, and rung 3 does it: there is
///         nothing that a split block could serve
#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "common/amx.h"
#include "common/bf16_split_avx512.h"
#include "common/thread_pool.h"

#if QLAB_X86

namespace qlab {
namespace {

constexpr std::int64_t kFewRows = 16;
constexpr std::int64_t kStepK = 32;       // of BF16 in 64 bytes
constexpr std::int64_t kBlockSteps = 8;   // of W, split: 32 KiB
constexpr std::int64_t kBlockRows = 128;  // of X, which W is split once for: 2 MiB at K = 4096
constexpr std::int64_t kStepNumbers = kStepK * kPanelColumns;

/// 32 columns of W for `count` k as words of BF16: [count / 2, 32 columns, 2].
QLAB_AVX512 void split_block(const half_t* w, std::int64_t count, bf16_t* upper, bf16_t* rest) {
  for (std::int64_t k = 0; k < count; k += 2) {
    for (std::int64_t n = 0; n < kPanelColumns; n += 16) {
      const auto widen = [&](std::int64_t row) QLAB_AVX512 {
        return _mm512_cvtph_ps(
            _mm256_load_si256(reinterpret_cast<const __m256i*>(w + (k + row) * kPanelColumns + n)));
      };
      const std::int64_t at = k * kPanelColumns + 2 * n;
      split_pairs(widen(0), widen(1), upper + at, rest + at);
    }
  }
}

/// The sums of a tile += the products of `steps` steps of X with a block that is split.
void add_block(amx::Rows& x, std::int64_t t, std::int64_t s0, std::int64_t steps,
               const bf16_t* upper, const bf16_t* rest) {
  const int rows = x.rows(t);
  for (std::int64_t s = 0; s < steps; ++s) {
    const std::uint8_t* x_upper = x.step(t, s0 + s);
    const std::uint8_t* x_rest = x_upper + rows * amx::kTileBytes;
    const bf16_t* w_upper = upper + s * kStepNumbers;
    const bf16_t* w_rest = rest + s * kStepNumbers;
    // In an order in which each step keeps one side of the step before.
    amx::load_a(rows, x_rest);
    amx::load_b(w_rest);
    amx::add_products<amx::Bf16Products>(rows);
    amx::load_b(w_upper);
    amx::add_products<amx::Bf16Products>(rows);
    amx::load_a(rows, x_upper);
    amx::add_products<amx::Bf16Products>(rows);
    amx::load_b(w_rest);
    amx::add_products<amx::Bf16Products>(rows);
  }
}

/// Panel `panel` of Y for tiles [t0, t_end).
void multiply_panel(amx::Rows& x, std::int64_t t0, std::int64_t t_end, const Panels<half_t>& W,
                    std::int64_t panel, MatrixView<float> Y) {
  alignas(64) float sums[kBlockRows * kPanelColumns];
  alignas(64) bf16_t upper[kBlockSteps * kStepNumbers];
  alignas(64) bf16_t rest[kBlockSteps * kStepNumbers];
  const std::int64_t steps = W.padded_k() / kStepK;
  const std::int64_t m0 = x.first(t0);
  std::fill_n(sums, (x.first(t_end) - m0) * kPanelColumns, 0.0F);
  int shape = 0;
  for (std::int64_t s = 0; s < steps; s += kBlockSteps) {
    const std::int64_t count = std::min(kBlockSteps, steps - s);
    split_block(W.at(panel, s * kStepK), count * kStepK, upper, rest);
    for (std::int64_t t = t0; t < t_end; ++t) {
      if (x.rows(t) != shape) amx::configure(shape = x.rows(t));
      const amx::Sums in_memory{shape, sums + (x.first(t) - m0) * kPanelColumns};
      in_memory.load();
      add_block(x, t, s, count, upper, rest);
      in_memory.store();
    }
  }
  amx::release();
  const std::int64_t n0 = panel * kPanelColumns;
  for (std::int64_t m = m0; m < x.first(t_end); ++m) {
    std::copy_n(sums + (m - m0) * kPanelColumns, std::min(kPanelColumns, W.N - n0), Y.row(m) + n0);
  }
}

}  // namespace

void fp16_panel_gemm_v5_amx(MatrixView<const half_t> X, const Panels<half_t>& W,
                            MatrixView<float> Y, ThreadPool& threads) {
  if (X.rows() <= kFewRows) {
    fp16_panel_gemm_v3_avx512(X, W, Y, threads);
    return;
  }
  amx::Rows x(threads, X.rows(), W.padded_k() / kStepK, /*planes=*/2);
  x.fill(threads,
         [&](std::int64_t m, std::int64_t s, std::uint8_t* to, std::int64_t plane) QLAB_AVX512 {
           split_halves(load_halves(X.row(m) + s * kStepK, W.K - s * kStepK), to, to + plane);
         });
  const std::int64_t together = kBlockRows / amx::kRows;
  const std::int64_t panels = panel_count(W.N);
  threads.run((x.count() + together - 1) / together * panels, [&](std::int64_t task) {
    const std::int64_t t = task / panels * together;
    multiply_panel(x, t, std::min(t + together, x.count()), W, task % panels, Y);
  });
}

}  // namespace qlab
#endif
