// SPDX-License-Identifier: Apache-2.0
/// \file
/// Encoding and decoding of the small floating-point formats, by one rule for all of them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace qlab::simt::cpu {

/// A sign bit, then `exponent_bits`, then `mantissa_bits`; IEEE 754 but for what the flags say.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  bool has_infinity;      // false: the all-ones exponent holds numbers too (E4M3)
  std::uint32_t nan;      // the NaN a conversion gives
  std::uint32_t largest;  // the code of the largest finite number
};

inline constexpr Format kBinary16{5, 10, true, 0x7FFF, 0x7BFF};
inline constexpr Format kBfloat16{8, 7, true, 0x7FFF, 0x7F7F};
inline constexpr Format kE4M3{4, 3, false, 0x7F, 0x7E};
inline constexpr Format kE5M2{5, 2, true, 0x7F, 0x7B};

/// The code nearest to `value`, ties to even. Too large: infinity, NaN where there is none, or the
/// largest finite number if `saturate`.
constexpr std::uint32_t encode(Format f, double value, bool saturate = false) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint32_t sign = static_cast<std::uint32_t>(bits >> 63)
                             << (f.exponent_bits + f.mantissa_bits);
  const std::uint64_t magnitude = bits & ~(std::uint64_t{1} << 63);
  if (magnitude > 0x7FF0000000000000u) return f.nan;
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(magnitude >> 52) - 1023;
  const int smallest_normal = 1 - bias;

  std::uint32_t code = 0;
  if (magnitude == 0x7FF0000000000000u || exponent > bias + 1) {
    code = ~0u;  // certainly too large
  } else {
    const int below = exponent < smallest_normal ? smallest_normal - exponent : 0;
    const int shift = 52 - f.mantissa_bits + below;
    if (shift > 54) return sign;  // under half of the smallest subnormal
    const std::uint64_t significand = (magnitude & 0xFFFFFFFFFFFFFu) | 0x10000000000000u;
    std::uint64_t kept = significand >> shift;
    const std::uint64_t rest = significand & ((std::uint64_t{1} << shift) - 1);
    const std::uint64_t half = std::uint64_t{1} << (shift - 1);
    if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
    // `kept` holds the leading one as well; a carry out of it moves into the exponent by itself.
    const auto base =
        below > 0 ? 0u : static_cast<std::uint32_t>(exponent + bias - 1) << f.mantissa_bits;
    code = base + static_cast<std::uint32_t>(kept);
  }
  if (code > f.largest) {
    const bool stays_infinite = f.has_infinity && !saturate;
    code = stays_infinite ? f.largest + 1 : saturate ? f.largest : f.nan;
  }
  return sign | code;
}

/// Exact: every value of these formats is a float.
inline float decode(Format f, std::uint32_t code) {
  const std::uint32_t mantissa = code & ((1u << f.mantissa_bits) - 1);
  const std::uint32_t exponent = code >> f.mantissa_bits & ((1u << f.exponent_bits) - 1);
  const bool negative = (code >> (f.exponent_bits + f.mantissa_bits) & 1) != 0;
  const std::uint32_t all_ones = (1u << f.exponent_bits) - 1;
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  float value = 0;
  if (f.has_infinity && exponent == all_ones) {
    value = mantissa == 0 ? INFINITY : NAN;
  } else if (!f.has_infinity && (code & 0x7F) == f.nan) {
    value = NAN;
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(mantissa), 1 - bias - f.mantissa_bits);
  } else {
    value = std::ldexp(static_cast<float>(mantissa | 1u << f.mantissa_bits),
                       static_cast<int>(exponent) - bias - f.mantissa_bits);
  }
  return negative ? -value : value;
}

/// decode(kBinary16, …) without a branch: moves the bits into place and rescales.
inline float decode_half(std::uint16_t h) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(
      std::bit_cast<float>(static_cast<std::uint32_t>(h & 0x7FFF) << 13) * 0x1p112f);
  bits |= (h & 0x7C00) == 0x7C00 ? 0x7F800000u : 0u;
  return std::bit_cast<float>(bits | static_cast<std::uint32_t>(h & 0x8000) << 16);
}

inline float decode_bfloat16(std::uint16_t b) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(b) << 16);
}

/// a·b + c in double, rounded to odd: rounding the result once more to a narrow format then gives
/// what a single rounding of the exact value would. The product of two 11-bit numbers is exact.
inline double fma_to_odd(double a, double b, double c) {
  const double product = a * b;
  const double sum = product + c;
  const double back = sum - product;
  const double error = (product - (sum - back)) + (c - back);
  if (!(error != 0) || !std::isfinite(sum)) return sum;
  auto bits = std::bit_cast<std::int64_t>(sum);
  if ((bits & 1) == 0) bits += (error > 0) == (sum > 0) ? 1 : -1;
  return std::bit_cast<double>(bits);
}

}  // namespace qlab::simt::cpu
