// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_affine: a scale and a zero point for values that do not lie evenly around 0.
///
/// Bottleneck   memory, with a division a value close behind it
/// Bytes moved  read 4·n twice (the range, then the codes), written n
/// FLOPs        5·n: minimum, maximum, divide, round, add
/// Teaches      the zero point is a code, so real 0 has one; a one-sided range wastes no codes
/// Leaves out   what the zero point costs a product (w8a8_gemm); ranges found by calibration
#pragma once

#include <cstdint>
#include <span>

#include "common/contract.h"

namespace qlab {

/// real = scale · (code - zero_point), codes -128 … 127.
struct AffineScale {
  float scale;              ///< a normal number above 0
  std::int32_t zero_point;  ///< -128 … 127: the code of real 0
};

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// The scale and the zero point with which the range of x, widened to hold 0, gets all 256 codes.
///
/// lo = min(0, min x), hi = max(0, max x); scale = (hi - lo) / 255, but never below the smallest
/// normal float; zero_point = nearest(-128 - lo / scale), ties to even; all in FP32. It lies in
/// -128 … 127 because 0 lies in the range. Equal values c > 0 give c the code 127, c < 0 the code -128.
/// Only zeros, or no values at all, give scale 1 and zero point -128.
/// Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
/// Integer-Arithmetic-Only Inference", 2018, sections 2.1 and 3.
///
/// \throws ContractError naming the first value that is not finite, or for a range that FP32 cannot
///         hold.
AffineScale affine_scale(std::span<const float> x);

/// codes[i] = clamp(nearest(x[i] / scale) + zero_point, -128, 127): the quotient is rounded, ties to
/// even, before the zero point is added, so that ties do not move with its parity.
///
/// \param x      any number; values beyond the range, infinity too, get the code at its end
/// \param codes  as many as x, written in full
/// \throws ContractError when lengths differ, for parameters outside their ranges, or naming the first
///         NaN.
void quantize_affine(std::span<const float> x, AffineScale parameters,
                     std::span<std::int8_t> codes);

/// x[i] = scale · (codes[i] - zero_point), rounded once to FP32.
///
/// \param x  as many as codes, written in full
/// \throws ContractError when lengths differ, or for parameters outside their ranges.
void dequantize_affine(std::span<const std::int8_t> codes, AffineScale parameters,
                       std::span<float> x);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost quantize_affine_cost(std::int64_t values) {
  return {.bytes = 8 * values + values, .flops = 5 * values};
}

/// The oracle: tries all 256 codes. Parameters and codes agree exactly.
AffineScale affine_scale_ref(std::span<const float> x);
/// The oracle of one code: tries all 256.
std::int32_t affine_code_ref(float x, AffineScale parameters);

}  // namespace qlab
