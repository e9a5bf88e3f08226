// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the split kernel is given: a block's shared memory, copies of K and V to it, and the
/// scales.
#pragma once

#include "04_kv_cache/kv_device.h"
#include "simt/ptx.h"
#include "simt/traced.h"

namespace qlab {

/// Starts to copy piece i of 16 bytes to shared memory; zeros, and nothing read, if it is not
/// `valid`.
#if defined(__CUDACC__)
__device__ inline void copy_piece(void* shared, const uint4* pieces, std::size_t i, bool valid) {
  ptx::cp_async_16_zfill(shared, pieces + i, valid);
}
#else
inline void copy_piece(void* shared, const simt::traced<const uint4>& pieces, std::size_t i,
                       bool valid) {
  if (valid)
    static_cast<void>(static_cast<uint4>(pieces[i]));  // for the tracer, which counts loads
  ptx::cp_async_16_zfill(shared, pieces.data() + i, valid);
}
#endif

/// The part of a block's shared memory that one warp has to itself, in bytes.
template <KvDeviceFormat kFormat, int kHeadDim, int kGroup, int kTile>
struct WarpMemory {
  static constexpr int kRow = kHeadDim * kKvCodeBytes<kFormat>;
  // 16 bytes of padding: eight lanes that each read 16 bytes of their own row find them in 32
  // different banks. Rows of V are read one at a time, by all lanes side by side.
  static constexpr int kKeyStride = kRow + 16;
  static constexpr int kKeys = 0;                             // [kTile, kKeyStride]
  static constexpr int kValues = kKeys + kTile * kKeyStride;  // [kTile, kRow]
  static constexpr int kWeights = kValues + kTile * kRow;     // [kGroup, kTile] floats
  static constexpr int kBytes = kWeights + kGroup * kTile * int{sizeof(float)};
};

/// Starts to copy the rows t0 … t0 + kTile - 1 of one head to a tile, a warp's lanes side by side.
/// Rows from `end` on become zeros; where the whole tile lies there, nothing happens.
template <int kTile, int kRow, int kStride>
__device__ void fetch(unsigned char* tile, const simt::traced<const uint4>& codes,
                      std::size_t first_row, int t0, int end, int lane) {
  constexpr int kPieces = kRow / 16;
  if (t0 >= end) return;
  QLAB_UNROLL
  for (int i = lane; i < kTile * kPieces; i += 32) {
    const int row = i / kPieces, piece = i % kPieces;
    const bool valid = t0 + row < end;
    const std::size_t from = first_row + static_cast<std::size_t>(valid ? t0 + row : t0);
    copy_piece(tile + row * kStride + 16 * piece, codes, from * kPieces + piece, valid);
  }
}

/// The scales of one token's K and V.
struct TokenScales {
  float k, v;
};

/// Of token t of head g, whose row in the cache is first_row + t. Past the end nothing is read.
template <KvDeviceFormat kFormat>
__device__ TokenScales load_scales(const KvDeviceCache& kv, int g, std::size_t first_row, int t,
                                   int end) {
  if (t >= end) return {0, 0};
  if constexpr (kFormat == KvDeviceFormat::kInt8) {
    const std::size_t row = first_row + static_cast<std::size_t>(t);
    return {__half2float(kv.k.token_scale[row]), __half2float(kv.v.token_scale[row])};
  } else if constexpr (kFormat == KvDeviceFormat::kFp8E4m3) {
    return {kv.k.head_scale[g], kv.v.head_scale[g]};
  } else {
    return {1, 1};
  }
}

/// The codes of a lane's channels of one token, which one load brings.
template <KvDeviceFormat kFormat, int kChannels>
struct alignas(kChannels* kKvCodeBytes<kFormat>) Channels {
  typename KvCodes<kFormat>::Pair pair[kChannels / 2];
};

/// dot[h] = q[h] · K of this lane's token: its row of the tile, 16 bytes at a time for all heads.
template <KvDeviceFormat kFormat, int kHeadDim, int kGroup>
__device__ void multiply_keys(float (&dot)[kGroup], const float4* query, const uint4* key) {
  constexpr int kCodes = 16 / kKvCodeBytes<kFormat>;
  for (int piece = 0; piece < kHeadDim / kCodes; ++piece) {
    float k[kCodes];
    widen_16_bytes<kFormat>(key[piece], k);
    QLAB_UNROLL
    for (int h = 0; h < kGroup; ++h) {
      QLAB_UNROLL
      for (int i = 0; i < kCodes; i += 4) {  // all lanes read the same q: one broadcast
        const float4 q = query[(h * kHeadDim + piece * kCodes + i) / 4];
        dot[h] = __fmaf_rn(q.x, k[i], dot[h]);
        dot[h] = __fmaf_rn(q.y, k[i + 1], dot[h]);
        dot[h] = __fmaf_rn(q.z, k[i + 2], dot[h]);
        dot[h] = __fmaf_rn(q.w, k[i + 3], dot[h]);
      }
    }
  }
}

}  // namespace qlab
