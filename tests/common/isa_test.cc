// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the choice of a rung: names, what the processor has, and the highest rung allowed.
#include "common/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

namespace qlab::test {
namespace {

TEST(Isa, HasANameThatFindsItAgain) {
  std::set<std::string_view> names;
  for (const Isa isa : kAllIsas) {
    EXPECT_EQ(isa_named(isa_name(isa)), isa);
    names.insert(isa_name(isa));
  }
  EXPECT_EQ(names.size(), std::size(kAllIsas));
  EXPECT_TRUE(names.contains("avx512_vnni"));
  EXPECT_TRUE(names.contains("amx"));
}

TEST(Isa, KnowsNoOtherName) {
  for (const char* name : {"", "avx", "AVX2", "avx2 ", "unknown"}) {
    EXPECT_EQ(isa_named(name), std::nullopt) << name;
  }
}

TEST(Isa, ListsLevelsInRisingOrder) {
  EXPECT_TRUE(std::ranges::is_sorted(kAllIsas));
  EXPECT_EQ(kAllIsas[0], Isa::kScalar);
}

TEST(BestIsa, IsWhatTheSystemSaysTheProcessorHas) {
  // Falling back in silence would make every other test pass on the portable rungs alone.
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("flags")) continue;
  if (!line.starts_with("flags")) GTEST_SKIP() << "/proc/cpuinfo lists no flags here";
  std::istringstream words(line);
  const std::set<std::string> flags(std::istream_iterator<std::string>(words), {});
  const auto has = [&](std::initializer_list<const char*> names) {
    return std::ranges::all_of(names, [&](const char* name) { return flags.contains(name); });
  };
  Isa expected = Isa::kScalar;
  if (has({"avx2", "fma", "f16c"})) {
    expected = Isa::kAvx2;
    if (has({"avx512f", "avx512bw", "avx512dq", "avx512vl"})) {
      expected = Isa::kAvx512;
      if (has({"avx512_vnni"})) expected = Isa::kAvx512Vnni;
      if (has({"avx512_vnni", "avx512_bf16"})) expected = Isa::kAvx512Bf16;
      if (has({"avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"})) {
        expected = Isa::kAmx;
      }
    }
  }
  if (expected == Isa::kAmx && best_isa() == Isa::kAvx512Bf16) {
    GTEST_SKIP() << "the processor has tiles; this system does not let the process use them";
  }
  EXPECT_EQ(isa_name(best_isa()), isa_name(expected));
}

TEST(Machine, TakesTheBestUnlessToldOtherwise) {
  ThreadPool threads(1);
  EXPECT_EQ(Machine{threads}.isa, best_isa());
  EXPECT_EQ((Machine{threads, Isa::kScalar}.isa), Isa::kScalar);
}

// --- best_rung ---

void no_work() {}

constexpr Rung<void()> kLadder[] = {
    {.name = "v1", .run = no_work, .needs = Isa::kScalar},
    {.name = "v2", .run = no_work, .needs = Isa::kScalar},
    {.name = "v3", .run = no_work, .needs = Isa::kAvx2},
    {.name = "v4", .run = no_work, .needs = Isa::kAvx512Vnni},
};

TEST(BestRung, IsTheLastOneThatIsAllowed) {
  EXPECT_EQ(best_rung(kLadder, Isa::kScalar).name, "v2");
  EXPECT_EQ(best_rung(kLadder, Isa::kAvx2).name, "v3");
  EXPECT_EQ(best_rung(kLadder, Isa::kAvx512).name, "v3");
  EXPECT_EQ(best_rung(kLadder, Isa::kAvx512Vnni).name, "v4");
}

TEST(BestRung, PassesOverARungInTheMiddle) {
  static constexpr Rung<void()> mixed[] = {
      {"v1", no_work, Isa::kScalar}, {"v2", no_work, Isa::kAvx512}, {"v3", no_work, Isa::kAvx2}};
  EXPECT_EQ(best_rung(mixed, Isa::kAvx2).name, "v3");
  EXPECT_EQ(best_rung(mixed, Isa::kScalar).name, "v1");
}

}  // namespace
}  // namespace qlab::test
