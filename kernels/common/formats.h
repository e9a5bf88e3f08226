// SPDX-License-Identifier: Apache-2.0
/// \file
/// half_t, bf16_t, fp8_e4m3_t, fp8_e5m2_t: narrow floats as they lie in memory, to float and back.
///
/// Arithmetic is done in float: these types store. Widening is exact; narrowing rounds once, to
/// nearest, ties to even.
#pragma once

#include <bit>
#include <cstdint>

namespace qlab {

struct half_t {
  std::uint16_t bits;  ///< IEEE binary16: 1 sign, 5 exponent, 10 mantissa bits; largest 65504
};
struct bf16_t {
  std::uint16_t bits;  ///< the upper half of a float: 1, 8, 7
};
struct fp8_e4m3_t {
  std::uint8_t bits;  ///< 1, 4, 3; no infinity; largest 448; NaN 0x7F and 0xFF only
};
struct fp8_e5m2_t {
  std::uint8_t bits;  ///< 1, 5, 2: the upper half of a half_t; largest 57344
};

float to_float(half_t x);
float to_float(bf16_t x);
float to_float(fp8_e4m3_t x);
float to_float(fp8_e5m2_t x);

/// The nearest value of Format. half_t and bf16_t overflow to infinity; the FP8 formats saturate
/// (448 and 57344), also from infinity. NaN stays NaN.
template <class Format>
Format from_float(float x);

}  // namespace qlab
