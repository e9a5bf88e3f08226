// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of all CUDA exercises share: poisoned outputs on the device, counted accesses,
/// and the fixture. The same source tests the CPU's execution and the GPU's.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "common/matrix.h"
#include "simt/on_device.h"
#include "simt/traced.h"
#include "support/exercise.h"

namespace qlab::test {

/// What lies behind an operand on the device.
enum class Behind {
  kNan,      ///< NaN: what is read too much shows in the result
  kNothing,  ///< the end of the allocation, which the CPU guards, as compute-sanitizer does
};

/// [M, N] of NaN on the device, in a larger NaN: an element not written and a write outside show. T
/// is float or one of CUDA's 16-bit types.
template <class T = float>
class DeviceOutput {
 public:
  DeviceOutput(std::int64_t rows, std::int64_t cols)
      : rows_(rows), cols_(cols), buffer_(poison(rows * cols), "the output") {}
  T* data() { return buffer_.data() + kGuard; }

  /// Fails the test if anything around the elements was written.
  Matrix<float> fetch(const std::string& case_name) const {
    const std::vector<T> all = buffer_.to_host();
    const std::vector<T> untouched = poison(0);
    const std::size_t end = all.size() - kGuard;
    if (std::memcmp(all.data(), untouched.data(), kGuard * sizeof(T)) != 0) {
      reject(case_name, "something was written before the first element of the output");
    }
    if (std::memcmp(&all[end], untouched.data(), kGuard * sizeof(T)) != 0) {
      reject(case_name, "something was written past the last element of the output");
    }
    Matrix<float> values(rows_, cols_);
    for (std::size_t i = kGuard; i < end; ++i) {
      values.data()[i - kGuard] = static_cast<float>(all[i]);
    }
    return values;
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static std::vector<T> poison(std::int64_t elements) {
    return std::vector<T>(static_cast<std::size_t>(elements) + 2 * kGuard,
                          static_cast<T>(std::numeric_limits<float>::quiet_NaN()));
  }
  std::int64_t rows_, cols_;
  simt::Buffer<T> buffer_;
};

/// A number that the case measured, judged like an output.
inline void judge_number(const std::string& name, const std::string& what, double got,
                         double expected) {
  Matrix<float> one(1, 1);
  Matrix<double> right(1, 1);
  one(0, 0) = static_cast<float>(got);
  right(0, 0) = expected;
  judge({.name = name, .place = [&](auto, auto) { return what; }}, one.view(), right.view(),
        exactly());
}

#if !defined(__CUDACC__)

/// The accesses of one array in a run, all lines together; `units` as in AccessCounts.
struct Accesses {
  double requests = 0, lanes = 0, units = 0;
  double units_a_request() const { return units / requests; }
};
inline Accesses accesses(const simt::Tracing& tracing, const std::string& array, bool store) {
  Accesses sum;
  for (const simt::AccessCounts& c : tracing.counts()) {
    if (c.array != array || c.store != store) continue;
    sum.requests += static_cast<double>(c.requests);
    sum.lanes += static_cast<double>(c.lanes);
    sum.units += static_cast<double>(c.units);
  }
  return sum;
}

#endif

/// A test of a CUDA exercise: the report names what ran it, so that a pass on the CPU is none on a
/// GPU. Without a GPU the program of nvcc skips.
struct CudaExercise : OnDevice {
  void SetUp() override {
    OnDevice::SetUp();
#if defined(__CUDACC__)
    cudaDeviceProp device{};
    if (!IsSkipped() && cudaGetDeviceProperties(&device, 0) == cudaSuccess) {
      RecordProperty("path", device.name);
    }
#else
    RecordProperty("path", "CPU");
#endif
  }
};

}  // namespace qlab::test
