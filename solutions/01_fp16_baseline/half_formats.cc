// SPDX-License-Identifier: Apache-2.0
/// \file
/// half_formats: three conversions, each a few operations on bit patterns.
///
/// Bottleneck   integer operations: a comparison to find the range, then shift, add, mask
/// Teaches      rounding to even by one addition; why a carry may run into the exponent; subnormals
/// Leaves out   branch-free versions that a compiler can vectorize (common/formats.h)
#include "01_fp16_baseline/half_formats.h"

#include <bit>
#include <cstdint>

namespace qlab::exercise {
namespace {

// FP32   s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm   value = 1.m · 2^(e - 127)
// FP16   s eeeee    mmmmmmmmmm                value = 1.m · 2^(e - 15);  e = 0: 0.m · 2^-14
// BF16   s eeeeeeee mmmmmmm                   the upper 16 bits of FP32
constexpr std::uint32_t kFloatInfinity = 0x7F80'0000;
constexpr std::uint32_t kHalfInfinity = 0x7C00;

/// value / 2^shift, rounded to the nearest whole number, ties to the even one; 1 ≤ shift ≤ 24.
std::uint32_t shift_right_to_even(std::uint32_t value, int shift) {
  std::uint32_t result = 0;
  // BEGIN SOLUTION [half_formats_round] Drop bits and round to nearest, ties to even
  // Set `result` to value / 2^shift. What is dropped may be less than half a unit, more, or exactly
  // half: then the even neighbour is right. All three conversions round through this function.

  // Adding just under half carries into the kept bits exactly when the dropped ones are more than
  // half. One more, the last kept bit itself, lets a tie carry when that bit is odd.
  const std::uint32_t odd = value >> shift & 1;
  const std::uint32_t just_under_half = (1u << (shift - 1)) - 1;
  result = (value + just_under_half + odd) >> shift;
  // END SOLUTION [half_formats_round]
  return result;
}

}  // namespace

float float_from_half(half_t x) {
  const std::uint32_t sign = std::uint32_t{x.bits} >> 15 << 31;
  const std::uint32_t exponent = x.bits >> 10 & 0x1F;
  const std::uint32_t mantissa = x.bits & 0x3FF;
  float magnitude = 0;
  // BEGIN SOLUTION [half_formats_widen] Give an FP16 code its value
  // Set `magnitude` from `exponent` and `mantissa`; the sign is put on below. There are three cases:
  // exponent 31 (infinity, NaN), exponent 0 (zero and subnormals), and all others.

  if (exponent == 31) {
    // The payload moves along, so a NaN stays one: only mantissa 0 is infinity.
    magnitude = std::bit_cast<float>(kFloatInfinity | mantissa << 13);
  } else if (exponent == 0) {
    // No leading 1 here: these are the multiples of 2⁻²⁴. The conversion and the product are exact.
    magnitude = static_cast<float>(mantissa) * 0x1p-24F;
  } else {
    // Both formats have a leading 1; only the bias differs, 127 - 15 = 112.
    magnitude = std::bit_cast<float>((exponent + 112) << 23 | mantissa << 13);
  }
  // END SOLUTION [half_formats_widen]
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
}

half_t half_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 31 << 15;
  const std::uint32_t magnitude = bits & 0x7FFF'FFFF;  // patterns are in the order of the values
  std::uint32_t code = 0;
  // BEGIN SOLUTION [half_formats_narrow] Find the nearest FP16 code
  // Set `code` to the exponent and mantissa fields of the result; the sign is put on below. Which
  // values are NaN, which round past 65504, which are below 2^-14 and have no leading 1?

  if (magnitude > kFloatInfinity) {
    // Cutting a NaN's mantissa could leave 0, which is infinity: set a bit that stays.
    code = kHalfInfinity | 0x200;
  } else if (magnitude >= 0x477F'F000) {
    // 65520 lies half-way between 65504, the largest, and 65536, which would be next: the tie goes
    // to the even code, and that is infinity's.
    code = kHalfInfinity;
  } else if (magnitude >= 0x3880'0000) {
    // From 2⁻¹⁴ on: change the bias, drop 13 bits. A carry out of the mantissa lands in the exponent
    // and is right there: 1.111…1 rounds to 10.0.
    code = shift_right_to_even(magnitude - (112u << 23), 13);
  } else {
    // Below, FP16 counts steps of 2⁻²⁴. The float is (leading 1 and mantissa) · 2^(e - 150), so as
    // many steps as that whole number shifted right by 126 - e. Past 24 nothing is left to round up.
    const std::uint32_t exponent = magnitude >> 23;
    const std::uint32_t significand = (magnitude & 0x7F'FFFF) | 0x80'0000;
    const int shift = 126 - static_cast<int>(exponent);
    code = shift > 24 ? 0 : shift_right_to_even(significand, shift);
  }
  // END SOLUTION [half_formats_narrow]
  return {static_cast<std::uint16_t>(sign | code)};
}

bf16_t bf16_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  std::uint32_t code = 0;
  // BEGIN SOLUTION [half_formats_bf16] Find the nearest BF16 code
  // Set `code` to all 16 bits of the result, the sign included. Which values must not be rounded?

  if ((bits & 0x7FFF'FFFF) > kFloatInfinity) {
    // Rounding could carry a NaN's mantissa through the exponent into the sign, or leave it 0.
    code = bits >> 16 | 0x40;
  } else {
    // The same exponent, so nothing underflows here that FP32 has, and the carry past the largest
    // finite value gives infinity by itself.
    code = shift_right_to_even(bits, 16);
  }
  // END SOLUTION [half_formats_bf16]
  return {static_cast<std::uint16_t>(code)};
}

}  // namespace qlab::exercise
