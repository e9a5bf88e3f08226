// SPDX-License-Identifier: Apache-2.0
/// \file
/// The loops of AMX over 4-bit weights: a group becomes integers once, in the first cache, for all tiles
/// of X; its sums meet their scales when they leave the tiles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "03_int4_weight_only/int4_panels.h"
#include "common/amx.h"

#if QLAB_X86
#include <immintrin.h>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab::int4_amx {

inline constexpr std::int64_t kBlockSteps = 4;  // of a group unpacked at a time: 8 KiB
inline constexpr std::int64_t kBlockTiles = 4;  // of X between two epilogues
inline constexpr std::int64_t kBlockBytes = std::int64_t{1} << 20;  // of X in the second cache
inline constexpr std::int64_t kAheadBytes = 2048;                   // of W fetched ahead

/// How K is cut into steps of `step_k` for tiles: every group starts a step of its own.
struct Steps {
  const Int4Panels& W;
  std::int64_t step_k;

  /// Of group g.
  std::int64_t of_group(std::int64_t g) const { return (W.group_length(g) + step_k - 1) / step_k; }
  /// Before group g.
  std::int64_t before(std::int64_t g) const { return g == 0 ? 0 : g * of_group(0); }
  /// Of a row.
  std::int64_t all() const {
    return W.groups() == 0 ? 0 : before(W.groups() - 1) + of_group(W.groups() - 1);
  }
};

/// Codes of 16 columns minus their zero points, as signed bytes: of k … k + 3 of a chunk, of k + 4 ….
struct Integers {
  __m512i lower, upper;
};

/// The zero points of 16 columns [16], four times each: as codes lie in a chunk.
QLAB_AVX512 inline __m512i spread_zero_points(const std::uint8_t* from) {
  const __m512i z = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return _mm512_mullo_epi32(z, _mm512_set1_epi32(0x01010101));
}

/// One half of a chunk: 16 columns, codes [64] of two k each.
QLAB_AVX512 inline Integers integers(const std::uint8_t* codes, __m512i zero) {
  const __m512i mask = _mm512_set1_epi8(kInt4Max);
  const __m512i both = _mm512_loadu_si512(codes);
  _mm_prefetch(reinterpret_cast<const char*>(codes + kAheadBytes), _MM_HINT_T0);
  return {_mm512_sub_epi8(_mm512_and_si512(both, mask), zero),
          _mm512_sub_epi8(_mm512_and_si512(_mm512_srli_epi16(both, 4), mask), zero)};
}

/// totals [rows, 32] += scales [32] in FP16 · sums [rows, 32]; sums are float or int32.
template <class Sum>
QLAB_AVX512 void add_scaled(const Sum* sums, int rows, const std::uint8_t* scales, float* totals) {
  const auto scale = [scales](int n) QLAB_AVX512 {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales + 2 * n)));
  };
  const __m512 factor[2] = {scale(0), scale(16)};
  for (int r = 0; r < rows; ++r, sums += kPanelColumns, totals += kPanelColumns) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      __m512 sum;
      if constexpr (std::is_integral_v<Sum>) {
        sum = _mm512_cvtepi32_ps(_mm512_load_si512(sums + 16 * h));
      } else {
        sum = _mm512_load_ps(sums + 16 * h);
      }
      const __m512 before = _mm512_load_ps(totals + 16 * h);
      _mm512_store_ps(totals + 16 * h, _mm512_fmadd_ps(sum, factor[h], before));
    }
  }
}

/// Sums that have left their tiles, and where they belong.
template <class Sum>
struct Pending {
  const Sum* sums = nullptr;
  int rows = 0;
  const std::uint8_t* scales = nullptr;
  float* totals = nullptr;

  /// Adds them, if there are any.
  void finish() const {
    if (sums != nullptr) add_scaled(sums, rows, scales, totals);
  }
};

/// The totals of tiles [t0, t_end) of X with a panel. A group that is longer than a block keeps its sums
/// in memory from block to block. Sums are scaled one tile late: read at once, they would be waited
/// for, while the next tiles can be multiplied meanwhile.
///
/// \tparam Kernel  Sum, Weight, unpack(codes, chunks, zero_points, to) and add(rows, x, w)
template <class Kernel>
void multiply_panel(amx::Rows& x, std::int64_t t0, std::int64_t t_end, const Int4Panels& W,
                    const Steps& steps, std::int64_t panel, float* totals) {
  using Sum = typename Kernel::Sum;
  using Weight = typename Kernel::Weight;
  constexpr std::int64_t kStepWeights = 2 * amx::kTile / std::int64_t{sizeof(Weight)};
  alignas(64) Sum sums[2][kBlockTiles * amx::kRows * kPanelColumns];  // of even and of odd groups
  alignas(64) Weight w[kBlockSteps * kStepWeights] = {};
  const std::int64_t chunks_of_step = steps.step_k / kChunkK;
  Pending<Sum> pending;
  int shape = 0;
  for (std::int64_t g = 0; g < W.groups(); ++g) {
    const std::int64_t chunks = int4_chunks(W.group_length(g));
    for (std::int64_t s0 = 0; s0 < steps.of_group(g); s0 += kBlockSteps) {
      const std::int64_t count = std::min(kBlockSteps, steps.of_group(g) - s0);
      const std::int64_t first_chunk = s0 * chunks_of_step;
      Kernel::unpack(W.codes(panel, g) + first_chunk * kChunkBytes,
                     std::min(chunks - first_chunk, count * chunks_of_step),
                     W.zero_points(panel, g), w);
      for (std::int64_t t = t0; t < t_end; ++t) {
        if (x.rows(t) != shape) amx::configure(shape = x.rows(t));
        const std::int64_t row = (x.first(t) - x.first(t0)) * kPanelColumns;
        const amx::Sums in_memory{shape, sums[g % 2] + row};
        s0 == 0 ? in_memory.zero() : in_memory.load();
        for (std::int64_t s = 0; s < count; ++s) {
          Kernel::add(shape, x.step(t, steps.before(g) + s0 + s), w + s * kStepWeights);
        }
        in_memory.store();
        if (s0 + count < steps.of_group(g)) continue;
        pending.finish();
        pending = {sums[g % 2] + row, shape, W.scales(panel, g), totals + row};
      }
    }
  }
  pending.finish();
  amx::release();
}

/// Y from rows that are filled. A task is a panel and as many tiles of X as the second cache holds
/// beside it.
///
/// \param write_row  write_row(m, n0, columns, totals) writes row m of Y from column n0 on
template <class Kernel, class WriteRow>
void multiply(amx::Rows& x, const Int4Panels& W, const Steps& steps, int planes,
              ThreadPool& threads, const WriteRow& write_row) {
  const std::int64_t tile_bytes = amx::kRows * steps.all() * planes * amx::kTileBytes;
  const std::int64_t together =
      std::clamp<std::int64_t>(kBlockBytes / std::max<std::int64_t>(tile_bytes, 1), 1, kBlockTiles);
  const std::int64_t panels = panel_count(W.N);
  threads.run((x.count() + together - 1) / together * panels, [&](std::int64_t task) {
    alignas(64) float totals[kBlockTiles * amx::kRows * kPanelColumns] = {};
    const std::int64_t panel = task % panels;
    const std::int64_t n0 = panel * kPanelColumns;
    const std::int64_t t0 = task / panels * together;
    const std::int64_t t_end = std::min(t0 + together, x.count());
    multiply_panel<Kernel>(x, t0, t_end, W, steps, panel, totals);
    for (std::int64_t m = x.first(t0); m < x.first(t_end); ++m) {
      write_row(m, n0, std::min(kPanelColumns, W.N - n0),
                totals + (m - x.first(t0)) * kPanelColumns);
    }
  });
}

}  // namespace qlab::int4_amx
#endif
