// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of w4a16_gemv_warp and w4a16_gemm_mma on a GPU, groups of 128, beside the read bandwidth
/// measured in the same run and, where it was found, cuBLAS in FP16 with the same weights. A wrong
/// result is no time: samples of each are compared. The table goes to stderr, JSON to stdout:
///
///     build/cuda/exercises/int4_cuda_bench > plan/measured/<machine>.json
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_gemm_mma.h"
#include "03_int4_weight_only/w4a16_gemm_mma.h"
#include "03_int4_weight_only/w4a16_gemv_warp.h"
#include "common/random.h"
#include "support/cuda_bench.h"
#if defined(QLAB_CUBLAS)
#include "support/fp16_cublas.h"
#endif

namespace qlab::test {
namespace {

constexpr int kGroupSize = 128;

/// The weights of the problem in FP16, for cuBLAS.
__global__ void dequantize(Int4DeviceWeights W, int K, std::size_t count, half* out) {
  const std::size_t groups = static_cast<std::size_t>((K + W.group_size - 1) / W.group_size);
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const std::size_t n = i / static_cast<std::size_t>(K);
    const int k = static_cast<int>(i % static_cast<std::size_t>(K));
    const int code = W.qweight[i / 2] >> (k % 2 * 4) & 0xF;
    const std::size_t g = n * groups + static_cast<std::size_t>(k / W.group_size);
    out[i] = __float2half(__half2float(W.scale[g]) * static_cast<float>(code - W.zero_point[g]));
  }
}

struct Problem {
  int M, N, K, groups;
  std::vector<half> x, scale;
  std::vector<std::uint8_t> qweight, zero_point;
  simt::Buffer<half> X, Scale;
  simt::Buffer<std::uint8_t> Qweight, Zero_point;
  simt::Buffer<float> Y;

  Problem(int m, int n, int k)
      : M(m),
        N(n),
        K(k),
        groups((k + kGroupSize - 1) / kGroupSize),
        x(halves(m, k, 1, -1, 1)),
        scale(halves(n, groups, 2, 0.001, 0.01)),
        qweight(bytes(n, k / 2, 3, 256)),
        zero_point(bytes(n, groups, 4, 16)),
        X(x),
        Scale(scale),
        Qweight(qweight),
        Zero_point(zero_point),
        Y(std::size_t(m) * std::size_t(n)) {}

  Int4DeviceWeights W() const {
    return {.qweight = Qweight.data(),
            .scale = Scale.data(),
            .zero_point = Zero_point.data(),
            .group_size = kGroupSize};
  }

  static std::vector<half> halves(int rows, int cols, std::uint64_t seed, double low, double high) {
    Random random(seed);
    std::vector<half> v(std::size_t(rows) * std::size_t(cols));
    for (half& h : v) h = __float2half(static_cast<float>(random.uniform(low, high)));
    return v;
  }
  static std::vector<std::uint8_t> bytes(int rows, int cols, std::uint64_t seed, int below) {
    Random random(seed);
    std::vector<std::uint8_t> v(std::size_t(rows) * std::size_t(cols));
    for (std::uint8_t& b : v) b = static_cast<std::uint8_t>(random.below(below));
    return v;
  }

  struct Sum {
    double value = 0, magnitude = 0;  // Σ x·w and Σ |x||w|
  };
  /// With the weights as they are, or rounded to FP16 as cuBLAS gets them.
  Sum sum(int m, int n, bool fp16_weights) const {
    Sum s;
    for (int k = 0; k < K; ++k) {
      const std::size_t at = std::size_t(n) * std::size_t(K) + std::size_t(k);
      const std::size_t g = std::size_t(n) * std::size_t(groups) + std::size_t(k / kGroupSize);
      const int code = qweight[at / 2] >> (k % 2 * 4) & 0xF;
      const float exact = __half2float(scale[g]) * static_cast<float>(code - zero_point[g]);
      const float weight = fp16_weights ? __half2float(__float2half(exact)) : exact;
      const double product =
          double{__half2float(x[std::size_t(m) * std::size_t(K) + std::size_t(k)])} * weight;
      s.value += product;
      s.magnitude += std::fabs(product);
    }
    return s;
  }
};

/// Whether sampled elements of Y are right, within `allowed` times Σ |x||w|.
bool samples_are_right(const Problem& p, bool fp16_weights, double allowed) {
  Random random(5);
  const std::vector<float> all = p.Y.to_host();
  for (int i = 0; i < 256; ++i) {
    // The first and the last element, then any: a last tile that is dropped shows at once.
    const int m = i == 0 ? 0 : i == 1 ? p.M - 1 : static_cast<int>(random.below(p.M));
    const int n = i == 0 ? 0 : i == 1 ? p.N - 1 : static_cast<int>(random.below(p.N));
    const Problem::Sum sum = p.sum(m, n, fp16_weights);
    const float came = all[std::size_t(m) * std::size_t(p.N) + std::size_t(n)];
    if (!(std::fabs(came - sum.value) <= allowed * sum.magnitude)) {
      std::fprintf(stderr, "MISMATCH at [%d, %d]: expected %.9g, got %.9g\n", m, n, sum.value,
                   double{came});
      return false;
    }
  }
  return true;
}

class Bench {
 public:
  Bench(Flush& flush, const Gpu& gpu) : flush_(flush), gpu_(gpu) {
    std::fprintf(stderr, "%s: reads %.0f GB/s, a launch takes %.1f us\n\n", gpu.properties.name,
                 1e-9 * gpu.read_bytes_per_second, 1e6 * gpu.launch_seconds);
    std::fprintf(stderr, "%-16s %-9s %5s %6s %6s %10s %7s %8s\n", "operation", "path", "M", "N",
                 "K", "us", "GB/s", "TFLOP/s");
  }

  void product(int M, int N, int K) {
    Problem p(M, N, K);
    const Cost cost = w4a16_gemm_cost(M, N, K, kGroupSize);
    if (M == 1) {
      add("w4a16_gemv_warp", "exercise", p, cost, /*fp16_weights=*/false,
          2 * std::sqrt(double{1} * K) * 0x1p-24 + 0x1p-24,
          [&] { exercise::w4a16_gemv_warp(p.W(), p.X.data(), p.Y.data(), N, K); });
    }
    add("w4a16_gemm_mma", "exercise", p, cost, /*fp16_weights=*/false,
        w4a16_gemm_mma_error(K, kGroupSize),
        [&] { exercise::w4a16_gemm_mma(p.X.data(), p.W(), p.Y.data(), M, N, K); });
#if defined(QLAB_CUBLAS)
    simt::Buffer<half> w(std::size_t(N) * std::size_t(K));
    simt::launch(4096, 256, 0, dequantize, p.W(), K, w.size(), w.data());
    add("fp16_gemm", "cuBLAS", p, fp16_gemm_mma_cost(M, N, K), /*fp16_weights=*/true,
        fp16_gemm_mma_error(K), [&] { cublas_.gemm(M, N, K, p.X.data(), w.data(), p.Y.data()); });
#endif
  }

  const std::vector<GpuRow>& rows() const { return rows_; }
  bool all_right() const { return all_right_; }

  /// How many times faster than cuBLAS in FP16 the row is; 0 where that was not measured.
  double over_cublas(const GpuRow& row) const {
    for (const GpuRow& r : rows_) {
      if (r.path == "cuBLAS" && r.M == row.M && r.N == row.N && r.K == row.K) {
        return r.net_seconds / row.net_seconds;
      }
    }
    return 0;
  }

 private:
  void add(const char* operation, const char* path, Problem& p, const Cost& cost, bool fp16_weights,
           double allowed, const std::function<void()>& call) {
    check(cudaMemset(p.Y.data(), 0xFF, p.Y.size() * sizeof(float)), "poison");  // NaN
    const Seconds seconds = time_calls(flush_, call);
    std::fprintf(stderr, "%-16s %-9s %5d %6d %6d ", operation, path, p.M, p.N, p.K);
    if (!samples_are_right(p, fp16_weights, allowed)) {
      std::fprintf(stderr, "no time for a wrong result\n");
      all_right_ = false;
      return;
    }
    const double net = seconds.median - gpu_.launch_seconds;
    rows_.push_back({operation, path, p.M, p.N, p.K, cost, seconds, net});
    std::fprintf(stderr, "%10.1f %7.0f %8.2f\n", 1e6 * net,
                 1e-9 * static_cast<double>(cost.bytes) / net,
                 1e-12 * static_cast<double>(cost.flops) / net);
  }

  Flush& flush_;
  const Gpu& gpu_;
  std::vector<GpuRow> rows_;
  bool all_right_ = true;
#if defined(QLAB_CUBLAS)
  Fp16Cublas cublas_;
#endif
};

int run() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr,
                 "int4_cuda_bench: there is no GPU here; run it where nvidia-smi lists one\n");
    return 1;
  }
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "device");
  Flush flush(static_cast<std::size_t>(properties.l2CacheSize));
  const Gpu gpu = measure_gpu(flush);
  Bench bench(flush, gpu);
  bench.product(1, 8192, 28672);  // one token in the MLP of a 70B model
  for (const int M : {1, 16, 64, 256, 4096}) bench.product(M, 4096, 4096);  // a 7B projection
  print_json("int4_cuda_bench", gpu, bench.rows(),
             {{"times_cublas_fp16", [&](const GpuRow& r) { return bench.over_cublas(r); }}});
  return bench.all_right() ? 0 : 1;
}

}  // namespace
}  // namespace qlab::test

int main() {
  try {
    return qlab::test::run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "int4_cuda_bench: %s\n", e.what());
    return 1;
  }
}
