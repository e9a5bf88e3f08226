// SPDX-License-Identifier: Apache-2.0
/// \file
/// Per-thread intrinsics: bits, integers, floats, atomics.
#pragma once

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "simt/cpu/cuda_words.h"

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
  return r;
}

/// Four bytes picked out of the eight of y:x. Unlike ptx::prmt it ignores bit 3 of a selector.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const std::uint64_t both = static_cast<std::uint64_t>(y) << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned pick = selector >> (4 * i) & 7;
    result |= (static_cast<unsigned>(both >> (8 * pick)) & 0xFF) << (8 * i);
  }
  return result;
}

inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<std::uint64_t>(high) << 32 | low) >> (shift & 31));
}

namespace qlab::simt::cpu {
template <class Byte, class Int>
Int dot4(Int a, Int b, Int c) {
  unsigned sum = static_cast<unsigned>(c);  // wraps, as the instruction does
  for (int i = 0; i < 4; ++i) {
    const int x = static_cast<Byte>(static_cast<unsigned>(a) >> (8 * i));
    const int y = static_cast<Byte>(static_cast<unsigned>(b) >> (8 * i));
    sum += static_cast<unsigned>(x * y);
  }
  return static_cast<Int>(sum);
}
template <class To, class From>
To from_float(From f) {  // saturates, NaN gives 0
  if (std::isnan(f)) return 0;
  constexpr double low = std::is_signed_v<To> ? -2147483648.0 : 0.0;
  constexpr double high = std::is_signed_v<To> ? 2147483647.0 : 4294967295.0;
  const double d = f;
  return static_cast<To>(d < low ? low : d > high ? high : d);
}
}  // namespace qlab::simt::cpu

inline int __dp4a(int a, int b, int c) { return qlab::simt::cpu::dot4<std::int8_t>(a, b, c); }
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  return qlab::simt::cpu::dot4<std::uint8_t>(a, b, c);
}
inline unsigned __vadd4(unsigned a, unsigned b) {
  return ((a & 0x7F7F7F7Fu) + (b & 0x7F7F7F7Fu)) ^ ((a ^ b) & 0x80808080u);
}
inline unsigned __vsub4(unsigned a, unsigned b) {
  return ((a | 0x80808080u) - (b & 0x7F7F7F7Fu)) ^ ((a ^ ~b) & 0x80808080u);
}

inline int __float_as_int(float f) { return std::bit_cast<int>(f); }
inline unsigned __float_as_uint(float f) { return std::bit_cast<unsigned>(f); }
inline float __int_as_float(int i) { return std::bit_cast<float>(i); }
inline float __uint_as_float(unsigned u) { return std::bit_cast<float>(u); }
inline int __float2int_rn(float f) { return qlab::simt::cpu::from_float<int>(std::nearbyint(f)); }
inline int __float2int_rz(float f) { return qlab::simt::cpu::from_float<int>(std::trunc(f)); }
inline int __float2int_rd(float f) { return qlab::simt::cpu::from_float<int>(std::floor(f)); }
inline int __float2int_ru(float f) { return qlab::simt::cpu::from_float<int>(std::ceil(f)); }
inline float __int2float_rn(int i) { return static_cast<float>(i); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
// The fast versions are approximate on a GPU (a few ulp); here they are the exact functions.
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __saturatef(float x) {
  return std::isnan(x) ? 0.0f : std::fmin(std::fmax(x, 0.0f), 1.0f);
}

template <class T>
T __ldg(const T* p) {
  return *p;
}

// Atomics are relaxed, as CUDA's are: they order nothing but themselves.
template <class T>
T atomicAdd(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).fetch_add(value, std::memory_order_relaxed);
}
template <class T, class Update>
T simt_atomic_update(T* p, Update update) {
  std::atomic_ref<T> ref(*p);
  T old = ref.load(std::memory_order_relaxed);
  while (!ref.compare_exchange_weak(old, update(old), std::memory_order_relaxed)) {
  }
  return old;
}
template <class T>
T atomicMax(T* p, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "CUDA has atomicMax for integers only");
  return simt_atomic_update(p, [=](T old) { return old < value ? value : old; });
}
template <class T>
T atomicMin(T* p, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "CUDA has atomicMin for integers only");
  return simt_atomic_update(p, [=](T old) { return value < old ? value : old; });
}
template <class T>
T atomicExch(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).exchange(value, std::memory_order_relaxed);
}
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  std::atomic_ref<T>(*p).compare_exchange_strong(expected, desired, std::memory_order_relaxed);
  return expected;
}
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { std::atomic_thread_fence(std::memory_order_seq_cst); }
