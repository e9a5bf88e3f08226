// SPDX-License-Identifier: Apache-2.0
/// \file
/// half_t, bf16_t, fp8_e4m3_t, fp8_e5m2_t: narrow floats as they lie in memory, to float and back.
///
/// Arithmetic is done in float: these types store. Widening is exact; narrowing rounds once, to
/// nearest, ties to even. Source: IEEE 754-2019 (binary16); Micikevicius et al., "FP8 Formats for
/// Deep Learning", 2022, table 1.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace qlab {

/// FP16.
struct half_t {
  std::uint16_t bits;  ///< IEEE binary16: 1 sign, 5 exponent, 10 mantissa bits; largest 65504
};
/// BF16.
struct bf16_t {
  std::uint16_t bits;  ///< the upper half of a float: 1, 8, 7
};
/// FP8 with four bits of exponent.
struct fp8_e4m3_t {
  std::uint8_t bits;  ///< 1, 4, 3; no infinity; largest 448; NaN 0x7F and 0xFF only
};
/// FP8 with five bits of exponent.
struct fp8_e5m2_t {
  std::uint8_t bits;  ///< 1, 5, 2: the upper half of a half_t; largest 57344
};

/// What tells one format from another: the widths of its fields, and its codes without the sign.
/// Above `largest` stand infinity, if there is one, and the NaNs, of which all ones is one.
template <class Format>
struct FormatLayout;

/// Of FP16.
template <>
struct FormatLayout<half_t> {
  static constexpr int exponent_bits = 5, mantissa_bits = 10;
  static constexpr std::uint32_t largest = 0x7BFF, infinity = 0x7C00;
};
/// Of BF16.
template <>
struct FormatLayout<bf16_t> {
  static constexpr int exponent_bits = 8, mantissa_bits = 7;
  static constexpr std::uint32_t largest = 0x7F7F, infinity = 0x7F80;
};
/// Of E4M3.
template <>
struct FormatLayout<fp8_e4m3_t> {
  static constexpr int exponent_bits = 4, mantissa_bits = 3;
  static constexpr std::uint32_t largest = 0x7E, infinity = 0x7F;  // NaN stands in for infinity
};
/// Of E5M2.
template <>
struct FormatLayout<fp8_e5m2_t> {
  static constexpr int exponent_bits = 5, mantissa_bits = 2;
  static constexpr std::uint32_t largest = 0x7B, infinity = 0x7C;
};

namespace format_detail {

inline constexpr std::uint32_t kFloatInfinity = 0x7F80'0000;

/// The constants both directions share, in terms of float's 8 exponent and 23 mantissa bits.
template <class Format>
struct Fields {
  using Layout = FormatLayout<Format>;
  static constexpr int bias = (1 << (Layout::exponent_bits - 1)) - 1;
  static constexpr int sign_bit = Layout::exponent_bits + Layout::mantissa_bits;
  static constexpr std::uint32_t magnitude = (1u << sign_bit) - 1;  // all bits but the sign
  static constexpr int shift = 23 - Layout::mantissa_bits;
  static constexpr std::uint32_t rebias = static_cast<std::uint32_t>(127 - bias) << 23;
  static constexpr std::uint32_t smallest_normal = rebias + (1u << 23);  // as a float
};

/// The value of a code, exactly.
template <class Format>
constexpr float widen(Format x) {
  using F = Fields<Format>;
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits) >> F::sign_bit << 31;
  const std::uint32_t magnitude = x.bits & F::magnitude;
  std::uint32_t wide = (magnitude << F::shift) + F::rebias;
  if (magnitude > F::Layout::largest) {
    wide |= kFloatInfinity;  // the mantissa stays, so a NaN stays one
  } else if (magnitude < (1u << F::Layout::mantissa_bits)) {
    // A subnormal has no leading one, but the float made of its bits has: give it the exponent of
    // the smallest normal and take that one away again. The subtraction is exact.
    wide = std::bit_cast<std::uint32_t>(std::bit_cast<float>(wide + (1u << 23)) -
                                        std::bit_cast<float>(F::smallest_normal));
  }
  return std::bit_cast<float>(wide | sign);
}

/// The code nearest to a non-negative number that is not NaN. What is too large gets a code above
/// `largest`: fields are in order, so codes compare as the numbers do.
template <class Format>
constexpr std::uint32_t round_magnitude(std::uint32_t wide) {
  using F = Fields<Format>;
  if (wide < F::smallest_normal) {
    // One unit in the last place of `aligner` is the smallest subnormal: the addition rounds to a
    // multiple of it, ties to even, and leaves their count in the low bits.
    constexpr std::uint32_t aligner =
        F::smallest_normal + (static_cast<std::uint32_t>(F::shift) << 23);
    return std::bit_cast<std::uint32_t>(std::bit_cast<float>(wide) +
                                        std::bit_cast<float>(aligner)) -
           aligner;
  }
  // Half a unit less one bit carries what lies above the tie; the last bit kept carries a tie when
  // it is odd. A carry out of the mantissa lands in the exponent, where it belongs.
  const std::uint32_t odd = (wide >> F::shift) & 1;
  return (wide - F::rebias + (1u << (F::shift - 1)) - 1 + odd) >> F::shift;
}

/// `limit` is the code of everything that would round past `largest`.
template <class Format>
constexpr Format narrow(float x, std::uint32_t limit) {
  using F = Fields<Format>;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t wide = bits & 0x7FFF'FFFF;
  const std::uint32_t code = wide > kFloatInfinity  // NaN; adding to a low payload could make it ∞
                                 ? F::magnitude
                                 : std::min(round_magnitude<Format>(wide), limit);
  return {static_cast<decltype(Format::bits)>(bits >> 31 << F::sign_bit | code)};
}

}  // namespace format_detail

/// The value as a float; every one of these formats fits exactly.
constexpr float to_float(half_t x) { return format_detail::widen(x); }
/// The value as a float, exactly.
constexpr float to_float(bf16_t x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}
/// The same.
constexpr float to_float(fp8_e4m3_t x) { return format_detail::widen(x); }
/// The same.
constexpr float to_float(fp8_e5m2_t x) { return format_detail::widen(x); }

/// The nearest value of Format; what is too large becomes infinity, or NaN where there is none. For
/// FP8 this is what a plain cast does in PyTorch. NaN stays NaN, with its sign.
template <class Format>
constexpr Format from_float_nosat(float x) {
  return format_detail::narrow<Format>(x, FormatLayout<Format>::infinity);
}

/// The nearest value of Format. half_t and bf16_t overflow to infinity; the FP8 formats saturate
/// (448 and 57344), also from infinity. NaN stays NaN, with its sign.
template <class Format>
constexpr Format from_float(float x) {
  constexpr bool saturates = sizeof(Format) == 1;
  using Layout = FormatLayout<Format>;
  return format_detail::narrow<Format>(x, saturates ? Layout::largest : Layout::infinity);
}

}  // namespace qlab
