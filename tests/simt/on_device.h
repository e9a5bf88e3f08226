// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of kernels/simt share: a fixture that needs a device, numbers, an error's text.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "simt/ptx.h"
#include "simt/simt.h"

namespace qlab::test {

/// The CPU is always there; a GPU may not be, even where nvcc is.
struct OnDevice : testing::Test {
  void SetUp() override {
#if defined(__CUDACC__)
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) {
      GTEST_SKIP() << "no GPU: cudaGetDeviceCount says " << cudaGetErrorString(status);
    }
#endif
  }
};

inline std::vector<half> random_halves(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<half> v(n);
  for (half& h : v) h = __float2half_rn(uniform(random));
  return v;
}

inline std::vector<std::uint32_t> random_words(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint32_t> v(n);
  for (std::uint32_t& w : v) w = static_cast<std::uint32_t>(random());
  return v;
}

/// The text of the Error that `body` throws; empty, with a test failure, if it throws none.
template <class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const simt::Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no simt::Error";
  return "";
}

}  // namespace qlab::test
