// SPDX-License-Identifier: Apache-2.0
/// \file
/// KvDeviceCache: K and V of one layer where a kernel finds them, and how their codes become
/// floats.
#pragma once

#include <cstddef>
#include <cstdint>

#include "03_int4_weight_only/half_words.h"
#include "common/contract.h"
#include "simt/simt.h"

namespace qlab {

enum class KvDeviceFormat {
  kFp16,     ///< two bytes an element, no scale
  kInt8,     ///< a byte; an FP16 scale for each token and head
  kFp8E4m3,  ///< a byte; an FP32 scale for each head, the same for all tokens
};

/// K or V of a batch of sequences, each with room for `capacity` tokens.
struct KvDeviceTensor {
  const void* codes;        // [batch, n_kv_heads, capacity, head_dim]  16-byte aligned
  const half* token_scale;  // [batch, n_kv_heads, capacity]            kInt8 only, else null
  const float* head_scale;  // [n_kv_heads]                             kFp8E4m3 only, else null
};

/// An element is its code's value times the scale. What lies behind a sequence's last token is
/// whatever was there before, and no one may look at it.
struct KvDeviceCache {
  KvDeviceFormat format;
  int batch, n_kv_heads, head_dim, capacity;
  KvDeviceTensor k, v;
};

/// Bytes of one code.
constexpr int kv_code_bytes(KvDeviceFormat format) {
  return format == KvDeviceFormat::kFp16 ? 2 : 1;
}
template <KvDeviceFormat kFormat>
inline constexpr int kKvCodeBytes = kv_code_bytes(kFormat);

/// What one token of one head takes in K, and as much in V. A scale that all tokens share is none.
constexpr std::int64_t kv_device_row_bytes(KvDeviceFormat format, std::int64_t head_dim) {
  return head_dim * kv_code_bytes(format) + (format == KvDeviceFormat::kInt8 ? 2 : 0);
}

/// E4M3 by its bits: a float's fields hold the code's fields as they are, only the bias of the
/// exponent differs, 127 against 7. A multiplication mends that, and makes normal numbers of
/// subnormal ones.
///
///     code   s eeee mmm                    float  s 0000eeee mmm0 0000 …
__device__ inline float widen_e4m3(std::uint32_t code) {
  const std::uint32_t magnitude = code & 0x7F;
  const float value = __uint_as_float(magnitude << 20) * 0x1p120F;
  const std::uint32_t nan = magnitude == 0x7F ? 0x7FC0'0000 : 0;  // E4M3 has no infinity, but a NaN
  return __uint_as_float(__float_as_uint(value) | nan | (code & 0x80) << 24);
}

/// How the codes of a format are read: two neighbours at a time, the first in the low bits.
template <KvDeviceFormat kFormat>
struct KvCodes;

/// Codes of FP16.
template <>
struct KvCodes<KvDeviceFormat::kFp16> {
  using Pair = std::uint32_t;
  /// Two FP16 numbers as floats.
  static __device__ float2 widen(Pair pair) { return __half22float2(as_half2(pair)); }
};

/// Codes of INT8.
template <>
struct KvCodes<KvDeviceFormat::kInt8> {
  using Pair = std::uint16_t;
  /// Two INT8 codes as floats, without their scale.
  static __device__ float2 widen(Pair pair) {
    return {static_cast<float>(static_cast<std::int8_t>(pair & 0xFF)),
            static_cast<float>(static_cast<std::int8_t>(pair >> 8))};
  }
};

/// Codes of E4M3.
template <>
struct KvCodes<KvDeviceFormat::kFp8E4m3> {
  using Pair = std::uint16_t;
  /// Two E4M3 numbers as floats.
  static __device__ float2 widen(Pair pair) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    // One instruction for both; every E4M3 number is an FP16 number.
    return __half22float2(half2(__nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3)));
#else
    return {widen_e4m3(pair & 0xFF), widen_e4m3(pair >> 8)};
#endif
  }
};

/// The 8 or 16 codes of 16 bytes, widened in order.
template <KvDeviceFormat kFormat>
__device__ void widen_16_bytes(const uint4& bytes, float (&value)[16 / kKvCodeBytes<kFormat>]) {
  using Codes = KvCodes<kFormat>;
  using Pair = typename Codes::Pair;
  constexpr int kPairs = 4 / static_cast<int>(sizeof(Pair));  // in a word
  const std::uint32_t words[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
  QLAB_UNROLL
  for (int i = 0; i < 4 * kPairs; ++i) {
    const std::uint32_t word = words[i / kPairs] >> (i % kPairs * 16);
    const float2 pair = Codes::widen(static_cast<Pair>(word));
    value[2 * i] = pair.x;
    value[2 * i + 1] = pair.y;
  }
}

/// Refuses a cache whose operands do not fit its format.
inline void check_kv_device(const char* operation, const KvDeviceCache& kv) {
  QLAB_CHECK(kv.batch >= 1 && kv.n_kv_heads >= 1 && kv.capacity >= 1, operation,
             ": the cache has batch ", kv.batch, ", n_kv_heads ", kv.n_kv_heads, ", capacity ",
             kv.capacity, "; each is at least 1");
  QLAB_CHECK(kv.head_dim == 64 || kv.head_dim == 128, operation, ": head_dim is ", kv.head_dim,
             ", but a warp's 32 lanes share the channels of 64 or 128; pad the head with zeros");
  for (const bool is_k : {true, false}) {
    const KvDeviceTensor& tensor = is_k ? kv.k : kv.v;
    const char* const name = is_k ? "K" : "V";
    QLAB_CHECK(
        tensor.codes != nullptr && reinterpret_cast<std::uintptr_t>(tensor.codes) % 16 == 0,
        operation, ": ", name,
        " is not 16-byte aligned, as the copies to shared memory need it; pass the start of an "
        "allocation");
    QLAB_CHECK((tensor.token_scale != nullptr) == (kv.format == KvDeviceFormat::kInt8), operation,
               ": ", name, " needs token_scale with INT8 codes, and must not have it otherwise");
    QLAB_CHECK((tensor.head_scale != nullptr) == (kv.format == KvDeviceFormat::kFp8E4m3), operation,
               ": ", name, " needs head_scale with FP8 codes, and must not have it otherwise");
  }
}

}  // namespace qlab
