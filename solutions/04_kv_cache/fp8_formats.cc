// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp8_formats: one rounding for both formats; what differs is only what stands above the largest.
///
/// Bottleneck   integer operations: two comparisons to find the range, then shift, add, mask
/// Teaches      round first, then look for overflow; E4M3 spends infinity's codes on numbers
/// Leaves out   tables of 256 values, and the instructions that do this in one step (SM 8.9)
#include "04_kv_cache/fp8_formats.h"

#include <bit>
#include <cstdint>

namespace qlab::exercise {
namespace {

// FP32   s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm   value = 1.m · 2^(e - 127)
// E4M3   s eeee     mmm                       value = 1.m · 2^(e - 7);   e = 0: 0.m · 2^-6
// E5M2   s eeeee    mm                        value = 1.m · 2^(e - 15);  e = 0: 0.m · 2^-14
struct Fields {
  int mantissa_bits, bias;
};
constexpr Fields kE4m3{.mantissa_bits = 3, .bias = 7};
constexpr Fields kE5m2{.mantissa_bits = 2, .bias = 15};

constexpr std::uint32_t kFloatInfinity = 0x7F80'0000;
constexpr std::uint32_t kNan = 0x7F;  // of both formats; E5M2 has two more

/// value / 2^shift to nearest, ties to even, 1 ≤ shift ≤ 24: why it is right, see half_formats.cc.
std::uint32_t shift_right_to_even(std::uint32_t value, int shift) {
  const std::uint32_t odd = value >> shift & 1;
  return (value + ((1u << (shift - 1)) - 1) + odd) >> shift;
}

/// The code nearest to a float without its sign, which is no NaN, as if exponents went on above the
/// largest: 0x7F for what is nearest to 480 in E4M3, and codes past 0x7F for more.
std::uint32_t nearest_code(std::uint32_t magnitude, Fields format) {
  std::uint32_t code = 0;
  // BEGIN SOLUTION [fp8_formats_nearest] Round to any float format
  // Set `code` from `magnitude`, the bits of a float, for a format with these mantissa bits and
  // this bias. half_formats had numbers for FP16 in these places; here they follow from `format`.
  // There are the values with a leading 1, and those too small for one.

  // The exponent fields of one value differ by the difference of the biases.
  const std::uint32_t rebias = static_cast<std::uint32_t>(127 - format.bias) << 23;
  if (magnitude >= rebias + (1u << 23)) {  // from exponent field 1 of the format on
    code = shift_right_to_even(magnitude - rebias, 23 - format.mantissa_bits);
  } else {
    // Here the format counts steps of 2^(1 - bias - mantissa_bits), and the float is a whole number
    // of 2^(e - 150): the exponents' difference is the shift. 141 - e for E4M3, 134 - e for E5M2.
    const std::uint32_t significand = (magnitude & 0x7F'FFFF) | 0x80'0000;
    const int shift = 151 - format.bias - format.mantissa_bits - static_cast<int>(magnitude >> 23);
    code = shift > 24 ? 0 : shift_right_to_even(significand, shift);
  }
  // END SOLUTION [fp8_formats_nearest]
  return code;
}

}  // namespace

float from_e4m3(fp8_e4m3_t x) {
  const std::uint32_t exponent = x.bits >> 3 & 0xF;
  const std::uint32_t mantissa = x.bits & 0x7;
  float magnitude = 0;
  // BEGIN SOLUTION [fp8_formats_widen] Give an E4M3 code its value
  // Set `magnitude` from `exponent` and `mantissa`; the sign is put on below. E4M3 has no infinity:
  // which of its codes are no numbers?

  if (exponent == 15 && mantissa == 7) {
    // IEEE 754 would give all of exponent 15 to infinity and NaN, and the format would end at 240.
    // E4M3 gives up infinity and keeps one NaN: the seven codes won are 256, 288, … 448.
    magnitude = std::bit_cast<float>(kFloatInfinity | 0x40'0000);
  } else if (exponent == 0) {
    magnitude = static_cast<float>(mantissa) * 0x1p-9F;  // no leading 1: 0.m · 2⁻⁶
  } else {
    magnitude = std::bit_cast<float>((exponent + 127 - kE4m3.bias) << 23 | mantissa << 20);
  }
  // END SOLUTION [fp8_formats_widen]
  const std::uint32_t sign = std::uint32_t{x.bits} >> 7 << 31;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
}

float from_e5m2(fp8_e5m2_t x) {
  // E5M2 is FP16 with eight bits of mantissa fewer: below its two stand zeros, and that is all.
  return to_float(half_t{static_cast<std::uint16_t>(x.bits << 8)});
}

fp8_e4m3_t to_e4m3(float x, bool saturate) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7FFF'FFFF;
  std::uint32_t code = 0;
  // BEGIN SOLUTION [fp8_formats_e4m3] Say what E4M3 does above its largest number
  // Set `code` to the exponent and mantissa fields of the result; the sign is put on below. The
  // largest number is 448, code 0x7E. What would round past it becomes 448 or NaN, as `saturate`
  // says. What becomes of infinity, and of NaN?

  if (magnitude > kFloatInfinity) {
    // First: rounding could carry a payload into any code, and 448 is no answer to NaN.
    code = kNan;
  } else {
    // Codes are in the order of their values, so overflow shows after rounding: up to 464, the tie
    // with 480, the nearest code is still 0x7E. Infinity is far above and needs no case of its own.
    code = nearest_code(magnitude, kE4m3);
    if (code > 0x7E) code = saturate ? 0x7E : kNan;
  }
  // END SOLUTION [fp8_formats_e4m3]
  return {static_cast<std::uint8_t>(bits >> 31 << 7 | code)};
}

fp8_e5m2_t to_e5m2(float x, bool saturate) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7FFF'FFFF;
  std::uint32_t code = 0;
  // BEGIN SOLUTION [fp8_formats_e5m2] Say what E5M2 does above its largest number
  // Set `code` to the exponent and mantissa fields of the result; the sign is put on below. The
  // largest number is 57344, code 0x7B; 0x7C is infinity. The top byte of the FP16 code of x would
  // be a short way, and wrong twice over.

  if (magnitude > kFloatInfinity) {
    code = kNan;
  } else {
    // From the float itself: FP16's top byte alone would cut off, and rounding that byte would be
    // the second rounding. 1.125 + 2⁻¹⁹ rounds to 1.25, but FP16 makes it 1.125, a tie, and then 1.
    code = nearest_code(magnitude, kE5m2);
    if (code > 0x7B) code = saturate ? 0x7B : 0x7C;
  }
  // END SOLUTION [fp8_formats_e5m2]
  return {static_cast<std::uint8_t>(bits >> 31 << 7 | code)};
}

}  // namespace qlab::exercise
