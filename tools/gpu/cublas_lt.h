// SPDX-License-Identifier: Apache-2.0
/// \file
/// The peer of the products: cuBLASLt, with the fastest of the algorithms that it proposes. For nvcc.
#pragma once

#include <cublasLt.h>

#include <array>
#include <functional>
#include <string>

#include "simt/enqueue.h"
#include "simt/simt.h"

namespace qlab::gpu {

inline void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw simt::Error(std::string(what) + ": " + cublasLtGetStatusString(status));
  }
}

/// What is multiplied: the elements of X and W, of Y, of the sums.
struct LtTypes {
  cudaDataType_t in, out;
  cublasComputeType_t sums;
  cudaDataType_t scale;
};
inline constexpr LtTypes kLtFp16{CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUDA_R_32F};
inline constexpr LtTypes kLtBf16{CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUDA_R_32F};
inline constexpr LtTypes kLtInt8{CUDA_R_8I, CUDA_R_32I, CUBLAS_COMPUTE_32I, CUDA_R_32I};

/// Y = X · Wᵀ of one shape. Row-major Y is column-major Yᵀ = W · Xᵀ.
class LtProduct {
 public:
  LtProduct(const LtTypes& types, int M, int N, int K) : types_(types), workspace_(kWorkspace) {
    check(cublasLtCreate(&handle_), "cuBLASLt");
    check(cublasLtMatmulDescCreate(&product_, types.sums, types.scale), "cuBLASLt");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check(cublasLtMatmulDescSetAttribute(product_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                         sizeof transposed),
          "cuBLASLt");
    const auto side = [](cudaDataType_t type, int rows, int cols) {
      cublasLtMatrixLayout_t layout;
      check(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(rows),
                                       static_cast<std::uint64_t>(cols), rows),
            "cuBLASLt");
      return layout;
    };
    w_ = side(types.in, K, N);
    x_ = side(types.in, K, M);
    y_ = side(types.out, N, M);
    cublasLtMatmulPreference_t wish;
    check(cublasLtMatmulPreferenceCreate(&wish), "cuBLASLt");
    const std::size_t bytes = kWorkspace;
    check(cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &bytes, sizeof bytes),
          "cuBLASLt");
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle_, product_, w_, x_, y_, y_, wish, static_cast<int>(proposed_.size()),
        proposed_.data(), &count_);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) {
      count_ = 0;
    } else {
      check(status, "cuBLASLt's proposals");
    }
    cublasLtMatmulPreferenceDestroy(wish);
  }
  LtProduct(const LtProduct&) = delete;
  LtProduct& operator=(const LtProduct&) = delete;
  ~LtProduct() {
    for (cublasLtMatrixLayout_t layout : {w_, x_, y_}) cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(product_);
    cublasLtDestroy(handle_);
  }

  /// Whether cuBLASLt has an algorithm for this product; without one it cannot run.
  bool exists() const { return count_ > 0; }

  /// Tries what is proposed, each some times, and keeps the fastest. weights(i): W of call i, each
  /// another copy, so that none is in the L2: there another algorithm may be the fastest.
  void choose(const void* x, const std::function<const void*(std::size_t)>& weights, void* y,
              Stream stream) {
    if (!exists()) return;
    cudaEvent_t start, stop;
    simt::check(cudaEventCreate(&start), "event");
    simt::check(cudaEventCreate(&stop), "event");
    float best = 0;
    int fastest = 0;
    for (chosen_ = 0; chosen_ < count_; ++chosen_) {
      constexpr std::size_t kCalls = 20;
      for (std::size_t i = 0; i < 1 + kCalls; ++i) {
        run(x, weights(i), y, stream);
        if (i == 0) simt::check(cudaEventRecord(start, stream), "event");
      }
      simt::check(cudaEventRecord(stop, stream), "event");
      simt::check(cudaEventSynchronize(stop), "event");
      float milliseconds = 0;
      simt::check(cudaEventElapsedTime(&milliseconds, start, stop), "event");
      if (chosen_ == 0 || milliseconds < best) {
        best = milliseconds;
        fastest = chosen_;
      }
    }
    chosen_ = fastest;
    cudaEventDestroy(start);
    cudaEventDestroy(stop);
  }

  void run(const void* x, const void* w, void* y, Stream stream) {
    const float one = 1, zero = 0;
    const std::int32_t whole_one = 1, whole_zero = 0;
    const bool whole = types_.scale == CUDA_R_32I;
    check(cublasLtMatmul(handle_, product_, whole ? static_cast<const void*>(&whole_one) : &one, w,
                         w_, x, x_, whole ? static_cast<const void*>(&whole_zero) : &zero, y, y_, y,
                         y_, &proposed_[static_cast<std::size_t>(chosen_)].algo, workspace_.data(),
                         kWorkspace, stream),
          "cuBLASLt");
  }

 private:
  static constexpr std::size_t kWorkspace = std::size_t{64} << 20;

  LtTypes types_;
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatrixLayout_t w_ = nullptr, x_ = nullptr, y_ = nullptr;
  std::array<cublasLtMatmulHeuristicResult_t, 8> proposed_{};
  int count_ = 0, chosen_ = 0;
  simt::Buffer<unsigned char> workspace_;
};

}  // namespace qlab::gpu
