// SPDX-License-Identifier: Apache-2.0
/// \file
/// Columns: a warp's softmax on tensor cores, a column a query head. v4 and v5 of
/// attention_decode_cuda are made of it.
#pragma once

#include "04_kv_cache/attention_decode_cuda_fragments.h"
#include "04_kv_cache/attention_decode_cuda_lanes.h"
#include "04_kv_cache/attention_decode_cuda_parts.h"

namespace qlab::decode {

inline constexpr int kWarps = 4, kThreads = kWarps * 32;
inline constexpr int kHeads = 8;  // columns; those that the group does not have are zeros
inline constexpr float kSmallest = 0x1p-24F;  // FP16's

template <DecodeFormat kFormat>
inline constexpr bool kHasGrids = kFormat == DecodeFormat::kInt8 || kFormat == DecodeFormat::kInt4;

/// Scale and minimum of the token in that row, as bits; zeros for one that does not exist.
template <DecodeFormat kFormat>
__device__ std::uint32_t load_grid_bits(const DecodeTensor& tensor, std::size_t row, bool exists) {
  if (!kHasGrids<kFormat> || !exists) return 0;
  if constexpr (kFormat == DecodeFormat::kInt8) return __half_as_ushort(tensor.token_scale[row]);
  if constexpr (kFormat == DecodeFormat::kInt4) return word_of(tensor.token_grid[row]);
  return 0;
}

/// The grid that lane `from` has loaded.
__device__ inline float2 grid_of_lane(std::uint32_t bits, int from) {
  return __half22float2(pair_of(__shfl_sync(kAllLanes, bits, from)));
}

/// Over the lanes of one column pair, which hold different tokens.
template <class Combine>
__device__ float over_tokens(float x, Combine combine) {
  for (int d = 4; d <= 16; d *= 2) x = combine(x, __shfl_xor_sync(kAllLanes, x, d));
  return x;
}
/// The largest x of the lanes that hold the tokens of a column.
__device__ inline float max_over_tokens(float x) {
  return over_tokens(x, [](float a, float b) { return fmaxf(a, b); });
}
/// The sum of x over these lanes.
__device__ inline float sum_over_tokens(float x) {
  return over_tokens(x, [](float a, float b) { return a + b; });
}

/// The power of two from `scale` on, and one over it: exact, so no new unit rounds o.
__device__ inline void unit_of(float scale, float& unit, float& per_unit) {
  const std::uint32_t exponent = (__float_as_uint(scale) + 0x007F'FFFF) & 0x7F80'0000;
  unit = __uint_as_float(exponent);
  per_unit = __uint_as_float(0x7F00'0000 - exponent);  // 2·127 - the biased exponent
}

/// A warp's softmax. A lane has columns 2·(lane % 4) and the next, in both matrices.
template <DecodeFormat kFormat, int kHeadDim>
struct Columns {
  using Tile = MmaTile<kFormat, kHeadDim>;
  static constexpr int kUnit = Tile::kUnit, kSteps = kHeadDim / 16, kTokens = Tile::kTokens;

  int lane, row, column;                // row: lane / 4, column: 2·(lane % 4)
  std::uint32_t query[kSteps][2];       // B = qᵀ
  float query_sum[2];                   //
  float m[2] = {-INFINITY, -INFINITY};  // the same in all lanes of a column
  float l[2] = {}, lift[2] = {};        // of this lane's tokens: Σ weight, Σ weight · minimum
  float unit = kSmallest;   // a power of two, from the largest scale of V so far on: o counts in it
  float o[kSteps][4] = {};  // Oᵀ = Vᵀ·Pᵀ: 16 channels, 8 heads

  /// The channel that a unit of a piece has in one of the two blocks of a step.
  static __device__ int channel(int step, int block, int unit_index) {
    const int n = 2 * (step % kUnit) + block;  // of the 2·kUnit blocks of two pieces
    const int piece = step / kUnit * 2 + n / kUnit;
    return (piece * 8 + unit_index) * kUnit + code_of<kFormat>(n % kUnit);
  }

  /// q [group, kHeadDim]
  __device__ Columns(const half* q, int group, int lane_number)
      : lane(lane_number), row(lane / 4), column(lane % 4 * 2) {
    float sum = 0;
    QLAB_UNROLL
    for (int i = 0; i < kSteps * 2; ++i) {
      const half zero = __ushort_as_half(0);
      const half* const head = q + row * kHeadDim;
      const half first = row < group ? head[channel(i / 2, i % 2, column)] : zero;
      const half second = row < group ? head[channel(i / 2, i % 2, column + 1)] : zero;
      query[i / 2][i % 2] = word_of(__halves2half2(first, second));
      sum += __half2float(first) + __half2float(second);
    }
    sum += __shfl_xor_sync(kAllLanes, sum, 1);
    sum += __shfl_xor_sync(kAllLanes, sum, 2);  // of head `row`
    for (int c = 0; c < 2; ++c) query_sum[c] = __shfl_sync(kAllLanes, sum, 4 * (column + c));
  }

  /// s = K·qᵀ of a tile: s[i / 2][i % 2 · 2 + c] is of token row + 8·i and head column + c. Steps
  /// with different divisors have their own sums: q times 16 might overflow.
  __device__ void multiply_keys(float (&s)[kTokens / 16][4], const unsigned char* keys) const {
    constexpr int kSums = kFormat == DecodeFormat::kInt4 ? 2 : 1;
    float sums[kTokens / 16][kSums][4] = {};
    QLAB_UNROLL
    for (int piece = 0; piece < Tile::kPieces; piece += 2) {
      QLAB_UNROLL
      for (int tokens = 0; tokens < kTokens; tokens += 16) {
        std::uint32_t a[kUnit][4];
        load_fragments<kFormat, kHeadDim, false>(a, keys, tokens, piece, lane);
        QLAB_UNROLL
        for (int n = 0; n < kUnit; ++n) {
          ptx::mma_m16n8k16_f16(sums[tokens / 16][n % kSums], a[n], query[piece / 2 * kUnit + n]);
        }
      }
    }
    QLAB_UNROLL
    for (int i = 0; i < kTokens / 4; ++i) {
      s[i / 4][i % 4] = 0;
      QLAB_UNROLL
      for (int n = 0; n < kSums; ++n) {
        s[i / 4][i % 4] =
            __fmaf_rn(sums[i / 4][n][i % 4], divisor_of<kFormat>(2 * n), s[i / 4][i % 4]);
      }
    }
  }

  /// Takes the scores of `exist` tokens into the softmax; weights, in V's unit, to shared memory.
  __device__ void take_scores(const float (&s)[kTokens / 16][4], float score_scale, int exist,
                              std::uint32_t k_bits, std::uint32_t v_bits, half2* weights) {
    constexpr int kMine = kTokens / 8;  // tokens of this lane
    float score[kMine][2], largest[2] = {m[0], m[1]};
    QLAB_UNROLL
    for (int i = 0; i < kMine; ++i) {
      const int token = row + 8 * i;
      float2 grid{1, 0};
      if constexpr (kHasGrids<kFormat>) grid = grid_of_lane(k_bits, token);
      QLAB_UNROLL
      for (int c = 0; c < 2; ++c) {
        float raw = s[i / 2][i % 2 * 2 + c];
        if constexpr (kHasGrids<kFormat>) raw *= grid.x;
        if constexpr (kFormat == DecodeFormat::kInt4) raw = __fmaf_rn(grid.y, query_sum[c], raw);
        score[i][c] = token < exist ? __fmul_rn(raw, score_scale) : -INFINITY;
        largest[c] = fmaxf(largest[c], score[i][c]);
      }
    }
    float2 v_grid[kMine];
    float new_unit = unit;
    QLAB_UNROLL
    for (int i = 0; i < kMine; ++i) {
      v_grid[i] = float2{1, 0};
      if constexpr (!kHasGrids<kFormat>) continue;
      v_grid[i] = grid_of_lane(v_bits, row + 8 * i);
      new_unit = fmaxf(new_unit, v_grid[i].x);
    }
    float shrink = 1, per_unit = 1;
    if constexpr (kHasGrids<kFormat>) {
      unit_of(max_over_tokens(new_unit), new_unit, per_unit);
      shrink = unit * per_unit;
      unit = new_unit;
    }
    float keep[2];
    QLAB_UNROLL
    for (int c = 0; c < 2; ++c) {
      largest[c] = max_over_tokens(largest[c]);  // finite: a token of the tile exists
      keep[c] = exp2f(m[c] - largest[c]);
      m[c] = largest[c];
      l[c] *= keep[c];
      lift[c] *= keep[c];
    }
    QLAB_UNROLL
    for (int i = 0; i < kMine; ++i) {
      float weight[2];
      QLAB_UNROLL
      for (int c = 0; c < 2; ++c) {
        weight[c] = exp2f(score[i][c] - m[c]);
        l[c] += weight[c];
        if constexpr (kFormat == DecodeFormat::kInt4) {
          lift[c] = __fmaf_rn(weight[c], v_grid[i].y, lift[c]);
        }
        if constexpr (kHasGrids<kFormat>) weight[c] *= v_grid[i].x * per_unit;  // at most 1: FP16
      }
      weights[(row + 8 * i) * 4 + column / 2] = __floats2half2_rn(weight[0], weight[1]);
    }
    // The largest scores rise ever more rarely; as a rule all factors are 1.
    if (__any_sync(kAllLanes, keep[0] * keep[1] * shrink != 1) == 0) return;
    QLAB_UNROLL
    for (int i = 0; i < kSteps * 4; ++i) o[i / 4][i % 4] *= keep[i % 2] * shrink;
  }

  /// Adds Vᵀ·Pᵀ of a tile. weights [kTokens, 8] become B = Pᵀ by a transposing load.
  __device__ void multiply_values(const unsigned char* values, const unsigned char* weights) {
    QLAB_UNROLL
    for (int tokens = 0; tokens < kTokens; tokens += 16) {
      std::uint32_t p[2];
      ptx::ldmatrix_x2_trans(p, weights + (tokens + lane % 16) * 16);
      QLAB_UNROLL
      for (int piece = 0; piece < Tile::kPieces; piece += 2) {
        std::uint32_t a[kUnit][4];
        load_fragments<kFormat, kHeadDim, true>(a, values, tokens, piece, lane);
        QLAB_UNROLL
        for (int n = 0; n < kUnit; ++n) {
          ptx::mma_m16n8k16_f16(o[piece / 2 * kUnit + n], a[n], p);
        }
      }
    }
  }

  /// Leaves the warp's part; `scale` is V's, if all tokens have the same.
  __device__ void store(const WarpParts<kHeadDim, kHeads, kWarps>& parts, int warp, float scale) {
    if constexpr (kHasGrids<kFormat>) scale = unit;
    QLAB_UNROLL
    for (int c = 0; c < 2; ++c) {
      l[c] = sum_over_tokens(l[c]);
      lift[c] = sum_over_tokens(lift[c]);
      const int part = warp * kHeads + column + c;
      QLAB_UNROLL
      for (int i = 0; i < kSteps * 2; ++i) {
        parts.o[part * kHeadDim + channel(i / 2, i % 2, row)] =
            __fmaf_rn(o[i / 2][i % 2 * 2 + c], scale * divisor_of<kFormat>(i), lift[c]);
      }
      if (row == 0) parts.m[part] = m[c], parts.l[part] = l[c];
    }
  }
};

}  // namespace qlab::decode
