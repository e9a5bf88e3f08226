// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp8_formats: FP32 to E4M3 and E5M2 and back, saturating or not, each rounded once.
///
/// Bottleneck   integer operations, unless the machine has an instruction (GPUs since 2022 have)
/// Bytes moved  read 4 (FP32), written 1 a value; the other way round for widening
/// FLOPs        none: only shifts, adds and comparisons of bit patterns
/// Teaches      what a format without infinity does with overflow; why no 16 bits may come between
/// Leaves out   scales (kv_cache); E4M3FNUZ, whose bias is 8; stochastic rounding
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "common/formats.h"

namespace qlab {

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
/// Source: Micikevicius et al., "FP8 Formats for Deep Learning", 2022, table 1.
namespace exercise {

/// The value of an E4M3 code (E4M3FN: no infinity). Exact. 0x7F and 0xFF are NaN, and nothing else:
/// the other codes with all exponent bits set are the numbers from 256 to 448.
float from_e4m3(fp8_e4m3_t x);

/// The value of an E5M2 code. Exact. Infinities stay, NaN stays NaN, as in FP16.
float from_e5m2(fp8_e5m2_t x);

/// The E4M3 value nearest to x, ties to the even code. Overflow is what would round to 480, the
/// number that would follow 448: from past 464 on, and infinity. It becomes ±448 when `saturate`,
/// else NaN. The sign is kept, of zeros too; NaN stays NaN in either mode, with any payload.
fp8_e4m3_t to_e4m3(float x, bool saturate);

/// The same for E5M2. Overflow, from 61440 on, becomes ±57344 when `saturate`, else infinity.
fp8_e5m2_t to_e5m2(float x, bool saturate);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost fp8_formats_cost(std::int64_t values) { return {.bytes = 5 * values, .flops = 0}; }

/// The oracle: the values of all codes from the definition, and rounding as a search among them.
double e4m3_value_ref(std::uint8_t code);
/// The same for E5M2.
double e5m2_value_ref(std::uint8_t code);
/// The oracle: the nearest code, found by trying all.
std::uint8_t e4m3_code_ref(double x, bool saturate);
/// The same for E5M2.
std::uint8_t e5m2_code_ref(double x, bool saturate);

}  // namespace qlab
