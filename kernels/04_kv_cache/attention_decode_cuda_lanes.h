// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the rungs of attention_decode_cuda on CUDA cores share: a lane has head_dim / 32
/// neighbouring channels of a token, so a warp reads a row side by side.
#pragma once

#include <cmath>
#include <type_traits>

#include "04_kv_cache/attention_decode_cuda.h"

namespace qlab::decode {

inline constexpr unsigned kAllLanes = 0xFFFF'FFFF;

/// The codes of a lane's channels of one token, which one load brings: 1 to 8 bytes.
template <DecodeFormat kFormat, int kChannels>
struct LaneCodes {
  static constexpr int kBits = decode_bits(kFormat);
  static constexpr int kBytes = kBits * kChannels / 8;
  using Word = std::conditional_t<
      kBytes == 8, std::uint64_t,
      std::conditional_t<kBytes == 4, std::uint32_t,
                         std::conditional_t<kBytes == 2, std::uint16_t, std::uint8_t>>>;
  Word word;

  /// Of the row [32, kChannels] with that number.
  static __device__ LaneCodes load(const DecodeTensor& tensor, std::size_t row, int lane) {
    return {static_cast<const Word*>(tensor.codes)[row * 32 + static_cast<std::size_t>(lane)]};
  }

  /// Without scale and minimum.
  __device__ void widen(float (&value)[kChannels]) const {
    QLAB_UNROLL
    for (int i = 0; i < kChannels; i += 2) {
      const std::uint32_t pair = static_cast<std::uint32_t>(word >> (i * kBits));
      float2 two;
      if constexpr (kFormat == DecodeFormat::kFp16) {
        two = KvCodes<KvDeviceFormat::kFp16>::widen(pair);
      } else if constexpr (kFormat == DecodeFormat::kInt8) {
        two = KvCodes<KvDeviceFormat::kInt8>::widen(static_cast<std::uint16_t>(pair));
      } else if constexpr (kFormat == DecodeFormat::kFp8E4m3) {
        two = KvCodes<KvDeviceFormat::kFp8E4m3>::widen(static_cast<std::uint16_t>(pair));
      } else {
        two = {static_cast<float>(pair & 15), static_cast<float>(pair >> 4 & 15)};
      }
      value[i] = two.x;
      value[i + 1] = two.y;
    }
  }
};

/// element = scale · code + minimum.
struct Grid {
  float scale, minimum;
};

/// Of one token and head, whose row in the cache is `row`.
template <DecodeFormat kFormat>
__device__ Grid load_grid(const DecodeTensor& tensor, int g, std::size_t row) {
  if constexpr (kFormat == DecodeFormat::kInt8) {
    return {__half2float(tensor.token_scale[row]), 0};
  } else if constexpr (kFormat == DecodeFormat::kFp8E4m3) {
    return {tensor.head_scale[g], 0};
  } else if constexpr (kFormat == DecodeFormat::kInt4) {
    const half2 grid = tensor.token_grid[row];
    return {__half2float(grid.x), __half2float(grid.y)};
  } else {
    return {1, 0};
  }
}

}  // namespace qlab::decode
