// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm and bf16_gemm, rung 2: 8 lanes along K, a tile of sums in registers.
///
/// Idea    the loops of common/gemm_avx2.h; FP16 widens by vcvtph2ps, BF16 by a shift
/// Before  rung 1 makes one multiply-add at a time and widens W again for each row of X
/// Needs   avx2, fma, f16c
#include "01_fp16_baseline/fp16_gemm.h"
#include "common/gemm_avx2.h"

#if QLAB_X86

namespace qlab {

void fp16_gemm_v2_avx2(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y,
                       ThreadPool& threads) {
  avx2::gemm(X, W, Y, threads);
}

void bf16_gemm_v2_avx2(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W, MatrixView<float> Y,
                       ThreadPool& threads) {
  avx2::gemm(X, W, Y, threads);
}

}  // namespace qlab

#endif  // QLAB_X86
