// SPDX-License-Identifier: Apache-2.0
/// \file
/// A part of a kernel that is not written yet: a sentence on the CPU, nothing on a GPU.
#include <string>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

struct Todo : OnDevice {};

[[maybe_unused]] constexpr int kTodoLine = __LINE__ + 3;

__device__ int part() {
  todo("sample_part");
  return 1;
}

__global__ void kernel_with_a_stub(int* out) {
  out[threadIdx.x] = 2;
  if (threadIdx.x == 5) out[threadIdx.x] = part();
}

TEST_F(Todo, NamesThePlaceOnTheCpuAndDoesNothingOnAGpu) {
  simt::Buffer<int> out(32);
  const auto launch = [&] { simt::launch(1, 32, 0, kernel_with_a_stub, out.data()); };
#if defined(__CUDACC__)
  launch();
  EXPECT_EQ(out.to_host()[5], 1);
#else
  EXPECT_EQ(error_of(launch),
            "block (0,0,0), thread (5,0,0): exception in a kernel: tests/simt/todo_test.cu:" +
                std::to_string(kTodoLine) + ": sample_part is not written yet");
#endif
}

}  // namespace
}  // namespace qlab::test
