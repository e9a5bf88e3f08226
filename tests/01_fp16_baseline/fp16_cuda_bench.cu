// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of fp16_gemv, fp16_gemm_tiled and fp16_gemm_mma on a GPU, beside the read bandwidth measured
/// in the same run and, where it was found, cuBLAS. The table goes to stderr, JSON to stdout:
///
///     build/cuda/exercises/fp16_cuda_bench > plan/measured/<machine>.json
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_gemm_mma.h"
#include "01_fp16_baseline/fp16_gemm_tiled.h"
#include "01_fp16_baseline/fp16_gemv.h"
#include "common/random.h"
#include "simt/simt.h"
#include "support/cuda_bench.h"
#if defined(QLAB_CUBLAS)
#include <cublas_v2.h>
#endif

namespace qlab::test {
namespace {

struct Problem {
  int M, N, K;
  simt::Buffer<half> X, W;
  simt::Buffer<float> Y;

  Problem(int m, int n, int k)
      : M(m),
        N(n),
        K(k),
        X(values(m, k, 1)),
        W(values(n, k, 2)),
        Y(std::size_t(m) * std::size_t(n)) {}

  static std::vector<half> values(int rows, int cols, std::uint64_t seed) {
    Random random(seed);
    std::vector<half> v(std::size_t(rows) * std::size_t(cols));
    for (half& x : v) x = __float2half(static_cast<float>(random.uniform(-1, 1)));
    return v;
  }
};

#if defined(QLAB_CUBLAS)
/// Row-major Y = X · Wᵀ is column-major Yᵀ = W · Xᵀ.
void cublas_gemm(cublasHandle_t handle, Problem& p) {
  const float one = 1, zero = 0;
  const cublasStatus_t status =
      cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, p.N, p.M, p.K, &one, p.W.data(), CUDA_R_16F,
                   p.K, p.X.data(), CUDA_R_16F, p.K, &zero, p.Y.data(), CUDA_R_32F, p.N,
                   CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
  if (status != CUBLAS_STATUS_SUCCESS) throw simt::Error(cublasGetStatusString(status));
  check(cudaDeviceSynchronize(), "cuBLAS");
}
#endif

class Bench {
 public:
  Bench(Flush& flush, const Gpu& gpu) : flush_(flush), gpu_(gpu) {
#if defined(QLAB_CUBLAS)
    if (cublasCreate(&handle_) != CUBLAS_STATUS_SUCCESS) throw simt::Error("cuBLAS cannot start");
#endif
    std::fprintf(stderr, "%s: reads %.0f GB/s, a launch takes %.1f us\n\n", gpu.properties.name,
                 1e-9 * gpu.read_bytes_per_second, 1e6 * gpu.launch_seconds);
    std::fprintf(stderr, "%-16s %-9s %5s %6s %6s %10s %7s %8s\n", "operation", "path", "M", "N",
                 "K", "us", "GB/s", "TFLOP/s");
  }

  void gemv(int N, int K) {
    Problem p(1, N, K);
    const Cost cost = fp16_gemv_cost(N, K);
    add("fp16_gemv", "exercise", p, cost,
        [&] { exercise::fp16_gemv(p.W.data(), p.X.data(), p.Y.data(), N, K); });
    add_cublas("fp16_gemv", p, cost);
  }

  void gemm(int M, int N, int K) {
    Problem p(M, N, K);
    add("fp16_gemm_tiled", "exercise", p, fp16_gemm_tiled_cost(M, N, K),
        [&] { exercise::fp16_gemm_tiled(p.X.data(), p.W.data(), p.Y.data(), M, N, K); });
    add("fp16_gemm_mma", "exercise", p, fp16_gemm_mma_cost(M, N, K),
        [&] { exercise::fp16_gemm_mma(p.X.data(), p.W.data(), p.Y.data(), M, N, K); });
    add_cublas("fp16_gemm", p, fp16_gemm_mma_cost(M, N, K));
  }

  const std::vector<GpuRow>& rows() const { return rows_; }

 private:
  void add(const char* operation, const char* path, const Problem& p, const Cost& cost,
           const std::function<void()>& call) {
    const Seconds s = time_calls(flush_, call);
    const double net = s.median - gpu_.launch_seconds;
    rows_.push_back({operation, path, p.M, p.N, p.K, cost, s, net});
    std::fprintf(stderr, "%-16s %-9s %5d %6d %6d %10.1f %7.0f %8.2f\n", operation, path, p.M, p.N,
                 p.K, 1e6 * net, 1e-9 * static_cast<double>(cost.bytes) / net,
                 1e-12 * static_cast<double>(cost.flops) / net);
  }

  void add_cublas([[maybe_unused]] const char* operation, [[maybe_unused]] Problem& p,
                  [[maybe_unused]] const Cost& cost) {
#if defined(QLAB_CUBLAS)
    add(operation, "cuBLAS", p, cost, [&] { cublas_gemm(handle_, p); });
#endif
  }

  Flush& flush_;
  const Gpu& gpu_;
  std::vector<GpuRow> rows_;
#if defined(QLAB_CUBLAS)
  cublasHandle_t handle_ = nullptr;
#endif
};

int run() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr,
                 "fp16_cuda_bench: there is no GPU here; run it where nvidia-smi lists one\n");
    return 1;
  }
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "device");
  Flush flush(static_cast<std::size_t>(properties.l2CacheSize));
  const Gpu gpu = measure_gpu(flush);
  Bench bench(flush, gpu);
  bench.gemv(4096, 4096);  // a projection of a 7B model, its MLP, the MLP of a 70B model
  bench.gemv(4096, 11008);
  bench.gemv(8192, 28672);
  for (const int M : {64, 512, 4096}) bench.gemm(M, 4096, 4096);
  bench.gemm(4096, 8192, 8192);
  print_json("fp16_cuda_bench", gpu, bench.rows(), {});
  return 0;
}

}  // namespace
}  // namespace qlab::test

int main() {
  try {
    return qlab::test::run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fp16_cuda_bench: %s\n", e.what());
    return 1;
  }
}
