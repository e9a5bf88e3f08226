// SPDX-License-Identifier: Apache-2.0
/// \file
/// half_formats: FP32 to FP16 and BF16 and back, bit by bit.
///
/// Bottleneck   integer operations: about ten for each value when no instruction does it (F16C does)
/// Bytes moved  read 4 (FP32), written 2 a value; the other way round for widening
/// FLOPs        none: only shifts, adds and comparisons of bit patterns
/// Teaches      where a 16-bit float loses: 10 or 7 bits of mantissa, 5 or 8 of exponent
/// Leaves out   the 8-bit floats (fp8_formats); SIMD conversions (fp16_gemm_v2_avx2.cc)
#pragma once

#include "common/contract.h"
#include "common/formats.h"

namespace qlab {

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// The value of an FP16 code. Exact: FP32 holds every FP16 value. Infinities stay, NaN stays NaN.
float float_from_half(half_t x);

/// The FP16 value nearest to x, ties to the even code. From 65520 on infinity; below 2⁻²⁵ zero, also
/// at it; the sign is kept, of zeros too; NaN stays NaN, with any payload.
/// Source: IEEE 754-2019, sections 3.4 and 4.3.1.
half_t half_from_float(float x);

/// The same for BF16, whose code is the upper half of an FP32 code. Overflow gives infinity.
bf16_t bf16_from_float(float x);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost half_formats_cost(std::int64_t values) { return {.bytes = 6 * values, .flops = 0}; }

/// The oracle, in double arithmetic instead of bit patterns. NaN gives a NaN code.
double half_value_ref(std::uint16_t code);
/// The FP16 code nearest to x, found by trying all; ties go to the even one.
std::uint16_t half_code_ref(double x);
/// The same for BF16.
std::uint16_t bf16_code_ref(double x);

}  // namespace qlab
