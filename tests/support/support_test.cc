// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of seeds, inputs and ceilings.
#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

#include "support/problems.h"
#include "support/roofline.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

// TestSeed

/// Sets LAB_SEED for one test and puts back what the caller gave.
class SeedFromEnvironment : public testing::Test {
 protected:
  ~SeedFromEnvironment() override {
    if (was_set_) {
      setenv("LAB_SEED", before_.c_str(), 1);
    } else {
      unsetenv("LAB_SEED");
    }
  }

 private:
  const bool was_set_ = std::getenv("LAB_SEED") != nullptr;
  const std::string before_ = was_set_ ? std::getenv("LAB_SEED") : "";
};

TEST_F(SeedFromEnvironment, OverridesTheHash) {
  setenv("LAB_SEED", "0x5eed", 1);
  EXPECT_EQ(TestSeed(), 0x5EEDu);
}

TEST_F(SeedFromEnvironment, CountsAsUnsetWhenEmpty) {
  setenv("LAB_SEED", "", 1);
  EXPECT_EQ(TestSeed(), TestSeed());
  EXPECT_GT(TestSeed(), 0xFFFFu) << "a hash";
}

TEST_F(SeedFromEnvironment, RefusesWhatIsNoNumber) {
  setenv("LAB_SEED", "12x", 1);
  EXPECT_THROW(TestSeed(), ContractError);
}

TEST_F(SeedFromEnvironment, IsPrintedWithAFailure) {
  setenv("LAB_SEED", "77", 1);
  EXPECT_NONFATAL_FAILURE(
      {
        const TestSeed seed;
        ADD_FAILURE() << "planted";
      },
      "LAB_SEED=77");
}

// problems

TEST(Problems, PutPoisonBetweenRows) {
  Operand<half_t> input(2, 3, 4);
  Random random(1);
  fill(input.view(), Values::kNormal, random);
  EXPECT_EQ(input.view().row_stride(), 7);
  for (const std::int64_t i : {3, 6, 10, 13}) EXPECT_EQ(input.view().row(0)[i].bits, 0xFFFF);
}

TEST(Problems, RepeatThemselvesForTheSameSeed) {
  for (const NamedValues& kind : kAllValues) {
    Random one(5), two(5);
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(draw(kind.values, 2, i, 100, one), draw(kind.values, 2, i, 100, two)) << kind.name;
    }
  }
}

TEST(Problems, SumWithoutRoundingWhereTheySaySo) {
  // If all values are multiples of `step`, products are multiples of step², and a sum is exact while
  // it stays under 2²⁴ of those. Half holds each value as it is.
  const TestSeed seed;
  Random random(seed);
  for (const NamedValues& kind : kAllValues) {
    if (!kind.exact) continue;
    double step = 1, abs_sum = 0;
    for (std::int64_t c = 0; c < 4099; ++c) {
      const double value = draw(kind.values, 0, c, 4099, random);
      while (std::trunc(value / step) != value / step) step /= 2;
      abs_sum += value * value;
      EXPECT_EQ(to_float(element<half_t>(value)), value) << kind.name;
    }
    EXPECT_LE(abs_sum, 0x1p24 * step * step) << kind.name;
  }
}

TEST(Problems, HaveSidesThatDiffer) {
  for (const GemmShape& shape : kGemmShapes) {
    const std::set<std::int64_t> sides = {shape.M, shape.N, shape.K};
    const bool one_by_one = shape.M * shape.N * shape.K == 1;
    EXPECT_EQ(sides.size(), one_by_one ? 1u : 3u) << shape;
  }
}

// roofline

TEST(Roofline, MeasuresWithOneThreadAndWithTwo) {
  for (const int count : {1, 2}) {
    ThreadPool threads(count);
    const double bytes = read_bytes_per_second(threads), flops = fma_flops_per_second(threads);
    EXPECT_TRUE(bytes > 0 && std::isfinite(bytes)) << bytes;
    EXPECT_TRUE(flops > 0 && std::isfinite(flops)) << flops;
  }
  flush_caches();
  ThreadPool threads(2);
  flush_caches(threads);
}

}  // namespace
}  // namespace qlab::test
