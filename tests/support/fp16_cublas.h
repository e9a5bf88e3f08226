// SPDX-License-Identifier: Apache-2.0
/// \file
/// The peer of all GPU kernels: Y = X · Wᵀ by cuBLAS, FP16 with FP32 out. Row-major Y = X · Wᵀ is
/// column-major Yᵀ = W · Xᵀ. For nvcc only.
#pragma once

#include <cublas_v2.h>

#include <string>

#include "simt/simt.h"

namespace qlab::test {

inline void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw simt::Error(std::string(what) + ": " + cublasGetStatusString(status));
  }
}

class Fp16Cublas {
 public:
  Fp16Cublas() { check(cublasCreate(&handle_), "cuBLAS"); }
  ~Fp16Cublas() { cublasDestroy(handle_); }
  Fp16Cublas(const Fp16Cublas&) = delete;
  Fp16Cublas& operator=(const Fp16Cublas&) = delete;

  void gemm(int M, int N, int K, const half* X, const half* W, float* Y) {
    const float one = 1, zero = 0;
    check(cublasGemmEx(handle_, CUBLAS_OP_T, CUBLAS_OP_N, N, M, K, &one, W, CUDA_R_16F, K, X,
                       CUDA_R_16F, K, &zero, Y, CUDA_R_32F, N, CUBLAS_COMPUTE_32F,
                       CUBLAS_GEMM_DEFAULT),
          "cuBLAS");
    simt::check(cudaDeviceSynchronize(), "cuBLAS");
  }

 private:
  cublasHandle_t handle_ = nullptr;
};

}  // namespace qlab::test
