// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm, rung 5: codes become BF16, and matrices are multiplied.
///
/// Idea    a code minus its zero point is one of 31 integers, and vpermw looks 32 of them up at once, by
///         the five lowest bits of a byte, as numbers of BF16. An FP16 number is the sum of two of BF16,
///         so two products are one, exactly
/// Before  rung 3 makes one multiply-add for a weight and a row
/// Needs   amx tile and bf16, avx512; Linux gives the tiles to a process that asks (common/isa.h). Up to
///         kFewRows rows rung 4 does it: they have few multiply-adds to save
#include "03_int4_weight_only/int4_amx.h"
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "common/bf16_split_avx512.h"

#if QLAB_X86

namespace qlab {
namespace {

constexpr std::int64_t kFewRows = 4;
constexpr std::int64_t kStepK = 32;  // of BF16 in 64 bytes

/// BF16 of -16 … 15, at the index that their five lowest bits are.
struct Bf16Integers {
  alignas(64) std::uint16_t bits[32];
};
constexpr Bf16Integers bf16_integers() {
  Bf16Integers table = {};
  for (int i = 0; i < 32; ++i) {
    table.bits[i] = from_float<bf16_t>(static_cast<float>(i < 16 ? i : i - 32)).bits;
  }
  return table;
}

struct Kernel {
  using Sum = float;
  using Weight = bf16_t;

  /// Of a chunk, four words of every column: k and k + 2, k + 1 and k + 3, and the same from k + 4 on.
  QLAB_AVX512 static void unpack(const std::uint8_t* codes, std::int64_t chunks,
                                 const std::uint8_t* zero_points, bf16_t* to) {
    static const Bf16Integers kTable = bf16_integers();
    const __m512i table = _mm512_load_si512(kTable.bits);
    const __m512i zero[2] = {int4_amx::spread_zero_points(zero_points),
                             int4_amx::spread_zero_points(zero_points + 16)};
    for (std::int64_t i = 0; i < chunks; ++i, codes += kChunkBytes) {
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h, to += 32) {
        const int4_amx::Integers both = int4_amx::integers(codes + 64 * h, zero[h]);
        // The even bytes are the lower halves of 16-bit lanes, as an index is.
        const auto store = [&](int word, __m512i indices) QLAB_AVX512 {
          _mm512_store_si512(to + 64 * word, _mm512_permutexvar_epi16(indices, table));
        };
        store(0, both.lower);
        store(1, _mm512_srli_epi16(both.lower, 8));
        store(2, both.upper);
        store(3, _mm512_srli_epi16(both.upper, 8));
      }
      to += 3 * 64;
    }
  }

  static void add(int rows, const std::uint8_t* x, const bf16_t* w) {
    amx::load_b(w);
    amx::load_a(rows, x);
    amx::add_products<amx::Bf16Products>(rows);
    amx::load_a(rows, x + rows * amx::kTileBytes);
    amx::add_products<amx::Bf16Products>(rows);
  }
};

}  // namespace

void w4a16_panel_gemm_v5_amx(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                             ThreadPool& threads) {
  if (X.rows() <= kFewRows) {
    w4a16_panel_gemm_v4_magic(X, W, Y, threads);
    return;
  }
  const int4_amx::Steps steps{W, kStepK};
  amx::Rows x(threads, X.rows(), steps.all(), /*planes=*/2);
  const std::int64_t steps_of_group = W.groups() == 0 ? 1 : steps.of_group(0);
  x.fill(threads, [&](std::int64_t m, std::int64_t s, std::uint8_t* to,
                      std::int64_t plane) QLAB_AVX512 {
    const std::int64_t g = s / steps_of_group, first = s % steps_of_group * kStepK;
    const half_t* from = X.row(m) + g * W.group_size + first;
    const __m512i halves = load_halves(from, W.group_length(g) - first);
    // In the order of the words: the second and third of four change places.
    constexpr int kOrder = 0b11'01'10'00;
    const __m512i ordered = _mm512_shufflehi_epi16(_mm512_shufflelo_epi16(halves, kOrder), kOrder);
    split_halves(ordered, to, to + plane);
  });
  int4_amx::multiply<Kernel>(
      x, W, steps, /*planes=*/2, threads,
      [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* totals) {
        std::copy_n(totals, columns, Y.row(m) + n0);
      });
}

}  // namespace qlab
#endif
