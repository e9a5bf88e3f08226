// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp32_gemm, rung 2: 8 lanes along K, a tile of sums in registers.
///
/// Idea    the loops of common/gemm_avx2.h, where a FP32 operand widens by a plain load
/// Before  rung 1 makes one multiply-add at a time
/// Needs   avx2, fma, f16c
#include "01_fp16_baseline/fp32_gemm.h"
#include "common/gemm_avx2.h"

#if QLAB_X86

namespace qlab {

void fp32_gemm_v2_avx2(MatrixView<const float> X, MatrixView<const float> W, MatrixView<float> Y,
                       ThreadPool& threads) {
  avx2::gemm(X, W, Y, threads);
}

}  // namespace qlab

#endif  // QLAB_X86
