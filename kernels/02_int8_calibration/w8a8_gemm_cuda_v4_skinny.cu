// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda, rung 4: few tokens, for which reading W is all the work.
///
/// Idea    the kernel of common/skinny_gemm.h: W is the operand A, tokens are columns, the warps of
///         a block split K, and so do blocks where rows are few. Integers have one sum in any order
/// Before  tiles of 128 rows of X, mostly empty, and too few of them to keep memory busy
/// Needs   any GPU from Ampere on; M ≤ 64
#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "common/skinny_gemm.h"

namespace qlab {
namespace {

static_assert(kW8A8CudaSkinnyTokens == skinny::kMostTokens);

struct Format {
  using Element = std::int8_t;
  using Sum = std::int32_t;
  __device__ static void mma(std::int32_t (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k32_s8(d, a, b);
  }
};

}  // namespace

/// One product; W8A8Cuda says what it takes and gives.
void w8a8_gemm_cuda_v4_skinny(const W8A8Cuda& p, Stream stream) {
  check_w8a8_gemm_cuda("w8a8_gemm_cuda_v4_skinny", p);
  skinny::enqueue_gemm<Format>("w8a8_gemm_cuda_v4_skinny", p.x, p.w, p.y,
                               W8A8Scales{p.x_scale, p.w_scale, p.M, p.N}, p.M, p.N, p.K, stream);
}

}  // namespace qlab
