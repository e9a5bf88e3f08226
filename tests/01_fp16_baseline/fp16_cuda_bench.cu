// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of fp16_gemv, fp16_gemm_tiled and fp16_gemm_mma on a GPU, beside the read bandwidth measured
/// in the same run and, where it was found, cuBLAS. The table goes to stderr, JSON to stdout:
///
///     build/cuda/exercises/fp16_cuda_bench > plan/measured/<machine>.json
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_gemm_mma.h"
#include "01_fp16_baseline/fp16_gemm_tiled.h"
#include "01_fp16_baseline/fp16_gemv.h"
#include "common/random.h"
#include "simt/simt.h"
#if defined(QLAB_CUBLAS)
#include <cublas_v2.h>
#endif

namespace qlab::test {
namespace {

using simt::check;

/// Writes more than the L2 cache holds. What follows in the stream starts cold; it also starts
/// without waiting for its launch, since the host is ahead by then.
class Flush {
 public:
  explicit Flush(std::size_t l2_bytes) : buffer_(2 * l2_bytes + (std::size_t{64} << 20)) {}
  void operator()() { check(cudaMemsetAsync(buffer_.data(), 0x5A, buffer_.size()), "flush"); }

 private:
  simt::Buffer<unsigned char> buffer_;
};

struct Seconds {
  double median, low, high;  ///< low and high: quartiles
};

/// Of one call, which launches and waits, in a cold L2; by events. About half a second in all.
Seconds time_calls(Flush& flush, const std::function<void()>& call) {
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start), "event");
  check(cudaEventCreate(&stop), "event");
  std::vector<double> seconds;
  double total = 0;
  for (int i = -3; i < 200 && (i < 20 || total < 0.5); ++i) {
    flush();
    check(cudaEventRecord(start), "event");
    call();
    check(cudaEventRecord(stop), "event");
    check(cudaEventSynchronize(stop), "event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start, stop), "event");
    if (i < 0) continue;  // warming up
    seconds.push_back(1e-3 * milliseconds);
    total += seconds.back();
  }
  check(cudaEventDestroy(start), "event");
  check(cudaEventDestroy(stop), "event");
  std::sort(seconds.begin(), seconds.end());
  const std::size_t n = seconds.size();
  return {seconds[n / 2], seconds[n / 4], seconds[3 * n / 4]};
}

__global__ void read_all(const uint4* in, std::size_t n, unsigned* out) {
  unsigned seen = 0;
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
#pragma unroll 8
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    const uint4 v = in[i];
    seen |= v.x | v.y | v.z | v.w;
  }
  if (seen == 1) *out = seen;  // never: the buffer is even, but the compiler cannot know
}
__global__ void nothing() {}

struct Machine {
  cudaDeviceProp properties{};
  double launch_seconds = 0;  ///< of a kernel that does nothing
  double read_bytes_per_second = 0;
};

Machine measure_machine(Flush& flush) {
  Machine m;
  check(cudaGetDeviceProperties(&m.properties, 0), "device");
  m.launch_seconds = time_calls(flush, [] { simt::launch(1, 32, 0, nothing); }).median;
  const std::size_t words = std::size_t{1} << 26;  // 1 GiB
  simt::Buffer<uint4> in(words);
  simt::Buffer<unsigned> out(1);
  check(cudaMemset(in.data(), 0x22, words * sizeof(uint4)), "fill");
  const unsigned blocks = static_cast<unsigned>(m.properties.multiProcessorCount) * 8;
  const Seconds s = time_calls(
      flush, [&] { simt::launch(blocks, 256, 0, read_all, in.data(), words, out.data()); });
  m.read_bytes_per_second =
      static_cast<double>(words * sizeof(uint4)) / (s.median - m.launch_seconds);
  return m;
}

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

struct Row {
  std::string operation, path;
  int M, N, K;
  Cost cost;
  Seconds seconds;
  double net_seconds;  ///< without the launch
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
  Bench(Flush& flush, const Machine& machine) : flush_(flush), machine_(machine) {
#if defined(QLAB_CUBLAS)
    if (cublasCreate(&handle_) != CUBLAS_STATUS_SUCCESS) throw simt::Error("cuBLAS cannot start");
#endif
    std::fprintf(stderr, "%s: reads %.0f GB/s, a launch takes %.1f us\n\n", machine.properties.name,
                 1e-9 * machine.read_bytes_per_second, 1e6 * machine.launch_seconds);
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

  const std::vector<Row>& rows() const { return rows_; }

 private:
  void add(const char* operation, const char* path, const Problem& p, const Cost& cost,
           const std::function<void()>& call) {
    const Seconds s = time_calls(flush_, call);
    const double net = s.median - machine_.launch_seconds;
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
  const Machine& machine_;
  std::vector<Row> rows_;
#if defined(QLAB_CUBLAS)
  cublasHandle_t handle_ = nullptr;
#endif
};

void print_json(const Machine& machine, const std::vector<Row>& rows) {
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  int runtime = 0, driver = 0;
  check(cudaRuntimeGetVersion(&runtime), "runtime");
  check(cudaDriverGetVersion(&driver), "driver");
  const cudaDeviceProp& d = machine.properties;
  std::printf("{\n \"schema\": \"quantization-lab.fp16_cuda_bench\",\n \"schema_version\": 1,\n");
  std::printf(
      " \"circumstances\": {\"date\": \"%s\", \"device\": \"%s\", \"compute_capability\": "
      "\"%d.%d\", \"multiprocessors\": %d, \"l2_bytes\": %d, \"cuda_runtime\": %d, "
      "\"cuda_driver\": %d, \"cache\": \"cold\"},\n",
      date, d.name, d.major, d.minor, d.multiProcessorCount, d.l2CacheSize, runtime, driver);
  std::printf(" \"roofline\": {\"read_bytes_per_second\": %.6g, \"launch_seconds\": %.6g},\n",
              machine.read_bytes_per_second, machine.launch_seconds);
  std::printf(" \"table\": [");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    const double bytes = static_cast<double>(r.cost.bytes),
                 flops = static_cast<double>(r.cost.flops);
    std::printf(
        "%s\n  {\"operation\": \"%s\", \"path\": \"%s\", \"M\": %d, \"N\": %d, \"K\": %d,\n"
        "   \"seconds\": %.6g, \"seconds_low\": %.6g, \"seconds_high\": %.6g, "
        "\"net_seconds\": %.6g,\n   \"bytes_per_second\": %.6g, \"flops_per_second\": %.6g, "
        "\"of_read_bandwidth\": %.4f}",
        i == 0 ? "" : ",", r.operation.c_str(), r.path.c_str(), r.M, r.N, r.K, r.seconds.median,
        r.seconds.low, r.seconds.high, r.net_seconds, bytes / r.net_seconds, flops / r.net_seconds,
        bytes / r.net_seconds / machine.read_bytes_per_second);
  }
  std::printf("\n ]\n}\n");
}

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
  const Machine machine = measure_machine(flush);
  Bench bench(flush, machine);
  bench.gemv(4096, 4096);  // a projection of a 7B model, its MLP, the MLP of a 70B model
  bench.gemv(4096, 11008);
  bench.gemv(8192, 28672);
  for (const int M : {64, 512, 4096}) bench.gemm(M, 4096, 4096);
  bench.gemm(4096, 8192, 8192);
  print_json(machine, bench.rows());
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
