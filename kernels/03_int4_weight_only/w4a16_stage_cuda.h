// SPDX-License-Identifier: Apache-2.0
/// \file
/// A stage of v5_mma in shared memory: codes, groups and X of one piece of work, the
/// copies that bring them and the mmas that take them.
///
/// Teaches      copies that repeat cost few instructions where all that does not change is computed
///              once
/// Leaves out   TMA, which asks for a whole box by one instruction and needs Hopper (v7_wgmma)
#pragma once

#include "03_int4_weight_only/w4a16_fragments_cuda.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"
#include "simt/ptx.h"

namespace qlab::w4a16 {

inline constexpr int kLanes = 32;
inline constexpr int kStrips = kW4A16BlockRows / kInt4StripRows;  // of a block

/// kEights: times eight tokens. Where tokens are few, warps are many and take one strip each; where
/// they are many, each word of X serves two strips.
template <int kEights, int kGroup_>
struct Plan {
  static constexpr int kGroup = kGroup_;
  static constexpr int kDepth = 128;                      // of K, in a stage
  static constexpr int kTiles = kDepth / kInt4TileK;      // of a strip, in a stage
  static constexpr int kXRow = kDepth / 8;                // loads of 16 bytes: a token's part
  static constexpr int kMyStrips = kEights <= 2 ? 1 : 2;  // of a warp
  static constexpr int kThreads = kStrips / kMyStrips * kLanes;
  static constexpr int kGroups = kDepth / kGroup;           // in a stage
  static constexpr int kCodes = kStrips * kTiles * kLanes;  // loads of 16 bytes of a stage: codes
  static constexpr int kScales = kStrips * kGroups * 4;     // and groups
  static constexpr int kX = kEights * 8 * kXRow;            // and X
  static constexpr int kStage = kCodes + kScales + kX;
  // What GPUs of capability 8.6 and 8.9 give a block, 99 KB, does not hold four of the largest.
  static constexpr int kStages = kStage > 99 * 16 ? 3 : 4;
};

/// This thread's copies, 16 bytes each, of every piece: a stage's depth of K, of 128 rows of W and
/// of all tokens. Which strip or token they belong to is known once and for all; per piece there is
/// little left to compute.
template <class P>
class Copies {
  static constexpr int kTiles = P::kTiles, kXRow = P::kXRow;

 public:
  /// For the operands of W4A16Cuda, in loads of 16 bytes.
  __device__ Copies(const uint4* W, const uint4* groups, const uint4* X, int M, int N, int K)
      : W_(W),
        groups_(groups),
        X_(X),
        strips_(int4_strips(N)),
        steps_(int4_tiles(K) / P::kTiles),
        M_(M),
        K_(K),
        code_(tid_ / kOfStrip * steps_ * kOfStrip + tid_ % kOfStrip),
        group_(tid_ / kOfGroups * steps_ * kOfGroups + tid_ % kOfGroups),
        x_(tid_ / kXRow * (K / 8) + tid_ % kXRow),
        // Odd rows swap halves of 64 bytes: two rows that are read at once lie in different banks.
        x_to_(P::kCodes + P::kScales + (tid_ ^ tid_ / kXRow % 2 * 4)) {}

  /// Those of piece `step` of 128 rows. What does not exist becomes 0.
  __device__ void start(uint4* stage, int rows, int step) const {
    const int piece = rows * kStrips * steps_ + step, strips = strips_ - rows * kStrips;
    const auto copy = [](uint4* to, const uint4* from, int at, bool valid) {
      ptx::cp_async_16_zfill(to, from + (valid ? at : 0), valid);
    };
    uint4* const to = stage + tid_;
    constexpr int kStripsAtOnce = P::kThreads / kOfStrip;
    QLAB_UNROLL
    for (int i = 0; i < P::kCodes / P::kThreads; ++i) {
      const int strip = i * kStripsAtOnce;
      copy(to + i * P::kThreads, W_, code_ + (strip * steps_ + piece) * kOfStrip,
           tid_ / kOfStrip + strip < strips);
    }
    if (tid_ < P::kScales) {
      copy(to + P::kCodes, groups_, group_ + piece * kOfGroups, tid_ / kOfGroups < strips);
    }
    const bool valid = step * P::kDepth + tid_ % kXRow * 8 < K_;
    constexpr int kTokensAtOnce = P::kThreads / kXRow;
    QLAB_UNROLL
    for (int i = 0; i * kTokensAtOnce < P::kX / kXRow; ++i) {
      const int m = tid_ / kXRow + i * kTokensAtOnce;
      if (i * kTokensAtOnce + kTokensAtOnce > P::kX / kXRow && m >= P::kX / kXRow) break;
      copy(stage + x_to_ + i * P::kThreads, X_, x_ + i * kTokensAtOnce * (K_ / 8) + step * kXRow,
           valid && m < M_);
    }
  }

 private:
  static constexpr int kOfStrip = kTiles * kLanes, kOfGroups = P::kGroups * 4;  // loads of a piece
  static_assert(P::kScales <= P::kThreads && P::kThreads % (2 * kXRow) == 0);

  const uint4 *W_, *groups_, *X_;
  int tid_ = static_cast<int>(threadIdx.x);
  int strips_, steps_, M_, K_;
  int code_, group_, x_;  // where the first copy of each kind begins, in piece 0
  int x_to_;              // and where in a stage that of X goes
};

/// Adds one piece to this lane's sums.
template <class P, int S, int kEights>
__device__ void multiply(float (&sum)[S][kEights][4], const uint4* stage, int first_strip,
                         int lane) {
  const int g = lane / 4, t = lane % 4;
  const uint2* const groups = reinterpret_cast<const uint2*>(stage + P::kCodes);
  const uint4* const x_row = stage + P::kCodes + P::kScales + g * P::kXRow;
  QLAB_UNROLL
  for (int i = 0; i < P::kGroups; ++i) {
    float part[S][kEights][4] = {};
    FragmentGroup open[S];
    QLAB_UNROLL
    for (int s = 0; s < S; ++s) {
      open[s] = open_group(groups[((first_strip + s) * P::kGroups + i) * 8 + g]);
    }
    QLAB_UNROLL
    for (int j = 0; j < P::kGroup / 32; ++j) {  // 32 of K: two mmas
      const int half_tile = i * (P::kGroup / 32) + j;
      std::uint32_t a[S][2][4];
      QLAB_UNROLL
      for (int s = 0; s < S; ++s) {
        const uint4 codes = stage[((first_strip + s) * P::kTiles + half_tile / 2) * kLanes + lane];
        fragment_of(a[s][0], half_tile % 2 == 0 ? codes.x : codes.z, open[s]);
        fragment_of(a[s][1], half_tile % 2 == 0 ? codes.y : codes.w, open[s]);
      }
      QLAB_UNROLL
      for (int e = 0; e < kEights; ++e) {
        const uint4 x = x_row[e * 8 * P::kXRow + ((half_tile * 4 + t) ^ g % 2 * 4)];
        QLAB_UNROLL
        for (int s = 0; s < S; ++s) {
          ptx::mma_m16n8k16_f16(part[s][e], a[s][0], {x.x, x.y});
          ptx::mma_m16n8k16_f16(part[s][e], a[s][1], {x.z, x.w});
        }
      }
    }
    QLAB_UNROLL
    for (int s = 0; s < S; ++s) {
      QLAB_UNROLL
      for (int e = 0; e < kEights; ++e) {
        QLAB_UNROLL
        for (int c = 0; c < 4; ++c) {
          const float scale = c < 2 ? open[s].scale_low : open[s].scale_high;
          sum[s][e][c] = __fmaf_rn(part[s][e][c], scale, sum[s][e][c]);
        }
      }
    }
  }
}

}  // namespace qlab::w4a16
