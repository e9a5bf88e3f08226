// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda, rung 2: tensor cores, fed by copies that run while they multiply.
///
/// Idea    the kernel of common/mma_gemm.h: 32 bytes of K are 32 codes, where FP16 has 16 elements
/// Before  rung 1 reads both operands again for every product, a byte at a time
/// Needs   any GPU from Ampere on
#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "02_int8_calibration/w8a8_gemm_cuda_format.h"
#include "common/mma_gemm.h"

namespace qlab {

void w8a8_gemm_cuda_v2_mma(const W8A8Cuda& p, Stream stream) {
  check_w8a8_gemm_cuda("w8a8_gemm_cuda_v2_mma", p);
  mma::enqueue_gemm<Int8Format>(p.x, p.w, p.y, W8A8Scales{p.x_scale, p.w_scale, p.M, p.N}, p.M, p.N,
                                p.K, stream);
}

}  // namespace qlab
