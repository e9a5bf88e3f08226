// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a8_gemm, rung 3: codes as they are, four products and their sum in one instruction.
///
/// Idea    vpdpbusd multiplies unsigned by signed bytes: the codes of W are the one and those of X
///         the other, so neither needs an offset. The zero point leaves the sum, Σ x · (w - z) =
///         Σ x · w - z · Σ x, and is its start value
/// Before  rung 2 needs two instructions for half as many products, and empties its 16-bit sums
/// Needs   avx512 f, bw, dq, vl and vnni
#include "03_int4_weight_only/w4a8_gemm.h"
#include "03_int4_weight_only/w4a8_tiles.h"

#if QLAB_X86
#include <immintrin.h>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {
namespace {

constexpr int kRows = 12;     // of X in a tile: 24 sums, 2 weights and an x fit 32 registers
constexpr int kHalf = 16;     // columns in a register
constexpr int kAhead = 2048;  // bytes of W fetched ahead: memory answers some hundred cycles later
constexpr int kLowBits = 11;  // of Σx in its lower piece

/// For each row of the tile, -Σx over group g in two 16-bit pieces: its lowest 11 bits, and the
/// rest, which fits because |Σx| ≤ 128 · kW4A8MaxGroup < 2²⁶.
QLAB_AVX512_VNNI void find_starts(w4a8::Tiles& tiles, std::int64_t t, std::int64_t g) {
  const int rows = tiles.rows(t);
  const std::int32_t* x = tiles.words(t, g);
  // A row a lane. What lies beyond the rows is the next tile, which another thread may be writing.
  const auto valid = static_cast<__mmask16>((1U << rows) - 1);
  __m512i sum = _mm512_setzero_si512();
  for (std::int64_t s = 0; s < tiles.steps(g); ++s, x += rows) {
    sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_maskz_loadu_epi32(valid, x));
  }
  const __m512i negative = _mm512_sub_epi32(_mm512_setzero_si512(), sum);
  const __m512i low = _mm512_and_si512(negative, _mm512_set1_epi32((1 << kLowBits) - 1));
  const __m512i high = _mm512_slli_epi32(_mm512_srai_epi32(negative, kLowBits), 16);
  _mm512_mask_storeu_epi32(tiles.starts(t, g), valid, _mm512_or_si512(low, high));
}

/// Zero points of 16 columns, as they meet those pieces: z and z · 2¹¹ in a 32-bit lane.
QLAB_AVX512_VNNI inline __m512i zero_points(const std::uint8_t* from) {
  const __m512i z = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return _mm512_or_si512(z, _mm512_slli_epi32(z, 16 + kLowBits));
}

QLAB_AVX512_VNNI inline __m512 scales(const std::uint8_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

/// sum[r][h] += the products of a step: four k of each row of X with 16 columns of half h.
template <int R>
[[gnu::always_inline]] QLAB_AVX512_VNNI inline void add_step(const std::int32_t* x,
                                                             const __m512i (&w)[2],
                                                             __m512i (&sum)[R][2]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    const __m512i four = _mm512_set1_epi32(x[r]);
    sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], w[0], four);
    sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], w[1], four);
    // GCC 12 would keep the sums in memory, at half the speed. An empty instruction that changes a
    // register keeps them there.
    asm("" : "+v"(sum[r][0]), "+v"(sum[r][1]));
  }
}

/// Codes of 16 columns and four k: in the lower half of each byte, in the upper.
QLAB_AVX512_VNNI inline __m512i lower(__m512i codes) {
  return _mm512_and_si512(codes, _mm512_set1_epi8(kInt4Max));
}
QLAB_AVX512_VNNI inline __m512i upper(__m512i codes) {
  return lower(_mm512_srli_epi16(codes, 4));  // there is no shift of bytes
}

/// The steps of some chunks one behind the other, a byte a code.
QLAB_AVX512_VNNI void unpack(const std::uint8_t* codes, std::int64_t chunks, std::uint8_t* out) {
  for (; chunks > 0; --chunks, codes += kChunkBytes, out += 2 * kChunkBytes) {
    const __m512i both[2] = {_mm512_loadu_si512(codes), _mm512_loadu_si512(codes + 64)};
    _mm512_store_si512(out, lower(both[0]));
    _mm512_store_si512(out + 64, lower(both[1]));
    _mm512_store_si512(out + 128, upper(both[0]));
    _mm512_store_si512(out + 192, upper(both[1]));
  }
}

/// totals[r, n] += scale[n] · (Σ x[r] · w[n] - zero_point[n] · Σ x[r]) over one group.
template <int R, bool kUnpacked>
QLAB_AVX512_VNNI void add_group(const std::int32_t* x, const std::int32_t* starts,
                                const w4a8::Group& group, float* totals) {
  __m512i sum[R][2];
  const __m512i zero[2] = {zero_points(group.zero_points), zero_points(group.zero_points + kHalf)};
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    // vpdpwssd adds the products of both pieces: z · low + z · 2¹¹ · high = -z · Σx.
    const __m512i start = _mm512_set1_epi32(starts[r]);
    sum[r][0] = _mm512_dpwssd_epi32(_mm512_setzero_si512(), zero[0], start);
    sum[r][1] = _mm512_dpwssd_epi32(_mm512_setzero_si512(), zero[1], start);
    asm("" : "+v"(sum[r][0]), "+v"(sum[r][1]));
  }

  const std::uint8_t* codes = group.codes;
  std::int64_t chunks = group.chunks;
  do {  // a group has a chunk; GCC 12 would move all sums for the case that it had none
    if constexpr (kUnpacked) {
      for (int s = 0; s < w4a8::kStepsOfChunk; ++s, codes += kChunkBytes, x += R) {
        add_step<R>(x, {_mm512_load_si512(codes), _mm512_load_si512(codes + 64)}, sum);
      }
    } else {
      _mm_prefetch(reinterpret_cast<const char*>(codes + kAhead), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(codes + kAhead + 64), _MM_HINT_T0);
      const __m512i both[2] = {_mm512_loadu_si512(codes), _mm512_loadu_si512(codes + 64)};
      add_step<R>(x, {lower(both[0]), lower(both[1])}, sum);
      add_step<R>(x + R, {upper(both[0]), upper(both[1])}, sum);
      codes += kChunkBytes;
      x += w4a8::kStepsOfChunk * R;
    }
  } while (--chunks > 0);

  const __m512 factor[2] = {scales(group.scales), scales(group.scales + 2 * kHalf)};
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      float* const total = totals + r * kPanelColumns + h * kHalf;
      _mm512_store_ps(
          total, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][h]), factor[h], _mm512_load_ps(total)));
    }
  }
}

QLAB_AVX512_VNNI void write_row(const float* totals, float scale, std::int64_t columns, float* y) {
  for (int h = 0; h < 2; ++h) {
    const std::int64_t left = std::clamp<std::int64_t>(columns - h * kHalf, 0, kHalf);
    const auto valid = static_cast<__mmask16>((1U << left) - 1);
    _mm512_mask_storeu_ps(y + h * kHalf, valid,
                          _mm512_mul_ps(_mm512_load_ps(totals + h * kHalf), _mm512_set1_ps(scale)));
  }
}

}  // namespace

void w4a8_gemm_v3_vnni(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                       ThreadPool& threads) {
  w4a8::Tiles tiles(X, W, kRows);
  threads.run(tiles.count(), [&](std::int64_t t) {
    tiles.fill(t);
    for (std::int64_t g = 0; g < W.groups(); ++g) find_starts(tiles, t, g);
  });
  const auto add = [](w4a8::Tiles& all, std::int64_t t, std::int64_t g, const w4a8::Group& group,
                      float* totals) {
    w4a8::with_rows<kRows>(all.rows(t), [&](auto rows) {
      const auto add_one = group.unpacked ? add_group<rows(), true> : add_group<rows(), false>;
      add_one(all.words(t, g), all.starts(t, g), group, totals);
    });
  };
  w4a8::multiply(X, W, tiles, kRows, Y, threads, unpack, add, write_row);
}

}  // namespace qlab
#endif
