// SPDX-License-Identifier: Apache-2.0
/// \file
/// half_formats: your turn. Replace each todo() with your code, then run `./lab check half_formats`.
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
  // TODO [half_formats_round] Drop bits and round to nearest, ties to even
  // Set `result` to value / 2^shift. What is dropped may be less than half a unit, more, or exactly
  // half: then the even neighbour is right. All three conversions round through this function.
  todo("half_formats_round");
  return result;
}

}  // namespace

float float_from_half(half_t x) {
  const std::uint32_t sign = std::uint32_t{x.bits} >> 15 << 31;
  const std::uint32_t exponent = x.bits >> 10 & 0x1F;
  const std::uint32_t mantissa = x.bits & 0x3FF;
  float magnitude = 0;
  // TODO [half_formats_widen] Give an FP16 code its value
  // Set `magnitude` from `exponent` and `mantissa`; the sign is put on below. There are three cases:
  // exponent 31 (infinity, NaN), exponent 0 (zero and subnormals), and all others.
  todo("half_formats_widen");
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
}

half_t half_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 31 << 15;
  const std::uint32_t magnitude = bits & 0x7FFF'FFFF;  // patterns are in the order of the values
  std::uint32_t code = 0;
  // TODO [half_formats_narrow] Find the nearest FP16 code
  // Set `code` to the exponent and mantissa fields of the result; the sign is put on below. Which
  // values are NaN, which round past 65504, which are below 2^-14 and have no leading 1?
  todo("half_formats_narrow");
  return {static_cast<std::uint16_t>(sign | code)};
}

bf16_t bf16_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  std::uint32_t code = 0;
  // TODO [half_formats_bf16] Find the nearest BF16 code
  // Set `code` to all 16 bits of the result, the sign included. Which values must not be rounded?
  todo("half_formats_bf16");
  return {static_cast<std::uint16_t>(code)};
}

}  // namespace qlab::exercise
