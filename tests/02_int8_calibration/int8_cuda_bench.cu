// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of w8a8_gemm_dp4a and w8a8_gemm_imma on a GPU, beside the read bandwidth measured in the
/// same run and, where it was found, cuBLAS in INT8 (int32 out, not scaled) and in FP16. A result that
/// is wrong is no time: samples of each are compared. The table goes to stderr, JSON to stdout:
///
///     build/cuda/exercises/int8_cuda_bench > plan/measured/<machine>.json
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "01_fp16_baseline/fp16_gemm_mma.h"
#include "02_int8_calibration/w8a8_gemm_dp4a.h"
#include "02_int8_calibration/w8a8_gemm_imma.h"
#include "common/random.h"
#include "support/cuda_bench.h"
#if defined(QLAB_CUBLAS)
#include "02_int8_calibration/int8_cublas.h"
#endif

namespace qlab::test {
namespace {

struct Problem {
  int M, N, K;
  std::vector<std::int8_t> x, w;
  std::vector<float> x_scale, w_scale;
  simt::Buffer<std::int8_t> X, W;
  simt::Buffer<float> X_scale, W_scale, Y;

  Problem(int m, int n, int k)
      : M(m),
        N(n),
        K(k),
        x(codes(m, k, 1)),
        w(codes(n, k, 2)),
        x_scale(scales(m, 3)),
        w_scale(scales(n, 4)),
        X(x),
        W(w),
        X_scale(x_scale),
        W_scale(w_scale),
        Y(std::size_t(m) * std::size_t(n)) {}

  static std::vector<std::int8_t> codes(int rows, int cols, std::uint64_t seed) {
    Random random(seed);
    std::vector<std::int8_t> v(std::size_t(rows) * std::size_t(cols));
    for (std::size_t i = 0; i < v.size(); i += sizeof(std::uint64_t)) {
      const std::uint64_t bits = random.bits();
      std::memcpy(&v[i], &bits, std::min(sizeof bits, v.size() - i));
    }
    return v;
  }
  static std::vector<float> scales(int rows, std::uint64_t seed) {
    Random random(seed);
    std::vector<float> v(static_cast<std::size_t>(rows));
    for (float& s : v) s = static_cast<float>(random.uniform(0.001, 0.01));
    return v;
  }

  struct Sum {
    std::int64_t value = 0, magnitude = 0;
  };
  Sum sum(int m, int n) const {
    Sum s;
    for (int k = 0; k < K; ++k) {
      const int product =
          x[std::size_t(m) * std::size_t(K) + k] * w[std::size_t(n) * std::size_t(K) + k];
      s.value += product;
      s.magnitude += std::abs(product);
    }
    return s;
  }
};

/// NaN in each float; of integers a value that no sum has.
template <class T>
void poison(simt::Buffer<T>& output) {
  const int byte = std::is_integral_v<T> ? 0x7F : 0xFF;
  check(cudaMemset(output.data(), byte, output.size() * sizeof(T)), "poison");
}

/// Whether sampled elements of a [M, N] matrix on the device are `expected` ± `allowed`.
template <class T>
bool samples_are_right(const Problem& p, const simt::Buffer<T>& got,
                       const std::function<double(int m, int n, const Problem::Sum&)>& expected,
                       const std::function<double(double value, const Problem::Sum&)>& allowed) {
  Random random(5);
  const std::vector<T> all = got.to_host();
  for (int i = 0; i < 256; ++i) {
    // The first and the last element, then any: a last tile that is dropped shows at once.
    const int m = i == 0 ? 0 : i == 1 ? p.M - 1 : static_cast<int>(random.below(p.M));
    const int n = i == 0 ? 0 : i == 1 ? p.N - 1 : static_cast<int>(random.below(p.N));
    const Problem::Sum sum = p.sum(m, n);
    const double value = expected(m, n, sum);
    const double came = static_cast<double>(all[std::size_t(m) * std::size_t(p.N) + n]);
    if (!(std::fabs(came - value) <= allowed(value, sum))) {
      std::fprintf(stderr, "MISMATCH at [%d, %d]: expected %.9g, got %.9g\n", m, n, value, came);
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
                 "K", "us", "GB/s", "TOP/s");
  }

  void gemm(int M, int N, int K) {
    Problem p(M, N, K);
    exercise("w8a8_gemm_dp4a", p, [&] {
      exercise::w8a8_gemm_dp4a(p.X.data(), p.X_scale.data(), p.W.data(), p.W_scale.data(),
                               p.Y.data(), M, N, K, K);
    });
    exercise("w8a8_gemm_imma", p, [&] {
      exercise::w8a8_gemm_imma(p.X.data(), p.X_scale.data(), p.W.data(), p.W_scale.data(),
                               p.Y.data(), M, N, K);
    });
#if defined(QLAB_CUBLAS)
    cublas_int8(p);
    cublas_fp16(p);
#endif
  }

  const std::vector<GpuRow>& rows() const { return rows_; }
  bool all_right() const { return all_right_; }

  /// How many times faster than `operation` of cuBLAS the row is; 0 where that was not measured.
  double over_cublas(const GpuRow& row, const char* operation) const {
    for (const GpuRow& r : rows_) {
      if (r.operation == operation && r.path == "cuBLAS" && r.M == row.M && r.N == row.N &&
          r.K == row.K) {
        return r.net_seconds / row.net_seconds;
      }
    }
    return 0;
  }

 private:
  void exercise(const char* operation, Problem& p, const std::function<void()>& call) {
    poison(p.Y);
    const Seconds seconds = time_calls(flush_, call);
    const auto expected = [&](int m, int n, const Problem::Sum& sum) {
      return static_cast<double>(sum.value) * p.x_scale[std::size_t(m)] * p.w_scale[std::size_t(n)];
    };
    const auto allowed = [](double value, const Problem::Sum&) {
      return 4 * 0x1p-24 * std::fabs(value);
    };
    add(operation, "exercise", p, w8a8_gemm_cost(p.M, p.N, p.K), seconds,
        samples_are_right<float>(p, p.Y, expected, allowed));
  }

#if defined(QLAB_CUBLAS)
  void cublas_int8(Problem& p) {
    simt::Buffer<std::int32_t> sums(p.Y.size());
    poison(sums);
    Int8Cublas product(p.M, p.N, p.K, p.X.data(), p.W.data(), sums.data());
    if (!product.choose_fastest(
            [&](const auto& call) { return time_calls(flush_, call).median; })) {
      std::fprintf(stderr, "%-16s %-9s %5d %6d %6d   no algorithm for this shape\n", "int8_gemm",
                   "cuBLAS", p.M, p.N, p.K);
      return;
    }
    const Seconds seconds = time_calls(flush_, [&] { product.run(); });
    add("int8_gemm", "cuBLAS", p, w8a8_gemm_cost(p.M, p.N, p.K), seconds,
        samples_are_right<std::int32_t>(
            p, sums,
            [](int, int, const Problem::Sum& sum) { return static_cast<double>(sum.value); },
            [](double, const Problem::Sum&) { return 0.0; }));
  }

  void cublas_fp16(Problem& p) {
    const simt::Buffer<half> x(as_half(p.x)), w(as_half(p.w));
    poison(p.Y);
    const Seconds seconds =
        time_calls(flush_, [&] { fp16_.gemm(p.M, p.N, p.K, x.data(), w.data(), p.Y.data()); });
    add("fp16_gemm", "cuBLAS", p, fp16_gemm_mma_cost(p.M, p.N, p.K), seconds,
        samples_are_right<float>(
            p, p.Y,
            [](int, int, const Problem::Sum& sum) { return static_cast<double>(sum.value); },
            [&](double, const Problem::Sum& sum) {
              return fp16_gemm_mma_error(p.K) * static_cast<double>(sum.magnitude);
            }));
  }

  /// The same codes: FP16 has all of them.
  static std::vector<half> as_half(const std::vector<std::int8_t>& codes) {
    std::vector<half> v(codes.size());
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = __float2half(static_cast<float>(codes[i]));
    return v;
  }

  Fp16Cublas fp16_;
#endif

  void add(const char* operation, const char* path, const Problem& p, const Cost& cost,
           const Seconds& seconds, bool right) {
    std::fprintf(stderr, "%-16s %-9s %5d %6d %6d ", operation, path, p.M, p.N, p.K);
    if (!right) {
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
};

int run() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr,
                 "int8_cuda_bench: there is no GPU here; run it where nvidia-smi lists one\n");
    return 1;
  }
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "device");
  Flush flush(static_cast<std::size_t>(properties.l2CacheSize));
  const Gpu gpu = measure_gpu(flush);
  Bench bench(flush, gpu);
  bench.gemm(1, 8192,
             28672);  // one token in the MLP of a 70B model; then a projection of a 7B model
  for (const int M : {1, 16, 256, 4096}) bench.gemm(M, 4096, 4096);
  print_json(
      "int8_cuda_bench", gpu, bench.rows(),
      {{"times_cublas_int8", [&](const GpuRow& r) { return bench.over_cublas(r, "int8_gemm"); }},
       {"times_cublas_fp16", [&](const GpuRow& r) { return bench.over_cublas(r, "fp16_gemm"); }}});
  return bench.all_right() ? 0 : 1;
}

}  // namespace
}  // namespace qlab::test

int main() {
  try {
    return qlab::test::run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "int8_cuda_bench: %s\n", e.what());
    return 1;
  }
}
