// SPDX-License-Identifier: Apache-2.0
/// \file
/// rtn_group: round weights to the nearest 4-bit code, with a scale (and a zero point) for each group.
///
/// Bottleneck   nearbyint, a call a weight; a vector unit would wait for memory
/// Bytes moved  read 4·N·K twice (the range, then the codes), written N·K + 3·N·groups
/// FLOPs        5·N·K: minimum, maximum, divide, round, add
/// Teaches      small groups buy accuracy with bits; codes belong to the scale that is stored
/// Leaves out   packing (pack_int4); errors weighed by the data (gptq, awq); a search for clipping
#pragma once

#include <cstdint>

#include "03_int4_weight_only/int4_weights.h"
#include "common/contract.h"
#include "common/formats.h"

namespace qlab {

enum class Int4Range {
  kSymmetric,   ///< codes -7 … 7; real 0 is code 0
  kAsymmetric,  ///< codes 0 … 15; real 0 is the zero point
};

/// real = scale · (code - zero_point), with the scale and zero point of group k / group_size.
struct GroupQuantized {
  MatrixView<std::int8_t> codes;        // [N, K]
  MatrixView<half_t> scale;             // [N, groups]  > 0
  MatrixView<std::uint8_t> zero_point;  // [N, groups]  0 … 15; 0 for symmetric codes
};

/// The exercise: this is written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Rounds every group of every row on its own; the last group of a row holds what is left.
///
/// Symmetric: scale = absmax / 7. Asymmetric: lo = min(0, min w), hi = max(0, max w), scale = (hi - lo)
/// / 15, zero_point = nearest(-lo / scale). Scales are computed in FP32 and stored in FP16; zero points
/// and codes are computed with the scale as it is stored. code = clamp(nearest(w / scale) +
/// zero_point); ties go to the even number; zero points are clamped to 0 … 15. A group of zeros has
/// scale 1 and zero point 0. Sources: Nagel et al., "A White Paper on Neural Network Quantization",
/// 2021, section 2; Dai et al., "VS-Quant", 2021, section 4, for groups.
///
/// \param weight      [N, K] finite
/// \param group_size  ≥ 1
/// \param out         all three written in full, nothing outside them
/// \throws ContractError for a group_size under 1, when a shape does not fit, naming the first weight
///         that is not finite, or the first group whose scale FP16 cannot hold (it would be 0 or
///         infinite).
void rtn_group(MatrixView<const float> weight, std::int64_t group_size, Int4Range range,
               GroupQuantized out);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost rtn_group_cost(std::int64_t N, std::int64_t K, std::int64_t group_size) {
  return {.bytes = 8 * N * K + N * K + 3 * N * int4_groups(K, group_size), .flops = 5 * N * K};
}

/// The oracle: each weight looks for its group, tries every code and keeps the nearest. Scales, zero
/// points and codes agree exactly. Weights as rtn_group takes them.
void rtn_group_ref(MatrixView<const float> weight, std::int64_t group_size, Int4Range range,
                   GroupQuantized out);

}  // namespace qlab
