// SPDX-License-Identifier: Apache-2.0
/// \file
/// Online: a warp's softmax over tokens that it sees a few at a time, for all query heads that
/// share a KV head. v2 and v3 of attention_decode_cuda are made of it.
#pragma once

#include "04_kv_cache/attention_decode_cuda_lanes.h"
#include "04_kv_cache/attention_decode_cuda_parts.h"

namespace qlab::decode {

/// Sums over the warp of kLeft values at once: lane i returns the sum of value i·kLeft / 32. Each
/// exchange halves what a lane still has to add, so 32 sums take 31 shuffles in place of 160.
/// \param value  changed
template <int kLeft, int kDistance = 16, int kValues>
__device__ float sum_over_lanes(float (&value)[kValues], int lane) {
  constexpr int kNext = kLeft == 1 ? 1 : kLeft / 2;
  if constexpr (kLeft == 1) {
    value[0] += __shfl_xor_sync(kAllLanes, value[0], kDistance);
  } else {
    const bool upper = (lane & kDistance) != 0;
    QLAB_UNROLL
    for (int i = 0; i < kNext; ++i) {
      const float mine = upper ? value[kNext + i] : value[i];
      const float other = upper ? value[i] : value[kNext + i];
      value[i] = mine + __shfl_xor_sync(kAllLanes, other, kDistance);
    }
  }
  if constexpr (kDistance > 1) return sum_over_lanes<kNext, kDistance / 2>(value, lane);
  return value[0];
}

/// The softmax. Scores are of one head and token a lane, outputs of all heads and some channels.
template <DecodeFormat kFormat, int kHeadDim, int kGroup>
struct Online {
  static constexpr int kChannels = kHeadDim / 32;
  static constexpr int kTokens = kGroup == 8 ? 4 : 8;     // a warp's, at a time
  static constexpr int kAlike = 32 / (kGroup * kTokens);  // lanes with the same score
  static constexpr int kHeadLanes = kTokens * kAlike;     // lanes of one head
  using Codes = LaneCodes<kFormat, kChannels>;

  int lane;
  float query[kGroup][kChannels];
  float query_sum;             // of this lane's head
  float m = -INFINITY, l = 0;  // of this lane's head; l of its token only
  float lift = 0;              // Σ weight · minimum, of its token
  float o[kGroup][kChannels] = {};

  /// q [group, kHeadDim]; heads that do not exist are zeros.
  __device__ Online(const half* q, int group, int lane_number) : lane(lane_number) {
    float sums[kGroup * kTokens];
    QLAB_UNROLL
    for (int h = 0; h < kGroup; ++h) {
      float sum = 0;
      QLAB_UNROLL
      for (int c = 0; c < kChannels; ++c) {
        query[h][c] = h < group ? __half2float(q[h * kHeadDim + lane * kChannels + c]) : 0;
        sum += query[h][c];
      }
      QLAB_UNROLL
      for (int i = 0; i < kTokens; ++i) sums[h * kTokens + i] = sum;
    }
    query_sum = sum_over_lanes<kGroup * kTokens>(sums, lane);
  }

  /// Takes tokens t0 … t0 + kTokens - 1 of those below `end`, at least one.
  __device__ void take(const DecodeCache& kv, int g, std::size_t first_row, int t0, int end,
                       float score_scale) {
    Codes k[kTokens], v[kTokens];
    QLAB_UNROLL
    for (int i = 0; i < kTokens; ++i) {  // past the end the last token again, with a weight of 0
      const std::size_t row = first_row + static_cast<std::size_t>(min(t0 + i, end - 1));
      k[i] = Codes::load(kv.k, row, lane);
      v[i] = Codes::load(kv.v, row, lane);
    }
    const int t = t0 + lane / kAlike % kTokens;
    const std::size_t own_row = first_row + static_cast<std::size_t>(min(t, end - 1));
    const Grid k_grid = load_grid<kFormat>(kv.k, g, own_row);
    const Grid v_grid = load_grid<kFormat>(kv.v, g, own_row);

    float dots[kGroup * kTokens];
    QLAB_UNROLL
    for (int i = 0; i < kTokens; ++i) {
      float codes[kChannels];
      k[i].widen(codes);
      QLAB_UNROLL
      for (int h = 0; h < kGroup; ++h) {
        float dot = 0;
        for (int c = 0; c < kChannels; ++c) dot = __fmaf_rn(query[h][c], codes[c], dot);
        dots[h * kTokens + i] = dot;
      }
    }
    const float dot = sum_over_lanes<kGroup * kTokens>(dots, lane);
    const float raw = __fmaf_rn(dot, k_grid.scale, k_grid.minimum * query_sum);
    const float score = t < end ? __fmul_rn(raw, score_scale) : -INFINITY;
    float largest = score;
    for (int d = kHeadLanes / 2; d >= kAlike; d /= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, d));
    }
    largest = fmaxf(largest, m);  // finite: one of the tokens exists
    const float keep = exp2f(m - largest), weight = exp2f(score - largest);
    m = largest;
    l = __fmaf_rn(l, keep, weight);
    lift = __fmaf_rn(lift, keep, weight * v_grid.minimum);
    const float scaled = weight * v_grid.scale;

    QLAB_UNROLL
    for (int h = 0; h < kGroup; ++h) {
      const float keep_head = __shfl_sync(kAllLanes, keep, h * kHeadLanes);
      for (int c = 0; c < kChannels; ++c) o[h][c] *= keep_head;
    }
    QLAB_UNROLL
    for (int i = 0; i < kTokens; ++i) {
      float codes[kChannels];
      v[i].widen(codes);
      QLAB_UNROLL
      for (int h = 0; h < kGroup; ++h) {
        const float w = __shfl_sync(kAllLanes, scaled, h * kHeadLanes + i * kAlike);
        for (int c = 0; c < kChannels; ++c) o[h][c] = __fmaf_rn(w, codes[c], o[h][c]);
      }
    }
  }

  /// Leaves the warp's part.
  template <int kWarps>
  __device__ void store(const WarpParts<kHeadDim, kGroup, kWarps>& parts, int warp) {
    for (int d = kHeadLanes / 2; d >= kAlike; d /= 2) {
      l += __shfl_xor_sync(kAllLanes, l, d);
      lift += __shfl_xor_sync(kAllLanes, lift, d);
    }
    QLAB_UNROLL
    for (int h = 0; h < kGroup; ++h) {
      const float lift_head = __shfl_sync(kAllLanes, lift, h * kHeadLanes);
      float* const to = parts.o + (warp * kGroup + h) * kHeadDim + lane * kChannels;
      for (int c = 0; c < kChannels; ++c) to[c] = o[h][c] + lift_head;
    }
    if (lane % kHeadLanes != 0) return;
    parts.m[warp * kGroup + lane / kHeadLanes] = m;
    parts.l[warp * kGroup + lane / kHeadLanes] = l;
  }
};

/// Calls launch's operator() for a group, with the least group of registers that holds the heads.
template <class Launch>
void with_group(const DecodeAttention& a, Launch launch) {
  const int group = a.n_heads / a.kv.n_kv_heads;
  if (group == 1) return launch.template operator()<1>();
  if (group <= 4) return launch.template operator()<4>();
  launch.template operator()<kSplitMaxGroup>();
}

}  // namespace qlab::decode
