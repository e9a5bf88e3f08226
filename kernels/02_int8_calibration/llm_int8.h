// SPDX-License-Identifier: Apache-2.0
/// \file
/// llm_int8: a product in two parts: feature columns with an outlier in FP16, all others in INT8.
///
/// Bottleneck   M = 1: reading INT8 weights, and outlier columns of the FP16 ones, a strided walk
/// Bytes moved  those of w8a8_gemm, and 2·N for each outlier column
/// FLOPs        2·M·N·K
/// Teaches      a few columns set everybody's scale; taking them out is exact, at a second pass
/// Leaves out   a kernel of its own: two products and a sum, as the first implementations did
#pragma once

#include <cstdint>
#include <vector>

#include "02_int8_calibration/w8a8_gemm.h"
#include "common/contract.h"
#include "common/formats.h"
#include "common/isa.h"

namespace qlab {

struct LlmInt8Weights;

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// As outlier_columns below.
std::vector<std::int64_t> outlier_columns(MatrixView<const float> X, float threshold);

/// As llm_int8_gemm below, on one thread and token by token; W has both formats.
void llm_int8_gemm(MatrixView<const float> X, const LlmInt8Weights& W, float threshold,
                   MatrixView<float> Y);

}  // namespace exercise

/// Columns k of X with |X[m, k]| ≥ threshold for some m, rising. They are found in every call, over
/// all tokens in it: a token can change which columns another token's product takes out.
/// \param threshold  > 0; infinity finds none. bitsandbytes' threshold 0 means "off", the opposite
///                   of what the definition says of 0, so 0 is refused here.
/// \throws ContractError for a threshold that is not above 0, or naming the first value of X that
///         is not finite.
std::vector<std::int64_t> outlier_columns(MatrixView<const float> X, float threshold);

/// Weights for llm_int8_gemm, in both formats; `fp16` is as the paper has it, or [0, 0]: then the
/// outlier columns are dequantized from the codes, as bitsandbytes does.
struct LlmInt8Weights {
  Int8Rows int8;                  // [N, K]  scales over all of K
  MatrixView<const half_t> fp16;  // [N, K] or [0, 0]
};

/// Y = X[:, O] · W[:, O]ᵀ in FP16 with FP32 sums + the rest in INT8 with a scale a token, which is
/// taken over the columns not in O = outlier_columns(X, threshold).
///
/// With threshold = infinity it equals quantize_rows and w8a8_gemm to the bit; with one below every
/// magnitude, fp16_gemm. Source: Dettmers et al., "LLM.int8()", 2022, section 3.2 (whose text says
/// "larger than"; its code, as this, "at least").
///
/// \param X  [M, K] finite
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit, for a threshold that is not above 0, a value of
///         X that is not finite, or an outlier or a dequantized weight that FP16 cannot hold (from
///         65520 on it would round to infinity); Y is then unspecified.
void llm_int8_gemm(MatrixView<const float> X, const LlmInt8Weights& W, float threshold,
                   MatrixView<float> Y, const Machine& machine);

/// The oracle: codes as quantize_rows_ref finds them, sums in double. Tolerance of one element,
/// with P its INT8 part and S the sum of |x||w| over the outlier columns O: 4·2⁻²⁴·|P| (w8a8_gemm)
/// and 2·√(|O| + 1)·2⁻²⁴·(|P| + S): |O| products and P, added in FP32 in any order.
/// \param value  [M, N]
void llm_int8_gemm_ref(MatrixView<const float> X, const LlmInt8Weights& W, float threshold,
                       MatrixView<double> value);

}  // namespace qlab
