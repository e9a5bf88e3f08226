// SPDX-License-Identifier: Apache-2.0
/// \file
/// Asks the driver, and times a plain read in two ways: the better one is what can be read.
#include "gpu/gpu_run.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "gpu/ladder.h"
#include "gpu/operands.h"
#include "simt/rung.h"
#include "support/cuda_replays.h"

namespace qlab::gpu {

int capability() {
  int device = 0, major = 0, minor = 0;
  simt::check(cudaGetDevice(&device), "device");
  simt::check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "device");
  simt::check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "device");
  return 10 * major + minor;
}

std::size_t copies_of(std::size_t bytes) {
  int device = 0, l2 = 0;
  simt::check(cudaGetDevice(&device), "device");
  simt::check(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device), "device");
  return std::max<std::size_t>(2, 5 * static_cast<std::size_t>(l2) / bytes + 1);
}

std::string shape_text(int M, int N, int K) {
  return "M = " + std::to_string(M) + ", N = " + std::to_string(N) + ", K = " + std::to_string(K);
}

cudaStream_t make_stream() {
  cudaStream_t stream;
  simt::check(cudaStreamCreate(&stream), "stream");
  return stream;
}

double read_bytes_per_second() {
  const std::size_t words = std::size_t{1} << 26;
  const simt::Buffer<uint4> in(words);
  PlainRead plain;
  const cudaStream_t stream = make_stream();
  double seconds = 0;
  {
    test::Replays replays(stream, 1, [&](std::size_t) {
      plain.enqueue_read(in.data(), words * sizeof(uint4), stream);
    });
    for (int i = 0; i < 11; ++i) replays.measure();
    seconds = replays.seconds().median;
  }
  simt::check(cudaStreamDestroy(stream), "stream");
  return static_cast<double>(words * sizeof(uint4)) / seconds;
}

test::Gpu measured_gpu() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    throw simt::Error("there is no GPU here; run it where nvidia-smi lists one");
  }
  cudaDeviceProp properties{};
  simt::check(cudaGetDeviceProperties(&properties, 0), "device");
  if (capability() < kAnyGpu) {
    throw simt::Error(std::string(properties.name) + " has compute capability " +
                      std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                      ", and the kernels need 8.0; on the CPU everything runs without --device");
  }
  test::Flush flush(static_cast<std::size_t>(properties.l2CacheSize));
  test::Gpu gpu = test::measure_gpu(flush);
  gpu.read_bytes_per_second = std::max(gpu.read_bytes_per_second, read_bytes_per_second());
  return gpu;
}

std::string circumstances_json(const test::Gpu& gpu) {
  char date[32], text[512];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  int runtime = 0, driver = 0;
  simt::check(cudaRuntimeGetVersion(&runtime), "runtime");
  simt::check(cudaDriverGetVersion(&driver), "driver");
  const cudaDeviceProp& d = gpu.properties;
  std::snprintf(text, sizeof text,
                "\"date\": \"%s\", \"device\": \"%s\", \"compute_capability\": \"%d.%d\", "
                "\"multiprocessors\": %d, \"l2_bytes\": %d, \"cuda_runtime\": %d, "
                "\"cuda_driver\": %d, \"cache\": \"cold\"",
                date, d.name, d.major, d.minor, d.multiProcessorCount, d.l2CacheSize, runtime,
                driver);
  return text;
}

}  // namespace qlab::gpu
