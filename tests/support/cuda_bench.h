// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a bench of GPU kernels needs: times in a cold L2 cache, the read bandwidth and the cost of a
/// launch measured in the same run, and the JSON that plan/measured/ keeps. For nvcc only.
#pragma once

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "common/contract.h"
#include "simt/simt.h"

namespace qlab::test {

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

/// Of one call, which launches and waits, in a cold L2; by events. About half a second at most.
inline Seconds time_calls(Flush& flush, const std::function<void()>& call) {
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

inline __global__ void read_all(const uint4* in, std::size_t n, unsigned* out) {
  unsigned seen = 0;
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
#pragma unroll 8
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    const uint4 v = in[i];
    seen |= v.x | v.y | v.z | v.w;
  }
  if (seen == 1) *out = seen;  // never: the buffer is even, but the compiler cannot know
}
inline __global__ void nothing() {}

/// The device, and what it did in this run.
struct Gpu {
  cudaDeviceProp properties{};
  double launch_seconds = 0;  ///< of a kernel that does nothing
  double read_bytes_per_second = 0;
};

inline Gpu measure_gpu(Flush& flush) {
  Gpu gpu;
  check(cudaGetDeviceProperties(&gpu.properties, 0), "device");
  gpu.launch_seconds = time_calls(flush, [] { simt::launch(1, 32, 0, nothing); }).median;
  const std::size_t words = std::size_t{1} << 26;  // 1 GiB
  simt::Buffer<uint4> in(words);
  simt::Buffer<unsigned> out(1);
  check(cudaMemset(in.data(), 0x22, words * sizeof(uint4)), "fill");
  const unsigned blocks = static_cast<unsigned>(gpu.properties.multiProcessorCount) * 8;
  const Seconds s = time_calls(
      flush, [&] { simt::launch(blocks, 256, 0, read_all, in.data(), words, out.data()); });
  gpu.read_bytes_per_second =
      static_cast<double>(words * sizeof(uint4)) / (s.median - gpu.launch_seconds);
  return gpu;
}

/// One line of the table. Rates and ratios are computed from `net_seconds` where they are printed.
struct GpuRow {
  std::string operation, path;
  int M, N, K;
  Cost cost;
  Seconds seconds;
  double net_seconds;  ///< without the launch
};

/// A column of the JSON besides those that every row has.
struct GpuRatio {
  std::string name;
  std::function<double(const GpuRow&)> of;  ///< 0: not measured, printed as null
};

inline void print_json(const char* bench, const Gpu& gpu, const std::vector<GpuRow>& rows,
                       const std::vector<GpuRatio>& ratios) {
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  int runtime = 0, driver = 0;
  check(cudaRuntimeGetVersion(&runtime), "runtime");
  check(cudaDriverGetVersion(&driver), "driver");
  const cudaDeviceProp& d = gpu.properties;
  std::printf("{\n \"schema\": \"quantization-lab.%s\",\n \"schema_version\": 1,\n", bench);
  std::printf(
      " \"circumstances\": {\"date\": \"%s\", \"device\": \"%s\", \"compute_capability\": "
      "\"%d.%d\", \"multiprocessors\": %d, \"l2_bytes\": %d, \"cuda_runtime\": %d, "
      "\"cuda_driver\": %d, \"cache\": \"cold\"},\n",
      date, d.name, d.major, d.minor, d.multiProcessorCount, d.l2CacheSize, runtime, driver);
  std::printf(" \"roofline\": {\"read_bytes_per_second\": %.6g, \"launch_seconds\": %.6g},\n",
              gpu.read_bytes_per_second, gpu.launch_seconds);
  std::printf(" \"table\": [");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const GpuRow& r = rows[i];
    const double bytes = static_cast<double>(r.cost.bytes),
                 flops = static_cast<double>(r.cost.flops);
    std::printf(
        "%s\n  {\"operation\": \"%s\", \"path\": \"%s\", \"M\": %d, \"N\": %d, \"K\": %d,\n"
        "   \"seconds\": %.6g, \"seconds_low\": %.6g, \"seconds_high\": %.6g, "
        "\"net_seconds\": %.6g,\n   \"bytes_per_second\": %.6g, \"flops_per_second\": %.6g, "
        "\"of_read_bandwidth\": %.4f",
        i == 0 ? "" : ",", r.operation.c_str(), r.path.c_str(), r.M, r.N, r.K, r.seconds.median,
        r.seconds.low, r.seconds.high, r.net_seconds, bytes / r.net_seconds, flops / r.net_seconds,
        bytes / r.net_seconds / gpu.read_bytes_per_second);
    for (const GpuRatio& ratio : ratios) {
      const double value = ratio.of(r);
      std::printf(", \"%s\": ", ratio.name.c_str());
      if (value == 0) {
        std::printf("null");
      } else {
        std::printf("%.4f", value);
      }
    }
    std::printf("}");
  }
  std::printf("\n ]\n}\n");
}

}  // namespace qlab::test
