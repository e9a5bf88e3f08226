// SPDX-License-Identifier: Apache-2.0
/// \file
/// TestSeed: the seed of the running test, printed when it fails.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/contract.h"

namespace qlab::test {

/// A hash of the test's name, so that tests differ and runs do not; LAB_SEED overrides it.
///
///     const TestSeed seed;
///     Random random(seed);
class TestSeed {
 public:
  TestSeed() : trace_(__FILE__, __LINE__, "LAB_SEED=" + std::to_string(value_) + " repeats it") {}
  operator std::uint64_t() const { return value_; }

 private:
  static std::uint64_t choose() {
    const char* const text = std::getenv("LAB_SEED");
    if (text == nullptr || *text == '\0') return hash_of_name();
    char* end = nullptr;
    const std::uint64_t seed = std::strtoull(text, &end, 0);
    QLAB_CHECK(*end == '\0', "LAB_SEED: '", text, "' is no number; write 7 or 0x5eed");
    return seed;
  }

  /// FNV-1a: std::hash differs between standard libraries.
  static std::uint64_t hash_of_name() {
    const testing::TestInfo* const info = testing::UnitTest::GetInstance()->current_test_info();
    std::uint64_t hash = 0xCBF29CE484222325;
    for (const char c : std::string(info->test_suite_name()) + "." + info->name()) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    }
    return hash;
  }

  std::uint64_t value_ = choose();
  testing::ScopedTrace trace_;
};

}  // namespace qlab::test
