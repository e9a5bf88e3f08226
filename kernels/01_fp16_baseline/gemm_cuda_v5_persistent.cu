// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 5: loads, products and stores of different tiles at the same time.
///
/// Idea    the kernel of common/hopper_gemm.h: warps with roles, blocks that stay. Here is only what is
///         FP16 or BF16 about it: the instruction, and the rounding of two sums to a word
/// Before  rung 4 stops all threads in every step, and the tensor cores rest while a tile is stored
/// Needs   Hopper
#include "01_fp16_baseline/gemm_cuda.h"
#include "common/hopper_gemm.h"

namespace qlab {
namespace {

template <class T>
struct Format {
  using Element = T;
  using Sum = float;
  __device__ __forceinline__ static void multiply(float (&d)[128], std::uint64_t a, std::uint64_t b,
                                                  int add) {
    if constexpr (std::is_same_v<T, half>) {
      hopper::wgmma_f16(d, a, b, add);
    } else {
      hopper::wgmma_bf16(d, a, b, add);
    }
  }
};

template <class T>
struct Round {
  struct Nothing {};
  __device__ Nothing rows(int) const { return {}; }
  __device__ Nothing columns(int) const { return {}; }
  __device__ std::uint32_t pair(Nothing, int, Nothing, float left, float right) const {
    const T both[2] = {T(left), T(right)};
    std::uint32_t word;
    memcpy(&word, both, sizeof word);
    return word;
  }
};

}  // namespace

template <class T>
void gemm_cuda_v5_persistent(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v5_persistent", M, N, K);
  hopper::enqueue_persistent_gemm<Format<T>>(X, W, Y, Round<T>{}, M, N, K, stream);
}
template GemmCuda<half> gemm_cuda_v5_persistent<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v5_persistent<__nv_bfloat16>;

}  // namespace qlab
