// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whether samples of a product on the device are right: each is computed on the host from the very
/// operands that the kernel read. For nvcc only.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "01_fp16_baseline/gemm_cuda.h"
#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "gpu/operands.h"

namespace qlab::gpu {

inline std::size_t area(int rows, int cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

/// `count` elements of the device from `at` on.
template <class T>
std::vector<T> device_part(const T* from, std::size_t at, int count) {
  std::vector<T> to(static_cast<std::size_t>(count));
  simt::check(cudaMemcpy(to.data(), from + at, to.size() * sizeof(T), cudaMemcpyDeviceToHost),
              "copy");
  return to;
}

/// Y [M, N] of gemm_cuda, within the bound of tests/01_fp16_baseline/gemm_cuda_test.cu.
template <class T>
bool gemm_right(const T* x, const T* w, const T* y, int M, int N, int K) {
  constexpr double kRounding = std::is_same_v<T, half> ? 0x1p-11 : 0x1p-8;
  return samples_right(M, N, [&](int m, int n) {
    const auto a = device_part(x, area(m, K), K), b = device_part(w, area(n, K), K);
    double sum = 0, magnitude = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
      const double product = double{static_cast<float>(a[k])} * double{static_cast<float>(b[k])};
      sum += product;
      magnitude += std::abs(product);
    }
    const double allowed = gemm_cuda_error(K) * magnitude;
    const double got =
        static_cast<float>(device_part(y, area(m, N) + static_cast<std::size_t>(n), 1)[0]);
    return std::abs(got - sum) <= allowed + kRounding * (std::abs(sum) + allowed);
  });
}

/// Y of w8a8_gemm_cuda, bit for bit.
inline bool w8a8_right(const W8A8Cuda& p) {
  return samples_right(p.M, p.N, [&](int m, int n) {
    const std::size_t i = static_cast<std::size_t>(m), j = static_cast<std::size_t>(n);
    const auto a = device_part(p.x, area(m, p.K), p.K), b = device_part(p.w, area(n, p.K), p.K);
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    const float scale = device_part(p.x_scale, i, 1)[0] * device_part(p.w_scale, j, 1)[0];
    const __nv_bfloat16 expected(scale * static_cast<float>(sum));
    const float got = static_cast<float>(device_part(p.y, area(m, p.N) + j, 1)[0]);
    return got == static_cast<float>(expected);
  });
}

}  // namespace qlab::gpu
