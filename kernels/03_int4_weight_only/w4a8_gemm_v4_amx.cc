// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a8_gemm, rung 4: matrices instead of vectors.
///
/// Idea    tiles of 16 rows times 16 columns. Both operands are signed, so the zero point is taken off
///         the codes, 64 at a time, when a group is unpacked for all rows of X
/// Before  rung 3 loads a word of X for every 64 products of a register; a tile is loaded once for 16,384
/// Needs   amx tile and int8, avx512; Linux gives the tiles to a process that asks (common/isa.h). Up to
///         kFewRows rows, bound by reading W, rung 3 does it: a few vectors read more evenly
#include "03_int4_weight_only/int4_amx.h"
#include "03_int4_weight_only/w4a8_gemm.h"

#if QLAB_X86

namespace qlab {
namespace {

constexpr std::int64_t kFewRows = 12;
constexpr std::int64_t kStepK = 64;  // of INT8 in 64 bytes

struct Kernel {
  using Sum = std::int32_t;
  using Weight = std::int8_t;

  /// Of a chunk, two words of every column: k … k + 3, then k + 4 … k + 7.
  QLAB_AVX512 static void unpack(const std::uint8_t* codes, std::int64_t chunks,
                                 const std::uint8_t* zero_points, std::int8_t* to) {
    const __m512i zero[2] = {int4_amx::spread_zero_points(zero_points),
                             int4_amx::spread_zero_points(zero_points + 16)};
    for (std::int64_t i = 0; i < chunks; ++i, codes += kChunkBytes, to += 2 * kChunkBytes) {
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const int4_amx::Integers both = int4_amx::integers(codes + 64 * h, zero[h]);
        _mm512_store_si512(to + 64 * h, both.lower);
        _mm512_store_si512(to + 128 + 64 * h, both.upper);
      }
    }
  }

  static void add(int rows, const std::uint8_t* x, const std::int8_t* w) {
    amx::add_step<amx::Int8Products>(rows, x, w);
  }
};

}  // namespace

void w4a8_gemm_v4_amx(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                      ThreadPool& threads) {
  if (X.codes.rows() <= kFewRows) {
    w4a8_gemm_v3_vnni(X, W, Y, threads);
    return;
  }
  const int4_amx::Steps steps{W, kStepK};
  amx::Rows x(threads, X.codes.rows(), steps.all());
  const std::int64_t steps_of_group = W.groups() == 0 ? 1 : steps.of_group(0);
  x.fill(threads, [&](std::int64_t m, std::int64_t s, std::uint8_t* to, std::int64_t) {
    const std::int64_t g = s / steps_of_group, first = s % steps_of_group * kStepK;
    amx::copy_step(X.codes.row(m) + g * W.group_size + first, W.group_length(g) - first, to);
  });
  int4_amx::multiply<Kernel>(
      x, W, steps, /*planes=*/1, threads,
      [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* totals) {
        for (std::int64_t n = 0; n < columns; ++n) Y(m, n0 + n) = totals[n] * X.scale[m];
      });
}

}  // namespace qlab
#endif
