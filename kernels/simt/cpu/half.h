// SPDX-License-Identifier: Apache-2.0
/// \file
/// CUDA's 16-bit and 8-bit floating-point types and the intrinsics that quantization kernels use.
#pragma once

#include <cstdint>

#include "simt/cpu/cuda_words.h"
#include "simt/cpu/small_float.h"

struct __half {
  std::uint16_t bits;
  __half() = default;
  __half(float f)
      : bits(static_cast<std::uint16_t>(qlab::simt::cpu::encode(qlab::simt::cpu::kBinary16, f))) {}
  operator float() const { return qlab::simt::cpu::decode_half(bits); }
};

struct __nv_bfloat16 {
  std::uint16_t bits;
  __nv_bfloat16() = default;
  __nv_bfloat16(float f)
      : bits(static_cast<std::uint16_t>(qlab::simt::cpu::encode(qlab::simt::cpu::kBfloat16, f))) {}
  operator float() const { return qlab::simt::cpu::decode_bfloat16(bits); }
};

struct alignas(4) __half2 {
  __half x, y;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

using half = __half;
using half2 = __half2;
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;

inline __half __ushort_as_half(unsigned short b) {
  __half h;
  h.bits = b;
  return h;
}
inline unsigned short __half_as_ushort(__half h) { return h.bits; }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short b) {
  __nv_bfloat16 h;
  h.bits = b;
  return h;
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 h) { return h.bits; }

inline float __half2float(__half h) { return h; }
inline __half __float2half(float f) { return {f}; }
inline __half __float2half_rn(float f) { return {f}; }
inline float __bfloat162float(__nv_bfloat16 h) { return h; }
inline __nv_bfloat16 __float2bfloat16(float f) { return {f}; }
inline __nv_bfloat16 __float2bfloat16_rn(float f) { return {f}; }

// The scalar operations, and the same on both halves of a pair. Each is rounded once: products of
// two 16-bit numbers are exact in double; sums and quotients have enough spare bits there that the
// second rounding is harmless (53 >= 2 * 11 + 2); the fused operation rounds to odd first.
#define SIMT_ARITHMETIC(T, FORMAT)                                                     \
  inline T simt_round(double exact, T) {                                               \
    T r;                                                                               \
    r.bits = static_cast<std::uint16_t>(qlab::simt::cpu::encode(FORMAT, exact));       \
    return r;                                                                          \
  }                                                                                    \
  inline T __hadd(T a, T b) { return simt_round(double(float(a)) + float(b), a); }     \
  inline T __hsub(T a, T b) { return simt_round(double(float(a)) - float(b), a); }     \
  inline T __hmul(T a, T b) { return simt_round(double(float(a)) * float(b), a); }     \
  inline T __hdiv(T a, T b) { return simt_round(double(float(a)) / float(b), a); }     \
  inline T __hfma(T a, T b, T c) {                                                     \
    return simt_round(qlab::simt::cpu::fma_to_odd(float(a), float(b), float(c)), a);   \
  }                                                                                    \
  inline T __hneg(T a) {                                                               \
    a.bits ^= 0x8000;                                                                  \
    return a;                                                                          \
  }                                                                                    \
  inline T __habs(T a) {                                                               \
    a.bits &= 0x7FFF;                                                                  \
    return a;                                                                          \
  }                                                                                    \
  inline T __hmax(T a, T b) { return {std::fmax(float(a), float(b))}; }                \
  inline T __hmin(T a, T b) { return {std::fmin(float(a), float(b))}; }                \
  inline T operator+(T a, T b) { return __hadd(a, b); }                                \
  inline T operator-(T a, T b) { return __hsub(a, b); }                                \
  inline T operator*(T a, T b) { return __hmul(a, b); }                                \
  inline T operator/(T a, T b) { return __hdiv(a, b); }                                \
  inline T operator-(T a) { return __hneg(a); }                                        \
  inline T##2 __hadd2(T##2 a, T##2 b) { return {__hadd(a.x, b.x), __hadd(a.y, b.y)}; } \
  inline T##2 __hsub2(T##2 a, T##2 b) { return {__hsub(a.x, b.x), __hsub(a.y, b.y)}; } \
  inline T##2 __hmul2(T##2 a, T##2 b) { return {__hmul(a.x, b.x), __hmul(a.y, b.y)}; } \
  inline T##2 __hfma2(T##2 a, T##2 b, T##2 c) {                                        \
    return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};                             \
  }
SIMT_ARITHMETIC(__half, qlab::simt::cpu::kBinary16)
SIMT_ARITHMETIC(__nv_bfloat16, qlab::simt::cpu::kBfloat16)
#undef SIMT_ARITHMETIC

inline __half2 __halves2half2(__half a, __half b) { return {a, b}; }
inline __half2 __half2half2(__half a) { return {a, a}; }
inline __half2 __float2half2_rn(float f) { return {__half(f), __half(f)}; }
inline __half2 __floats2half2_rn(float a, float b) { return {__half(a), __half(b)}; }
inline float2 __half22float2(__half2 h) { return {float(h.x), float(h.y)}; }
inline __half __low2half(__half2 h) { return h.x; }
inline __half __high2half(__half2 h) { return h.y; }
inline float __low2float(__half2 h) { return h.x; }
inline float __high2float(__half2 h) { return h.y; }
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) { return {a, a}; }
inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) {
  return {__nv_bfloat16(a), __nv_bfloat16(b)};
}
inline float2 __bfloat1622float2(__nv_bfloat162 h) { return {float(h.x), float(h.y)}; }

// FP8, by the names of cuda_fp8.h.
using __nv_fp8_storage_t = std::uint8_t;
enum __nv_saturation_t { __NV_NOSAT, __NV_SATFINITE };
enum __nv_fp8_interpretation_t { __NV_E4M3, __NV_E5M2 };
struct __half_raw {
  std::uint16_t x;
  operator __half() const { return __ushort_as_half(x); }
};

inline __nv_fp8_storage_t __nv_cvt_float_to_fp8(float f, __nv_saturation_t saturation,
                                                __nv_fp8_interpretation_t kind) {
  using namespace qlab::simt::cpu;
  const bool saturate = saturation == __NV_SATFINITE;
  return static_cast<__nv_fp8_storage_t>(encode(kind == __NV_E4M3 ? kE4M3 : kE5M2, f, saturate));
}

inline __half_raw __nv_cvt_fp8_to_halfraw(__nv_fp8_storage_t code, __nv_fp8_interpretation_t kind) {
  using namespace qlab::simt::cpu;
  return {__half(decode(kind == __NV_E4M3 ? kE4M3 : kE5M2, code)).bits};
}
