// SPDX-License-Identifier: Apache-2.0
/// \file
/// The peer of the INT8 kernels: Y = X · Wᵀ by cuBLASLt, with int32 out. Row-major Y = X · Wᵀ is
/// column-major Yᵀ = W · Xᵀ. For nvcc only.
#pragma once

#include <cublasLt.h>

#include <array>
#include <functional>

#include "simt/simt.h"
#include "support/fp16_cublas.h"

namespace qlab::test {

/// One INT8 product. The first proposal of cuBLASLt's heuristic can be far from its best (of INT8
/// products it often is), so the eight first ones are timed.
class Int8Cublas {
 public:
  Int8Cublas(int M, int N, int K, const std::int8_t* X, const std::int8_t* W, std::int32_t* Y)
      : X_(X), W_(W), Y_(Y), workspace_(kWorkspace) {
    check(cublasLtCreate(&handle_), "cuBLASLt");
    check(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32I, CUDA_R_32I), "operation");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                         sizeof transposed),
          "operation");
    const auto side = [](int n) { return static_cast<std::uint64_t>(n); };
    check(cublasLtMatrixLayoutCreate(&w_, CUDA_R_8I, side(K), side(N), K), "layout of W");
    check(cublasLtMatrixLayoutCreate(&x_, CUDA_R_8I, side(K), side(M), K), "layout of X");
    check(cublasLtMatrixLayoutCreate(&y_, CUDA_R_32I, side(N), side(M), N), "layout of Y");
  }
  ~Int8Cublas() {
    cublasLtMatrixLayoutDestroy(y_);
    cublasLtMatrixLayoutDestroy(x_);
    cublasLtMatrixLayoutDestroy(w_);
    cublasLtMatmulDescDestroy(operation_);
    cublasLtDestroy(handle_);
  }
  Int8Cublas(const Int8Cublas&) = delete;
  Int8Cublas& operator=(const Int8Cublas&) = delete;

  /// False where cuBLASLt has no algorithm. `time` is the seconds of a call.
  bool choose_fastest(const std::function<double(const std::function<void()>&)>& time) {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "preference");
    const std::size_t bytes = kWorkspace;
    check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &bytes, sizeof bytes),
          "preference");
    std::array<cublasLtMatmulHeuristicResult_t, 8> proposals{};
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle_, operation_, w_, x_, y_, y_, preference, static_cast<int>(proposals.size()),
        proposals.data(), &count);
    cublasLtMatmulPreferenceDestroy(preference);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || count == 0) return false;
    check(status, "cuBLASLt heuristic");
    double best = 0;
    cublasLtMatmulAlgo_t fastest{};
    for (int i = 0; i < count; ++i) {
      const cublasLtMatmulHeuristicResult_t& proposal = proposals[static_cast<std::size_t>(i)];
      if (proposal.state != CUBLAS_STATUS_SUCCESS) continue;
      algorithm_ = proposal.algo;
      const double seconds = time([this] { run(); });
      if (best == 0 || seconds < best) {
        best = seconds;
        fastest = algorithm_;
      }
    }
    algorithm_ = fastest;
    return best > 0;
  }

  /// Launches and waits, as the exercises do.
  void run() {
    const std::int32_t one = 1, zero = 0;
    check(cublasLtMatmul(handle_, operation_, &one, W_, w_, X_, x_, &zero, Y_, y_, Y_, y_,
                         &algorithm_, workspace_.data(), kWorkspace, nullptr),
          "cuBLASLt");
    simt::check(cudaDeviceSynchronize(), "cuBLASLt");
  }

 private:
  static constexpr std::size_t kWorkspace = std::size_t{64} << 20;
  const std::int8_t *X_, *W_;
  std::int32_t* Y_;
  simt::Buffer<unsigned char> workspace_;
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t w_ = nullptr, x_ = nullptr, y_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace qlab::test
