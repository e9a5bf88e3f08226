// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm, rung 2: 32 codes unpacked at once, the scale left to the end of the group.
///
/// Idea    code - zero_point is a byte. Moved to the top of a 32-bit lane it becomes a float by one
///         conversion, and its product with an FP16 value is exact. A group is summed like that and
///         scaled once, so eight weights cost four instructions
/// Before  rung 1 shifts, masks, converts and scales one weight at a time
/// Needs   avx2, fma, f16c. With group_size % 32 != 0 a few rows of X take the path of many, where
///         short runs of codes are copied one by one
#include "03_int4_weight_only/w4a16_gemm.h"
#include "common/gemm_avx2.h"

#if QLAB_X86

namespace qlab {
namespace {

using avx2::kLanes;

constexpr int kChunk = 32;             // codes in a 16-byte load
constexpr float kUnspread = 0x1p-24F;  // spread8 leaves its result 2²⁴ times too large

/// Codes [k, k + count) of row n, count ≤ kChunk, copied to 16 bytes: the first in bits 0-3, zeros
/// behind the last.
void copy_codes(const Int4Weights& W, std::int64_t n, std::int64_t k, std::int64_t count,
                std::uint8_t (&bytes)[kChunk / 2]) {
  std::fill_n(bytes, kChunk / 2, std::uint8_t{0});
  for (std::int64_t i = 0; i < count; ++i) {
    bytes[i / 2] |= static_cast<std::uint8_t>(W.code(n, k + i) << (i % 2 * 4));
  }
}

QLAB_AVX2 inline __m256i zero_points(const Int4Weights& W, std::int64_t n, std::int64_t g) {
  return _mm256_set1_epi8(static_cast<char>(W.zero_point(n, g)));
}

QLAB_AVX2 inline __m256 scale_of_spread8(const Int4Weights& W, std::int64_t n, std::int64_t g) {
  return _mm256_set1_ps(_cvtsh_ss(W.scale(n, g).bits) * kUnspread);
}

/// code - zero_point as 32 signed bytes: the low half holds codes 0, 2, 4 …, the high half 1, 3, 5 …
QLAB_AVX2 inline __m256i unpack(const std::uint8_t* codes, __m256i zero_point) {
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m256i twice = _mm256_broadcastsi128_si256(packed);
  const __m256i shifted = _mm256_srlv_epi64(twice, _mm256_setr_epi64x(0, 0, 4, 4));
  return _mm256_sub_epi8(_mm256_and_si256(shifted, _mm256_set1_epi8(kInt4Max)), zero_point);
}

/// Eight of those bytes, of codes 8j … 8j + 7, as floats times 2²⁴, in the order 0 2 4 6 1 3 5 7.
QLAB_AVX2 inline __m256 spread8(__m256i bytes, int j) {
  // Bytes 4j … 4j + 3 of each half go to the top of its four lanes; 0x80 writes a 0 byte. There the
  // sign of the byte is the sign of the lane, so nothing needs to be extended.
  const __m256i top_of_lane = _mm256_set_epi32(0x03808080, 0x02808080, 0x01808080, 0x00808080,
                                               0x03808080, 0x02808080, 0x01808080, 0x00808080);
  const __m256i from = _mm256_add_epi8(top_of_lane, _mm256_set1_epi8(static_cast<char>(4 * j)));
  return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(bytes, from));
}

// A few rows of X: bound by reading W if unpacking keeps up, so X is widened ahead, once for all
// columns of a task.

constexpr std::int64_t kFewRowsDepth = 4096;  // columns of X, widened: 16 KiB a row

/// X[m, k0 … k0 + count) in the order of spread8, with zeros behind them to the end of the chunk.
QLAB_AVX2 inline void widen_x(MatrixView<const half_t> X, std::int64_t m, std::int64_t k0,
                              std::int64_t count, float* to) {
  avx2::WidenRow<half_t>{X}(m, k0, count, to);
  std::int64_t k = 0;
  for (; k < count; k += kLanes) {
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    _mm256_store_ps(to + k, _mm256_permutevar8x32_ps(_mm256_load_ps(to + k), order));
  }
  for (; k % kChunk != 0; k += kLanes) _mm256_store_ps(to + k, _mm256_setzero_ps());
}

/// sum[r][m] += Σ x[m][i] · (code - zero_point)[r][i] · 2²⁴ over the 32 of a chunk.
template <int kX, int kW>
QLAB_AVX2 inline void add_chunk(const float* const (&x)[kX], const std::uint8_t* const (&codes)[kW],
                                const __m256i (&zero_point)[kW], __m256 (&sum)[kW][kX]) {
  __m256i bytes[kW];
#pragma GCC unroll 4
  for (int r = 0; r < kW; ++r) bytes[r] = unpack(codes[r], zero_point[r]);
#pragma GCC unroll 4
  for (int j = 0; j < kChunk / kLanes; ++j) {
#pragma GCC unroll 4
    for (int r = 0; r < kW; ++r) {
      const __m256 steps = spread8(bytes[r], j);
#pragma GCC unroll 4
      for (int m = 0; m < kX; ++m) {
        sum[r][m] = _mm256_fmadd_ps(_mm256_load_ps(x[m] + j * kLanes), steps, sum[r][m]);
      }
    }
  }
}

/// total[r][m] += x[m] · (row n[r] of W) over columns [k, k + count), all of them in group g. The
/// codes of the rows `next` are fetched meanwhile, as in avx2::dot_tile.
template <int kX, int kW>
QLAB_AVX2 inline void add_run(const float* const (&from)[kX], const Int4Weights& W,
                              const std::int64_t (&n)[kW], const std::int64_t (&next)[kW],
                              std::int64_t g, std::int64_t k, std::int64_t count,
                              __m256 (&total)[kW][kX]) {
  const float* x[kX];
  const std::uint8_t* codes[kW];
  const std::uint8_t* next_codes[kW];
  __m256i zero_point[kW];
  __m256 sum[kW][kX];
#pragma GCC unroll 4
  for (int m = 0; m < kX; ++m) x[m] = from[m];
#pragma GCC unroll 4
  for (int r = 0; r < kW; ++r) {
    codes[r] = W.qweight.row(n[r]) + k / 2;
    next_codes[r] = W.qweight.row(next[r]) + k / 2;
    zero_point[r] = zero_points(W, n[r], g);
#pragma GCC unroll 4
    for (int m = 0; m < kX; ++m) sum[r][m] = _mm256_setzero_ps();
  }

  for (; count >= kChunk; count -= kChunk, k += kChunk) {
    add_chunk(x, codes, zero_point, sum);
#pragma GCC unroll 4
    for (int m = 0; m < kX; ++m) x[m] += kChunk;
#pragma GCC unroll 4
    for (int r = 0; r < kW; ++r) {
      avx2::fetch_ahead(next_codes[r]);
      codes[r] += kChunk / 2;
      next_codes[r] += kChunk / 2;
    }
  }
  if (count > 0) {  // the end of the row: a whole chunk would be read past it
    std::uint8_t copied[kW][kChunk / 2];
    for (int r = 0; r < kW; ++r) {
      copy_codes(W, n[r], k, count, copied[r]);
      codes[r] = copied[r];
    }
    add_chunk(x, codes, zero_point, sum);
  }

#pragma GCC unroll 4
  for (int r = 0; r < kW; ++r) {
    const __m256 scale = scale_of_spread8(W, n[r], g);
#pragma GCC unroll 4
    for (int m = 0; m < kX; ++m) total[r][m] = _mm256_fmadd_ps(scale, sum[r][m], total[r][m]);
  }
}

/// Columns [n0, n_end) of Y for kX rows of X, which add the part [k0, k0 + depth) of K.
template <int kX>
QLAB_AVX2 inline void add_depth(const float* x_block, const Int4Weights& W, std::int64_t n0,
                                std::int64_t n_end, std::int64_t k0, std::int64_t depth,
                                MatrixView<float> Y) {
  constexpr int kW = kX == 1 ? 4 : 2;  // four independent sums or more, without spills
  for (std::int64_t n = n0; n < n_end; n += kW) {
    std::int64_t rows[kW];  // rows past the end repeat the last one; their sums are dropped
    std::int64_t next[kW];
    for (int r = 0; r < kW; ++r) {
      rows[r] = std::min(n + r, n_end - 1);
      next[r] = std::min(n + kW + r, W.N() - 1);
    }
    __m256 total[kW][kX];
    for (auto& of_row : total) std::fill_n(of_row, kX, _mm256_setzero_ps());
    for (std::int64_t k = k0; k < k0 + depth;) {
      const std::int64_t g = k / W.group_size;
      const std::int64_t count = std::min(W.group_size - k % W.group_size, k0 + depth - k);
      const float* x[kX];
      for (int m = 0; m < kX; ++m) x[m] = x_block + m * kFewRowsDepth + (k - k0);
      add_run(x, W, rows, next, g, k, count, total);
      k += count;
    }
    for (int r = 0; r < kW && n + r < n_end; ++r) {
      for (int m = 0; m < kX; ++m) Y(m, n + r) += avx2::sum_of_lanes(total[r][m]);
    }
  }
}

/// Columns [n0, n0 + kFewRowsColumns) of Y for kX rows of X; group_size % kChunk == 0.
template <int kX>
QLAB_AVX2 void few_rows(MatrixView<const half_t> X, const Int4Weights& W, std::int64_t n0,
                        MatrixView<float> Y) {
  alignas(64) float x_block[kX * kFewRowsDepth];
  const std::int64_t n_end = std::min(n0 + avx2::kFewRowsColumns, W.N());
  for (int m = 0; m < kX; ++m) std::fill(Y.row(m) + n0, Y.row(m) + n_end, 0.0F);
  for (std::int64_t k0 = 0; k0 < W.K; k0 += kFewRowsDepth) {
    const std::int64_t depth = std::min(kFewRowsDepth, W.K - k0);
    for (int m = 0; m < kX; ++m) widen_x(X, m, k0, depth, x_block + m * kFewRowsDepth);
    add_depth<kX>(x_block, W, n0, n_end, k0, depth, Y);
  }
}

// Many rows of X: bound by the multiply-add units, in the loops of common/gemm_avx2.h.

/// Fills blocks of W with dequantized weights.
struct WidenInt4 {
  Int4Weights from;

  QLAB_AVX2 void operator()(std::int64_t n, std::int64_t k0, std::int64_t count, float* to) const {
    const std::int64_t end = k0 + count;
    for (std::int64_t k = k0; k < end;) {
      const std::int64_t left_of_group = from.group_size - k % from.group_size;
      const std::int64_t run = std::min({left_of_group, end - k, std::int64_t{kChunk}});
      widen_run(n, k, run, to + (k - k0));
      k += run;
    }
    std::fill(to + count, to + (count + kLanes - 1) / kLanes * kLanes, 0.0F);
  }

 private:
  /// Columns [k, k + count) of row n, at most a chunk and all of one group.
  QLAB_AVX2 void widen_run(std::int64_t n, std::int64_t k, std::int64_t count, float* to) const {
    const std::int64_t g = k / from.group_size;
    const bool whole = count == kChunk && k % 2 == 0;
    std::uint8_t copied[kChunk / 2];
    if (!whole) copy_codes(from, n, k, count, copied);
    const std::uint8_t* const codes = whole ? from.qweight.row(n) + k / 2 : copied;

    const __m256i natural_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // undoes spread8's
    const __m256i bytes = unpack(codes, zero_points(from, n, g));
    const __m256 scale = scale_of_spread8(from, n, g);
    float chunk[kChunk];
    float* const target = count == kChunk ? to : chunk;
#pragma GCC unroll 4
    for (int j = 0; j < kChunk / kLanes; ++j) {
      const __m256 weights = _mm256_mul_ps(spread8(bytes, j), scale);
      _mm256_storeu_ps(target + j * kLanes, _mm256_permutevar8x32_ps(weights, natural_order));
    }
    if (count < kChunk) std::copy_n(chunk, count, to);
  }
};

}  // namespace

void w4a16_gemm_v2_avx2(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                        ThreadPool& threads) {
  if (X.rows() > avx2::kFewRows || W.group_size % kChunk != 0) {
    avx2::for_columns(W.N(), avx2::kColumns, threads, [&](std::int64_t n0) {
      avx2::many_rows(avx2::WidenRow<half_t>{X}, WidenInt4{W}, W.K, n0, Y);
    });
    return;
  }
  avx2::for_columns(W.N(), avx2::kFewRowsColumns, threads, [&](std::int64_t n0) {
    avx2::with_few_rows(X.rows(), [&](auto rows) { few_rows<rows()>(X, W, n0, Y); });
  });
}

}  // namespace qlab

#endif  // QLAB_X86
