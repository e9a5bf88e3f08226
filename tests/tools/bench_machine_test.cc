// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `lab bench` knows of the machine: peaks of its units, which of them can be believed and
/// which a rung may use, and why counters are not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "lab/peak_loops.h"
#include "lab/peaks.h"
#include "lab/perf_counters.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Peak peak(std::string_view level, Products products, double ops_per_second,
          const std::string& doubt = "") {
  return {level, "an instruction", products, ops_per_second, 0, doubt};
}

TEST(Peaks, AreMeasuredForTheUnitsOfThisProcessor) {
  ThreadPool threads(1);
  const std::vector<Peak> peaks = measure_peaks(threads);
  for (const Isa isa : {Isa::kScalar, best_isa()}) {
    for (const Products products : {Products::kFloat, Products::kInt8}) {
      ASSERT_NE(ceiling_of(peaks, products, isa), nullptr) << isa_name(isa);
      EXPECT_GT(ceiling_of(peaks, products, isa)->ops_per_second, 0);
    }
  }
}

TEST(Peaks, CeilingIsTheFastestUnitOfThePath) {
  const std::vector<Peak> peaks = {
      peak("scalar", Products::kFloat, 1), peak("avx512", Products::kFloat, 8),
      peak("avx2", Products::kFloat, 9), peak("avx512_vnni", Products::kInt8, 30)};
  EXPECT_EQ(ceiling_of(peaks, Products::kFloat, Isa::kScalar)->ops_per_second, 1);
  EXPECT_EQ(ceiling_of(peaks, Products::kFloat, Isa::kAvx2)->ops_per_second, 9);
  // A wider unit that is slower is not the ceiling of those that may use both.
  EXPECT_EQ(ceiling_of(peaks, Products::kFloat, Isa::kAvx512)->ops_per_second, 9);
  EXPECT_EQ(ceiling_of(peaks, Products::kInt8, Isa::kAvx512), nullptr);
  EXPECT_EQ(ceiling_of(peaks, Products::kInt8, Isa::kAvx512Vnni)->ops_per_second, 30);
}

/// A level without a loop of its name would have its rungs held against slower units.
TEST(Peaks, HaveALoopForEveryLevel) {
  if (QLAB_X86 == 0) GTEST_SKIP() << "the levels above scalar are those of x86";
  for (const Isa isa : kAllIsas) {
    EXPECT_TRUE(std::ranges::any_of(peak_loops(), [&](const PeakLoop& loop) {
      return loop.level == isa_name(isa);
    })) << isa_name(isa);
  }
}

TEST(Peaks, NoRungIsHeldAgainstALevelThatIsaDoesNotName) {
  const std::vector<Peak> peaks = {peak("scalar", Products::kInt8, 1),
                                   peak("a level of tomorrow", Products::kInt8, 99)};
  for (const Isa isa : kAllIsas) {
    EXPECT_EQ(ceiling_of(peaks, Products::kInt8, isa)->ops_per_second, 1) << isa_name(isa);
  }
}

TEST(Peaks, AreDoubtedWhenNoProcessorIsSoFast) {
  const PeakLimits limits{.most_per_cycle = 64, .beside = "avx2", .least = 0.7, .most = 2.3};
  EXPECT_THAT(doubt_about(limits, 60, 2), IsEmpty());
  EXPECT_EQ(doubt_about(limits, 768, 2),
            "768 operations a cycle, and no processor does more than 64");
}

/// A loop that keeps its sums in memory reaches half of its unit, and everything else looks right.
TEST(Peaks, AreDoubtedWhenAUnitOnTheSamePortsSaysOtherwise) {
  const PeakLimits limits{.most_per_cycle = 256, .beside = "avx512", .least = 0.9, .most = 4.4};
  EXPECT_EQ(doubt_about(limits, 120, 0.5), "0.5 times that of avx512, where 0.9 to 4.4 belong");
  EXPECT_EQ(doubt_about(limits, 120, 5), "5 times that of avx512, where 0.9 to 4.4 belong");
  EXPECT_THAT(doubt_about(limits, 0, 0), IsEmpty()) << "no clock and no such unit: no doubt";
}

TEST(Peaks, KeepTheBetterReadingThatCanBeBelieved) {
  const auto kept = [](double first, const std::string& doubt, double second,
                       const std::string& other_doubt) {
    std::vector<Peak> peaks = {peak("avx2", Products::kFloat, first, doubt)};
    keep_better(peaks, {peak("avx2", Products::kInt8, 1000),
                        peak("avx2", Products::kFloat, second, other_doubt)});
    return peaks[0].ops_per_second;
  };
  EXPECT_EQ(kept(5, "", 6, ""), 6);
  EXPECT_EQ(kept(6, "", 5, ""), 6);
  EXPECT_EQ(kept(5, "", 60, "too fast"), 5);
  EXPECT_EQ(kept(60, "too fast", 5, ""), 5);
}

TEST(Peaks, WarmReadsAreMeasuredForAnySize) {
  ThreadPool threads(2);
  for (const std::int64_t bytes : {0, 1, 257, 1 << 16}) {
    EXPECT_GT(warm_read_bytes_per_second(threads, bytes), 0) << bytes;
  }
}

TEST(PerfCounters, SayWhyTheyAreNotThere) {
  EXPECT_EQ(counters_refusal(EACCES, 3),
            "counters: not available here (perf_event_paranoid 3; sudo sysctl "
            "kernel.perf_event_paranoid=2 allows them)");
  EXPECT_THAT(counters_refusal(EPERM, std::nullopt), HasSubstr("(perf_event_paranoid; sudo"));
  EXPECT_EQ(
      counters_refusal(ENOENT, 2),
      "counters: not available here (this machine shows no hardware counters, as most virtual "
      "machines do not)");
  EXPECT_THAT(counters_refusal(ENOSYS, std::nullopt), HasSubstr("no perf_event_open"));
  EXPECT_THAT(counters_refusal(EMFILE, 2), HasSubstr("Too many open files"));
}

TEST(PerfCounters, CountACallOrSayWhyNot) {
  PerfCounters counters;
  int calls = 0;
  const std::optional<Counts> counts = counters.counted([&] { ++calls; });
  EXPECT_EQ(counters.available(), counts.has_value());
  EXPECT_EQ(counters.available(), counters.refusal().empty());
  EXPECT_EQ(calls, counters.available() ? 1 : 0);
  if (counts) {
    EXPECT_GT(counts->instructions, 0U);
  }
}

TEST(PerfCounters, RatesAreThoseOfTheCounts) {
  const Counts counts{.instructions = 300, .cycles = 200, .l1_misses = 7, .llc_misses = 3};
  EXPECT_EQ(counts.per_cycle(), 1.5);
  EXPECT_EQ(counts.bytes_from_memory(), 192U);
  EXPECT_EQ(Counts{}.per_cycle(), 0);
}

}  // namespace
}  // namespace qlab::test
