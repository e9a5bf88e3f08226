// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda, rung 5: some tens of tokens, or fewer in a large layer.
///
/// Idea    the kernel of common/hopper_split_gemm.h: whole tiles by the copy engine as in rung 3, W as the
///         rows that wgmma wants 64 of, and blocks that share K
/// Before  every warp of rung 4 copies X for itself, and rung 3 has too few tiles to keep memory busy
/// Needs   Hopper
#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "02_int8_calibration/w8a8_gemm_cuda_format.h"
#include "common/hopper_split_gemm.h"

namespace qlab {

/// One product; W8A8Cuda says what it takes and gives.
void w8a8_gemm_cuda_v5_split(const W8A8Cuda& p, Stream stream) {
  check_w8a8_gemm_cuda("w8a8_gemm_cuda_v5_split", p);
  hopper::enqueue_split_gemm<Int8Format>(p.x, p.w, p.y, W8A8Scales{p.x_scale, p.w_scale, p.M, p.N},
                                         p.M, p.N, p.K, stream);
}

}  // namespace qlab
