// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_symmetric: one scale for some values, INT8 codes from it, and the values they stand for.
///
/// Bottleneck   memory, with a division a value close behind it
/// Bytes moved  read 4·n twice (the largest value, then the codes), written n
/// FLOPs        3·n: absolute maximum, divide, round
/// Teaches      what a scale is, how a tie rounds, what is clipped, and why -128 is left unused
/// Leaves out   zero points (quantize_affine); who shares a scale (granularity); SIMD (quantize_rows)
#pragma once

#include <cstdint>
#include <span>

#include "common/contract.h"

namespace qlab {

/// The exercise: these are written by the learner, and linked from labs/ or solutions/. The oracles
/// are quantize_rows_ref, for the scale, and quantize_static_ref, for the codes, on one row.
namespace exercise {

/// The scale with which the largest magnitude becomes the code 127 or -127: max |x| / 127, in FP32.
///
/// Only zeros, or no values at all, give 1. The scale is never below the smallest normal float: a
/// subnormal one has too few bits, and one that underflows to 0 would divide 0 by 0.
/// Source: Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 2.2.
///
/// \throws ContractError naming the first value that is not finite.
float symmetric_scale(std::span<const float> x);

/// codes[i] = clamp(nearest(x[i] / scale), -127, 127), ties to even, the division in FP32.
///
/// \param x      any number; values beyond the range, infinity too, get the code at its end
/// \param scale  a normal number above 0
/// \param codes  as many as x, written in full
/// \throws ContractError when lengths differ, for a scale that is none, or naming the first NaN.
void quantize_symmetric(std::span<const float> x, float scale, std::span<std::int8_t> codes);

/// x[i] = scale · codes[i], rounded once to FP32.
///
/// \param scale  a normal number above 0
/// \param x      as many as codes, written in full
/// \throws ContractError when lengths differ, or for a scale that is none.
void dequantize_symmetric(std::span<const std::int8_t> codes, float scale, std::span<float> x);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost quantize_symmetric_cost(std::int64_t values) {
  return {.bytes = 8 * values + values, .flops = 3 * values};
}

}  // namespace qlab
