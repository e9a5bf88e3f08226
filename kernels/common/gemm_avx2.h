// SPDX-License-Identifier: Apache-2.0
/// \file
/// The loops that the AVX2 rungs of fp32_gemm, fp16_gemm, bf16_gemm and w4a16_gemm share.
///
/// Idea    one tile of dot products in registers, 8 lanes along K. A few rows of X: W streams from
///         memory through it once, widened on the way, and while one tile is multiplied the rows of
///         the next are fetched; the processor alone cannot guess where they start. More rows: blocks of W and X are widened to
///         FP32 once, into the caches, so that a weight's conversion serves every row of X
/// Before  a scalar sum waits 4 cycles for each multiply-add; the tile keeps 12 vectors of them busy
/// Needs   avx2, fma, f16c; K contiguous in both operands; any shape, stride and alignment
#pragma once

#include "common/isa.h"

#if QLAB_X86

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "common/contract.h"
#include "common/formats.h"

namespace qlab::avx2 {

inline constexpr int kLanes = 8;

/// Eight floats.
QLAB_AVX2 inline __m256 widen8(const float* from) { return _mm256_loadu_ps(from); }
/// Eight FP16 numbers as floats.
QLAB_AVX2 inline __m256 widen8(const half_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
/// Eight BF16 numbers as floats.
QLAB_AVX2 inline __m256 widen8(const bf16_t* from) {
  const __m128i narrow = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
}

/// Up to 8 values and zeros behind them: what widen8 may read where a row ends. In every format
/// here the bits of 0 are 0.
template <class T>
struct Padded {
  Padded() = default;
  /// from [count], at most eight; zeros behind it.
  Padded(const T* from, std::int64_t count) { std::copy_n(from, count, values); }
  T values[kLanes] = {};
};

/// The sum of eight floats.
QLAB_AVX2 inline float sum_of_lanes(__m256 v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/// sum[r][m] += x[m][k + lane] · w[r][k + lane]
// Every loop over sums is unrolled by order: GCC 12 else keeps them in memory, at half the speed.
template <int kX, int kW, class TX, class TW>
QLAB_AVX2 inline void add_products(const TX* const (&x)[kX], const TW* const (&w)[kW],
                                   std::int64_t k, __m256 (&sum)[kW][kX]) {
  __m256 wide[kW];
#pragma GCC unroll 4
  for (int r = 0; r < kW; ++r) wide[r] = widen8(w[r] + k);
#pragma GCC unroll 4
  for (int m = 0; m < kX; ++m) {
    const __m256 x8 = widen8(x[m] + k);
#pragma GCC unroll 4
    for (int r = 0; r < kW; ++r) sum[r][m] = _mm256_fmadd_ps(x8, wide[r], sum[r][m]);
  }
}

/// Brings what lies at `from` as far as the L2 cache; L1 is too small for a tile ahead.
template <class T>
QLAB_AVX2 inline void fetch_ahead(const T* from) {
  _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T1);
}

/// dots[r][m] = Σₖ x[m][k] · w[r][k]. At most 12 sums: with kW weights and one x they fill the 16
/// registers. With kFetch, the rows `next`, of the same length, are fetched meanwhile.
template <bool kFetch, int kX, int kW, class TX, class TW>
QLAB_AVX2 inline void dot_tile(const TX* const (&x)[kX], const TW* const (&w)[kW],
                               const TW* const (&next)[kW], std::int64_t K, float (&dots)[kW][kX]) {
  static_assert(kX * kW + kW + 1 <= 16, "the tile does not fit the registers");
  __m256 sum[kW][kX];
#pragma GCC unroll 4
  for (int r = 0; r < kW; ++r) {
#pragma GCC unroll 4
    for (int m = 0; m < kX; ++m) sum[r][m] = _mm256_setzero_ps();
  }

  std::int64_t k = 0;
  for (; k + kLanes <= K; k += kLanes) {
    if constexpr (kFetch) {
#pragma GCC unroll 4
      for (int r = 0; r < kW; ++r) fetch_ahead(next[r] + k);
    }
    add_products(x, w, k, sum);
  }
  if (k < K) {
    Padded<TX> x_end[kX];
    Padded<TW> w_end[kW];
    const TX* x_row[kX];
    const TW* w_row[kW];
    for (int m = 0; m < kX; ++m) x_row[m] = (x_end[m] = {x[m] + k, K - k}).values;
    for (int r = 0; r < kW; ++r) w_row[r] = (w_end[r] = {w[r] + k, K - k}).values;
    add_products(x_row, w_row, 0, sum);
  }

#pragma GCC unroll 4
  for (int r = 0; r < kW; ++r) {
#pragma GCC unroll 4
    for (int m = 0; m < kX; ++m) dots[r][m] = sum_of_lanes(sum[r][m]);
  }
}

// A few rows of X: bound by reading W.

inline constexpr std::int64_t kFewRows = 4;
inline constexpr std::int64_t kFewRowsColumns = 32;  // a task: long enough to be worth handing out

/// Columns [n0, n0 + kFewRowsColumns) of Y for kX rows of X.
template <int kX, class T>
QLAB_AVX2 void few_rows(MatrixView<const T> X, MatrixView<const T> W, std::int64_t n0,
                        MatrixView<float> Y) {
  constexpr int kW = kX <= 2 ? 4 : 2;
  const std::int64_t n_end = std::min(n0 + kFewRowsColumns, W.rows());
  const T* x[kX];
  for (int m = 0; m < kX; ++m) x[m] = X.row(m);
  for (std::int64_t n = n0; n < n_end; n += kW) {
    const T* w[kW];  // rows past the end repeat the last one; their dots are dropped
    const T* next[kW];
    for (int r = 0; r < kW; ++r) {
      w[r] = W.row(std::min(n + r, n_end - 1));
      next[r] = W.row(std::min(n + kW + r, W.rows() - 1));
    }
    float dots[kW][kX];
    dot_tile</*kFetch=*/true>(x, w, next, X.cols(), dots);
    for (int r = 0; r < kW && n + r < n_end; ++r) {
      for (int m = 0; m < kX; ++m) Y(m, n + r) = dots[r][m];
    }
  }
}

// Many rows of X: bound by the multiply-add units.

inline constexpr std::int64_t kColumns = 48;  // W block: 48 · 512 floats, 96 KiB of the L2 cache
inline constexpr std::int64_t kDepth = 512;   // X tile: 4 · 512 floats, 8 KiB of the L1 cache
inline constexpr int kTileX = 4;
inline constexpr int kTileW = 3;

/// How a block is filled: row `row`, columns [k0, k0 + count), as floats, with zeros behind them up
/// to the next multiple of 8. w4a16_gemm has another one.
template <class T>
struct WidenRow {
  MatrixView<const T> from;  // [rows, K]

  /// Widens `count` numbers of a row from column k0 on; to [count].
  QLAB_AVX2 void operator()(std::int64_t row, std::int64_t k0, std::int64_t count,
                            float* to) const {
    const T* values = from.row(row) + k0;
    std::int64_t k = 0;
    for (; k + kLanes <= count; k += kLanes) _mm256_store_ps(to + k, widen8(values + k));
    if (k < count) {
      const Padded<T> end(values + k, count - k);
      _mm256_store_ps(to + k, widen8(end.values));
    }
  }
};

/// Y[m0 … m0 + 4, n0 … n0 + columns) += X tile · (W block)ᵀ, as far as Y has rows.
QLAB_AVX2 inline void add_tile_times_block(const float* x_tile, const float* w_block,
                                           std::int64_t depth, std::int64_t m0, std::int64_t n0,
                                           std::int64_t columns, MatrixView<float> Y) {
  const float* x[kTileX];
  for (int m = 0; m < kTileX; ++m) x[m] = x_tile + m * kDepth;
  for (std::int64_t n = 0; n < columns; n += kTileW) {
    const float* w[kTileW];  // rows past the end repeat the last one; their dots are dropped
    for (int r = 0; r < kTileW; ++r) w[r] = w_block + std::min(n + r, columns - 1) * kDepth;
    float dots[kTileW][kTileX];
    dot_tile</*kFetch=*/false>(x, w, w, depth, dots);
    for (int m = 0; m < kTileX && m0 + m < Y.rows(); ++m) {
      for (int r = 0; r < kTileW && n + r < columns; ++r) Y(m0 + m, n0 + n + r) += dots[r][m];
    }
  }
}

/// Columns [n0, n0 + kColumns) of Y.
template <class WidenX, class WidenW>
QLAB_AVX2 void many_rows(const WidenX& widen_x, const WidenW& widen_w, std::int64_t K,
                         std::int64_t n0, MatrixView<float> Y) {
  alignas(64) float w_block[kColumns * kDepth];  // [columns, depth]
  alignas(64) float x_tile[kTileX * kDepth];     // [4, depth]
  const std::int64_t columns = std::min(kColumns, Y.cols() - n0);
  for (std::int64_t m = 0; m < Y.rows(); ++m) std::fill_n(Y.row(m) + n0, columns, 0.0F);

  for (std::int64_t k0 = 0; k0 < K; k0 += kDepth) {
    const std::int64_t depth = std::min(kDepth, K - k0);
    const std::int64_t padded = (depth + kLanes - 1) / kLanes * kLanes;
    for (std::int64_t n = 0; n < columns; ++n) widen_w(n0 + n, k0, depth, w_block + n * kDepth);
    for (std::int64_t m0 = 0; m0 < Y.rows(); m0 += kTileX) {
      for (std::int64_t m = 0; m < kTileX; ++m) {
        // As for W: past the end, the last row again.
        widen_x(std::min(m0 + m, Y.rows() - 1), k0, depth, x_tile + m * kDepth);
      }
      add_tile_times_block(x_tile, w_block, padded, m0, n0, columns, Y);
    }
  }
}

/// Hands out columns of Y in tasks of one size, so that a result does not depend on the threads.
template <class Task>
void for_columns(std::int64_t N, std::int64_t columns_a_task, ThreadPool& threads,
                 const Task& task) {
  threads.run((N + columns_a_task - 1) / columns_a_task,
              [&](std::int64_t i) { task(i * columns_a_task); });
}

/// Calls task(M) with M = 1 … kFewRows as a constant, rows(), so that a tile can live in registers.
template <class Task>
void with_few_rows(std::int64_t M, const Task& task) {
  switch (M) {
    case 1:
      return task(std::integral_constant<int, 1>{});
    case 2:
      return task(std::integral_constant<int, 2>{});
    case 3:
      return task(std::integral_constant<int, 3>{});
    case 4:
      return task(std::integral_constant<int, 4>{});
  }
}

/// Y = X · Wᵀ for operands that lie in memory as T.
template <class T>
void gemm(MatrixView<const T> X, MatrixView<const T> W, MatrixView<float> Y, ThreadPool& threads) {
  if (X.rows() > kFewRows) {
    for_columns(W.rows(), kColumns, threads, [&](std::int64_t n0) {
      many_rows(WidenRow<T>{X}, WidenRow<T>{W}, X.cols(), n0, Y);
    });
    return;
  }
  for_columns(W.rows(), kFewRowsColumns, threads, [&](std::int64_t n0) {
    with_few_rows(X.rows(), [&](auto rows) { few_rows<rows()>(X, W, n0, Y); });
  });
}

}  // namespace qlab::avx2

#endif  // QLAB_X86
