// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise roofline: bytes and FLOPs are whole numbers and compared as such; ratios and
/// times against an oracle that takes another way.
#include <cmath>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_gemm.h"
#include "01_fp16_baseline/roofline_checks.h"
#include "common/random.h"
#include "common/thread_pool.h"
#include "support/roofline.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

TEST(Roofline, SpreadsScalesOverTheirGroups) {
  std::vector<Answer> answers;
  const auto ask = [&](WeightStorage storage, double expected) {
    answers.push_back({text_of(storage), exercise::bits_per_weight(storage), expected});
  };
  ask(kFp16, 16);
  ask(kInt8, 8);
  ask({4, 0}, 4);
  ask(kInt4G128, 4.125);
  ask(kInt4G32, 4.5);
  ask({8, 128}, 8.125);
  ask({3, 64}, 3.25);
  ask({2, 16}, 3);
  judge_exactly("bits of one weight", answers);
}

TEST(Roofline, CountsByHand) {
  check_costs(
      "small enough to count by hand",
      {{{1, 1, 1}, kFp16, {.bytes = 2 + 2 + 4, .flops = 2}},
       {{2, 3, 8}, {4, 4}, {.bytes = 3 * 4 + 3 * 2 * 2 + 32 + 24, .flops = 96}},
       {{5, 7, 32}, kInt8, {.bytes = 7 * 32 + 320 + 140, .flops = 2240}},
       {{3, 2, 256}, kInt4G128, {.bytes = 2 * 128 + 2 * 2 * 2 + 1536 + 24, .flops = 3072}}});
}

TEST(Roofline, GivesAShortLastGroupAScale) {
  check_costs("K is no multiple of the group, or of a byte",
              {{{1, 5, 100}, kInt4G32, {.bytes = 5 * (50 + 4 * 2) + 200 + 20, .flops = 1000}},
               {{2, 3, 7}, {4, 0}, {.bytes = 3 * 4 + 28 + 24, .flops = 84}},
               {{1, 2, 5}, {3, 128}, {.bytes = 2 * (2 + 2) + 10 + 8, .flops = 20}}});
}

TEST(Roofline, ReadsWeightsOnceForAllRows) {
  constexpr std::int64_t kSide = 64;
  std::vector<CostCase> cases;
  for (const std::int64_t M : {1, 2, 16, 64, 512}) {
    cases.push_back({{M, kSide, kSide},
                     kFp16,
                     {.bytes = 2 * kSide * kSide + M * (2 * kSide + 4 * kSide),
                      .flops = 2 * M * kSide * kSide}});
  }
  check_costs("more rows, the same weights", cases);
}

TEST(Roofline, CountsPrefillAndDecodeOfA7BModel) {
  // W is 4096 · 11008 · 2 = 90,177,536 bytes in FP16; in 4 bits a quarter of that, and for each of
  // 11008 rows 4096/128 = 32 scales of 2 bytes.
  constexpr std::int64_t kW = 90'177'536, kW4 = kW / 4 + 704'512;
  check_costs(
      "7B, up projection",
      {{{1, 11008, 4096}, kFp16, {.bytes = kW + 8'192 + 44'032, .flops = kW}},
       {{1, 11008, 4096}, kInt4G128, {.bytes = kW4 + 8'192 + 44'032, .flops = kW}},
       {{2048, 11008, 4096}, kFp16, {.bytes = kW + 16'777'216 + 90'177'536, .flops = 2048 * kW}}});
  // 4096 · 4096 · 2 = 33,554,432 bytes.
  check_costs("7B, attention projection",
              {{{1, 4096, 4096}, kFp16, {.bytes = 33'554'432 + 24'576, .flops = 33'554'432}},
               {{1, 4096, 11008}, kFp16, {.bytes = kW + 22'016 + 16'384, .flops = kW}},
               {{64, 4096, 4096},
                kInt4G128,
                {.bytes = 8'388'608 + 262'144 + 64 * 24'576, .flops = 64 * 33'554'432LL}}});
}

TEST(Roofline, CountsWhatFp16GemmSays) {
  std::vector<CostCase> cases;
  for (const std::int64_t M : {1, 3, 64}) {
    cases.push_back({{M, 96, 160}, kFp16, fp16_gemm_cost(M, 96, 160)});
  }
  check_costs("against fp16_gemm_cost", cases);
}

TEST(Roofline, DividesByTheRightCeiling) {
  check_estimates("a machine of 8 FLOPs a byte",
                  {{{.bytes = 1000, .flops = 1000}, {800, 100}},
                   {{.bytes = 1000, .flops = 64'000}, {800, 100}},
                   {{.bytes = 90'229'760, .flops = 90'177'536}, {989e12, 3.35e12}}});
}

TEST(Roofline, OverlapsLoadsAndArithmetic) {
  // At the ridge both take 10 s, and so does the whole; a sum would say 20.
  check_estimates("at the ridge and on both sides",
                  {{{.bytes = 1024, .flops = 8192}, {512, 64}},
                   {{.bytes = 1024, .flops = 4096}, {512, 64}},
                   {{.bytes = 1024, .flops = 16'384}, {512, 64}}});
}

TEST(Roofline, NamesTheBottleneck) {
  check_bottlenecks("under the ridge, at it and over it",
                    {{{.bytes = 1024, .flops = 8191}, {512, 64}},
                     {{.bytes = 1024, .flops = 8192}, {512, 64}},
                     {{.bytes = 1024, .flops = 8193}, {512, 64}}});
  constexpr Roofline kH200{989e12, 4.8e12};
  check_bottlenecks("7B on 989 TFLOP/s and 4.8 TB/s: decode, then prefill",
                    {{gemm_cost_ref({1, 11008, 4096}, kFp16), kH200},
                     {gemm_cost_ref({64, 11008, 4096}, kFp16), kH200},
                     {gemm_cost_ref({2048, 11008, 4096}, kFp16), kH200},
                     {gemm_cost_ref({64, 11008, 4096}, kInt4G128), kH200}});
}

TEST(Roofline, FindsTheBatchWhereComputeTakesOver) {
  std::vector<Answer> answers;
  for (const Roofline machine : {Roofline{800, 100}, {989e12, 4.8e12}, {60e9, 11e9}}) {
    for (const WeightStorage storage : {kFp16, kInt8, kInt4G128, kInt4G32}) {
      answers.push_back({text_of(storage) + " at " + text_of(machine),
                         exercise::turning_batch(storage, machine),
                         turning_batch_ref(storage, machine)});
    }
  }
  judge_rounded("rows at which both times are equal", answers);
}

TEST(Roofline, TurnsWhereTheEstimateTurns) {
  // Sides so long that X and Y are under a thousandth of W: there the whole cost turns at M* too.
  constexpr std::int64_t kSide = std::int64_t{1} << 20;
  constexpr Roofline kMachine{150e12, 1e12};
  for (const WeightStorage storage : {kFp16, kInt8, kInt4G128}) {
    const double turning = turning_batch_ref(storage, kMachine);
    const auto at = [&](double share) {
      const auto M = static_cast<std::int64_t>(turning * share);
      const GemmSides sides{M, kSide, kSide};
      return exercise::estimate(exercise::gemm_cost(sides, storage), kMachine).bottleneck;
    };
    const std::string name = "a tenth under and over the turning batch, " + text_of(storage);
    if (at(0.9) != Bottleneck::kMemory) reject(name, "under it: expected kMemory, got kCompute");
    if (at(1.1) != Bottleneck::kCompute) reject(name, "over it: expected kCompute, got kMemory");
  }
}

TEST(Roofline, MatchesTheGoldenMachines) {
  // A machine's INT8 units have speeds of their own, which the file does not list.
  constexpr double kInt8OpsPerSecond[] = {624e12, 1979e12, 1979e12, 242e12};
  std::ifstream file(QLAB_SOURCE_DIR "/tests/01_fp16_baseline/golden/roofline.csv");
  ASSERT_TRUE(file) << "tests/01_fp16_baseline/golden/roofline.csv cannot be read";
  std::string line;
  std::getline(file, line);
  std::size_t rows = 0;
  for (; std::getline(file, line); ++rows) {
    ASSERT_LT(rows, std::size(kInt8OpsPerSecond));
    std::istringstream cells(line);
    std::string name, cell;
    std::getline(cells, name, ',');
    double golden[6];
    for (double& value : golden) {
      std::getline(cells, cell, ',');
      value = std::stod(cell);
    }
    const Roofline machine{golden[0], golden[1]}, int8{kInt8OpsPerSecond[rows], golden[1]};
    // INT8 X takes another byte an element, but neither the ridge nor M* counts X.
    const double got[] = {exercise::estimate({.bytes = 1, .flops = 1}, machine).ridge,
                          exercise::turning_batch(kFp16, machine),
                          exercise::turning_batch(kInt8, int8),
                          exercise::turning_batch(kInt4G128, machine)};
    static constexpr const char* kWhat[] = {"ridge", "M*, FP16", "M*, INT8", "M*, 4 bits, g128"};
    for (std::size_t i = 0; i < 4; ++i) {
      if (std::abs(got[i] - golden[2 + i]) <= 0.05 * (1 + 1e-9)) continue;  // it has one decimal
      std::ostringstream text;
      text << "first bad: " << kWhat[i] << "\nexpected   " << golden[2 + i] << "\ngot        "
           << got[i];
      reject("golden, " + name, text.str());
      return;
    }
  }
  EXPECT_EQ(rows, std::size(kInt8OpsPerSecond));
}

TEST(Roofline, AgreesWithTheOracleOnRandomWork) {
  const TestSeed seed;
  Random random(seed);
  std::vector<CostCase> costs;
  std::vector<Work> works;
  for (int i = 0; i < 200; ++i) {
    // Under 2²⁴ bytes and FLOPs, so that a float holds every count.
    const GemmSides sides{1 + random.below(16), 1 + random.below(300), 1 + random.below(700)};
    const auto bits = static_cast<int>(1 + random.below(16));
    const auto group = static_cast<int>(random.below(3) == 0 ? 0 : 1 + random.below(128));
    const WeightStorage storage{bits, group};
    const Cost cost = gemm_cost_ref(sides, storage);
    costs.push_back({sides, storage, cost});
    works.push_back({cost, {random.uniform(1, 1000), random.uniform(1, 100)}});
  }
  const std::string name = "random sides, storage and machines, seed " + std::to_string(seed);
  check_costs(name, costs);
  check_estimates(name, works);
  check_bottlenecks(name, works);
}

/// The first M up to 65536 at which the learner's estimate of FP16 weights [4096, 4096] is compute.
std::int64_t first_compute_bound(Roofline machine) {
  for (std::int64_t M = 1; M <= 65536; ++M) {
    const Cost cost = exercise::gemm_cost({M, 4096, 4096}, kFp16);
    if (exercise::estimate(cost, machine).bottleneck == Bottleneck::kCompute) return M;
  }
  return 0;
}

TEST(Roofline, FindsTheRidgeOfThisMachine) {
  const Cost decode = exercise::gemm_cost({1, 4096, 4096}, kFp16);
  check_estimates("decode, 10 FLOPs a byte", {{decode, {1e11, 1e10}}});
  if (HasFailure()) return;  // before a second is spent on measuring

  ThreadPool one_thread(1);
  const Roofline machine{fma_flops_per_second(one_thread), read_bytes_per_second(one_thread)};
  check_estimates("decode on one core of this machine", {{decode, machine}});
  check_bottlenecks("decode on one core of this machine", {{decode, machine}});

  const RooflineEstimate here = exercise::estimate(decode, machine);
  const std::int64_t turning = first_compute_bound(machine);
  std::ostringstream fact;
  fact.precision(3);
  fact << "One core here does " << machine.flops_per_second / 1e9 << " GFLOP/s and reads "
       << machine.bytes_per_second / 1e9 << " GB/s: a ridge of " << here.ridge
       << " FLOPs a byte. FP16 weights [4096, 4096] offer " << here.intensity << " at M = 1, and ";
  if (turning > 0) {
    fact << "are limited by compute from M = " << turning << " on.";
  } else {
    fact << "are limited by memory at every M up to 65536.";
  }
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
