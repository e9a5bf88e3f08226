// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a8_gemm, rung 2: bytes multiplied as bytes, because here their sums fit in 16 bits.
///
/// Idea    vpmaddubsw multiplies unsigned by signed bytes and adds two products to an int16. Codes
///         of 8 bits saturate it, 2 · 255 · 127, so w8a8_gemm widens them first; a code of 4 bits
///         leaves 2 · 15 · 128 = 3840, and even eight such sums fit: 30720. So the sums go on to 32
///         bits only every 32 k
/// Before  rung 1 takes a code out of its byte for every product
/// Needs   avx2, fma, f16c
#include "03_int4_weight_only/w4a8_gemm.h"
#include "03_int4_weight_only/w4a8_tiles.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

constexpr int kRows = 4;                // of X in a tile: 8 sums of 16 bits, and what makes them
constexpr int kLanes = 8;               // columns in a register
constexpr int kHalf = 2 * kLanes;       // columns that a tile takes at a time
constexpr int kAhead = 2048;            // bytes of W fetched ahead
constexpr std::int64_t kMaxChunks = 4;  // eight steps: 8 · 3840 < 2¹⁵

/// For each row of the tile, -Σx over group g.
QLAB_AVX2 void find_starts(w4a8::Tiles& tiles, std::int64_t t, std::int64_t g) {
  const int rows = tiles.rows(t);
  const std::int32_t* x = tiles.words(t, g);
  // A row a lane. What lies beyond the rows is the next tile, which another thread may be writing.
  const __m128i valid = _mm_cmpgt_epi32(_mm_set1_epi32(rows), _mm_setr_epi32(0, 1, 2, 3));
  __m128i sum = _mm_setzero_si128();
  for (std::int64_t s = 0; s < tiles.steps(g); ++s, x += rows) {
    const __m128i pairs = _mm_maddubs_epi16(_mm_set1_epi8(1), _mm_maskload_epi32(x, valid));
    sum = _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(-1)));
  }
  _mm_maskstore_epi32(tiles.starts(t, g), valid, sum);
}

QLAB_AVX2 inline __m256i load(const std::uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
QLAB_AVX2 inline __m256i zero_points(const std::uint8_t* from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
QLAB_AVX2 inline __m256 scales(const std::uint8_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

/// sum[r][h] += the products of a step, two in each 16-bit lane.
template <int R>
[[gnu::always_inline]] QLAB_AVX2 inline void add_step(const std::int32_t* x, const __m256i (&w)[2],
                                                      __m256i (&sum)[R][2]) {
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const __m256i four = _mm256_set1_epi32(x[r]);
    sum[r][0] = _mm256_add_epi16(sum[r][0], _mm256_maddubs_epi16(w[0], four));
    sum[r][1] = _mm256_add_epi16(sum[r][1], _mm256_maddubs_epi16(w[1], four));
  }
}

/// Codes of 8 columns and four k: in the lower half of each byte, in the upper.
QLAB_AVX2 inline __m256i lower(__m256i codes) {
  return _mm256_and_si256(codes, _mm256_set1_epi8(kInt4Max));
}
QLAB_AVX2 inline __m256i upper(__m256i codes) {
  return lower(_mm256_srli_epi16(codes, 4));  // there is no shift of bytes
}

/// The steps of some chunks one behind the other, a byte a code.
QLAB_AVX2 void unpack(const std::uint8_t* codes, std::int64_t chunks, std::uint8_t* out) {
  for (; chunks > 0; --chunks, codes += kChunkBytes, out += 2 * kChunkBytes) {
    for (int i = 0; i < kChunkBytes; i += 32) {
      const __m256i both = load(codes + i);
      _mm256_store_si256(reinterpret_cast<__m256i*>(out + i), lower(both));
      _mm256_store_si256(reinterpret_cast<__m256i*>(out + kChunkBytes + i), upper(both));
    }
  }
}

/// sum[r][h] += the products of up to kMaxChunks chunks of 16 columns, added in 32 bits.
template <int R, bool kUnpacked>
[[gnu::always_inline]] QLAB_AVX2 inline void add_chunks(const std::int32_t* x,
                                                        const std::uint8_t* codes,
                                                        std::int64_t chunks, __m256i (&sum)[R][2]) {
  __m256i short_sum[R][2];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) short_sum[r][0] = short_sum[r][1] = _mm256_setzero_si256();
  for (; chunks > 0; --chunks, x += w4a8::kStepsOfChunk * R) {
    if constexpr (kUnpacked) {
      add_step<R>(x, {load(codes), load(codes + 32)}, short_sum);
      codes += kChunkBytes;
      add_step<R>(x + R, {load(codes), load(codes + 32)}, short_sum);
    } else {
      _mm_prefetch(reinterpret_cast<const char*>(codes + kAhead), _MM_HINT_T0);
      const __m256i both[2] = {load(codes), load(codes + 32)};
      add_step<R>(x, {lower(both[0]), lower(both[1])}, short_sum);
      add_step<R>(x + R, {upper(both[0]), upper(both[1])}, short_sum);
    }
    codes += kChunkBytes;
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      // vpmaddwd adds neighbours in 32 bits; times one, which is exact.
      sum[r][h] =
          _mm256_add_epi32(sum[r][h], _mm256_madd_epi16(short_sum[r][h], _mm256_set1_epi16(1)));
    }
  }
}

/// totals[r, n] += scale[n] · (Σ x[r] · w[n] - zero_point[n] · Σ x[r]) over one group, for the 16
/// columns from c on.
template <int R, bool kUnpacked>
QLAB_AVX2 void add_group(const std::int32_t* x, const std::int32_t* starts,
                         const w4a8::Group& group, int c, float* totals) {
  const std::uint8_t* zeros = group.zero_points + c;
  const __m256i zero[2] = {zero_points(zeros), zero_points(zeros + kLanes)};
  __m256i sum[R][2];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const __m256i start = _mm256_set1_epi32(starts[r]);
    sum[r][0] = _mm256_mullo_epi32(zero[0], start);
    sum[r][1] = _mm256_mullo_epi32(zero[1], start);
  }

  constexpr std::int64_t kStride = kUnpacked ? 2 * kChunkBytes : kChunkBytes;
  for (std::int64_t i = 0; i < group.chunks; i += kMaxChunks) {
    add_chunks<R, kUnpacked>(x + i * w4a8::kStepsOfChunk * R,
                             group.codes + i * kStride + c * w4a8::kWordCodes,
                             std::min(group.chunks - i, kMaxChunks), sum);
  }

  const std::uint8_t* halves = group.scales + 2 * c;
  const __m256 factor[2] = {scales(halves), scales(halves + 2 * kLanes)};
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      float* const total = totals + r * kPanelColumns + c + h * kLanes;
      _mm256_store_ps(
          total, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][h]), factor[h], _mm256_load_ps(total)));
    }
  }
}

void write_row(const float* totals, float scale, std::int64_t columns, float* y) {
  for (std::int64_t c = 0; c < columns; ++c) y[c] = totals[c] * scale;
}

}  // namespace

void w4a8_gemm_v2_avx2(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                       ThreadPool& threads) {
  w4a8::Tiles tiles(X, W, kRows);
  threads.run(tiles.count(), [&](std::int64_t t) {
    tiles.fill(t);
    for (std::int64_t g = 0; g < W.groups(); ++g) find_starts(tiles, t, g);
  });
  const auto add = [](w4a8::Tiles& all, std::int64_t t, std::int64_t g, const w4a8::Group& group,
                      float* totals) {
    w4a8::with_rows<kRows>(all.rows(t), [&](auto rows) {
      const auto add_half = group.unpacked ? add_group<rows(), true> : add_group<rows(), false>;
      for (int c = 0; c < kPanelColumns; c += kHalf) {
        add_half(all.words(t, g), all.starts(t, g), group, c, totals);
      }
    });
  };
  w4a8::multiply(X, W, tiles, kRows, Y, threads, unpack, add, write_row);
}

}  // namespace qlab
#endif
