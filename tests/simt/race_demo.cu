// SPDX-License-Identifier: Apache-2.0
/// \file
/// Kernels for ThreadSanitizer: three with a race, one without.
#include <cstdio>
#include <cstring>

#include "simt/simt.h"

namespace {

using namespace qlab;

__global__ void missing_barrier(int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  out[threadIdx.x] = values[(threadIdx.x + 1) % 64];
}

// A shuffle synchronises the lanes' execution, not their memory.
__global__ void missing_syncwarp(int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __shfl_xor_sync(0xffffffffu, 1, 1);
  out[threadIdx.x] = values[threadIdx.x ^ 1];
}

// Right under every schedule, as the threads never stop inside of the sum; a race all the same.
__global__ void unguarded_sum(int* out) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  sum += static_cast<int>(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = sum;
}

__global__ void correct(int* out) {
  __shared__ int values[64];
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncwarp();
  const int other = values[threadIdx.x ^ 1];
  __syncthreads();
  atomicAdd(&sum, other + values[(threadIdx.x + 1) % 64]);
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = sum;
}

}  // namespace

int main(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : "";
  simt::Buffer<int> out(8 * 64, "out");
  if (std::strcmp(name, "missing_barrier") == 0)
    simt::launch(1, 64, 0, missing_barrier, out.data());
  else if (std::strcmp(name, "missing_syncwarp") == 0)
    simt::launch(1, 64, 0, missing_syncwarp, out.data());
  else if (std::strcmp(name, "unguarded_sum") == 0)
    simt::launch(1, 64, 0, unguarded_sum, out.data());
  else if (std::strcmp(name, "correct") == 0)
    simt::launch(8, 64, 0, correct, out.data());
  else {
    std::fprintf(stderr,
                 "usage: race_demo missing_barrier|missing_syncwarp|unguarded_sum|correct\n");
    return 2;
  }
  std::printf("%s: done\n", name);
  return 0;
}
