// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda, rung 3: loads, products and stores of different tiles at the same time.
///
/// Idea    the kernel of common/hopper_gemm.h: 128 bytes of a row are 128 codes, and the sums are scaled
///         on their way out. wgmma takes 8-bit operands only with K contiguous, as X and W lie anyway
/// Before  rung 2 issues loads, products and addresses from the same warps
/// Needs   Hopper
#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "02_int8_calibration/w8a8_gemm_cuda_format.h"
#include "common/hopper_gemm.h"

namespace qlab {

void w8a8_gemm_cuda_v3_persistent(const W8A8Cuda& p, Stream stream) {
  check_w8a8_gemm_cuda("w8a8_gemm_cuda_v3_persistent", p);
  hopper::enqueue_persistent_gemm<Int8Format>(
      p.x, p.w, p.y, W8A8Scales{p.x_scale, p.w_scale, p.M, p.N}, p.M, p.N, p.K, stream);
}

}  // namespace qlab
