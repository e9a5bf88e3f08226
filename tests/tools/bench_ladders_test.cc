// SPDX-License-Identifier: Apache-2.0
/// \file
/// The ladders of `lab bench`: which ones a word means, that their rungs are right on their
/// operands, and which rows a measurement has. No test looks at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "03_int4_weight_only/w4a16_gemm.h"
#include "lab/bench.h"
#include "lab/bench_ladders.h"
#include "lab/bench_measure.h"
#include "lab/bench_operands.h"
#include "lab/exercise.h"
#include "model/input_error.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<Exercise>& exercises() {
  static const std::vector<Exercise> all = read_exercises(Places::of_this_program());
  return all;
}

std::string found(const std::string& typed) {
  return std::string(find_ladder(exercises(), typed).name);
}

std::string refused(const std::string& typed) {
  try {
    return "nothing was refused: " + found(typed);
  } catch (const InputError& error) {
    return error.what();
  }
}

const BenchLadder& ladder(std::string_view name) {
  return *std::ranges::find(bench_ladders(), name, &BenchLadder::name);
}

TEST(BenchLadders, AreFoundByAnyUnambiguousPart) {
  EXPECT_EQ(found("w8a8_gemm"), "w8a8_gemm");
  EXPECT_EQ(found("w8a8_p"), "w8a8_panel_gemm");
  EXPECT_EQ(found("w4a8"), "w4a8_gemm") << "exercises of that name do not count beside it";
  EXPECT_EQ(found("attention"), "attention_decode");
  EXPECT_EQ(found("static"), "quantize_static");
}

TEST(BenchLadders, AreFoundByTheExerciseThatStandsInThem) {
  EXPECT_EQ(found("w4a16_gemv"), "w4a16_gemm");
  EXPECT_EQ(found("gemv"), "w4a16_gemm");
  for (const BenchLadder& each : bench_ladders()) {
    const auto exercise = std::ranges::find(exercises(), each.exercise, &Exercise::id);
    EXPECT_EQ(exercise == exercises().end(), each.exercise.empty()) << each.exercise;
    if (exercise != exercises().end()) {
      EXPECT_EQ(found(exercise->number), each.name);
    }
  }
}

TEST(BenchLadders, RefuseOtherWordsInASentence) {
  EXPECT_THAT(refused("quantize_"),
              HasSubstr("\"quantize_\" is part of quantize_rows, quantize_static; type more"));
  EXPECT_THAT(refused("half_formats"), HasSubstr("half_formats has no kernel whose time means"));
  EXPECT_THAT(refused("1.1"), HasSubstr("half_formats has no kernel"));
  EXPECT_THAT(refused("dp4a"),
              HasSubstr("w8a8_gemm_dp4a is a CUDA kernel, whose times need a GPU"));
  EXPECT_THAT(refused("atention"), HasSubstr("did you mean attention_decode?"));
  EXPECT_THAT(refused("zzzzzzzz"), AllOf(HasSubstr("neither an operation nor an exercise; what"),
                                         HasSubstr("./lab bench")));
}

TEST(BenchLadders, ShapesAreReadOrRefused) {
  EXPECT_EQ(shape_named("4096x11008").N, 4096);
  EXPECT_EQ(shape_named("4096x11008").K, 11008);
  for (const char* text : {"", "x", "4096", "4096x", "x4096", "0x8", "8x0", "-8x8", "8x8x8", "8 x8",
                           "8x8 ", "99999999999999999999x8"}) {
    EXPECT_THROW(shape_named(text), InputError) << text;
  }
  EXPECT_THROW(shape_named("131071x131071"), InputError) << "more memory than a laptop has";
}

/// Shapes that fit no tile; every rung is right, and says so only when it wrote its outputs.
TEST(BenchLadders, EveryRungIsRightOnItsOperands) {
  ThreadPool threads(2);
  for (const BenchLadder& each : bench_ladders()) {
    const BenchShape shape{.N = 70, .K = 200, .most_m = each.of_context ? 1100 : 5, .seed = 3};
    for (const BenchPart& part : each.parts) {
      SCOPED_TRACE(std::string(each.name) + " " + part.label);
      const BenchProblem problem = part.make(shape);
      for (const std::int64_t M : {std::int64_t{each.of_context ? 70 : 1}, shape.most_m}) {
        const std::vector<Candidate> rungs = problem.rungs(M, problem.columns, threads);
        EXPECT_EQ(rungs.size(), each.rungs.size());
        for (const Candidate& rung : rungs) {
          if (rung.path > best_isa()) continue;
          EXPECT_NO_THROW(rung.check()) << rung.name << ", M = " << M;
          EXPECT_TRUE(rung.cost.bytes > 0 && rung.cost.flops > 0);
        }
      }
    }
  }
}

TEST(BenchLadders, APartOfTheColumnsIsRightToo) {
  ThreadPool threads(1);
  const BenchShape shape{.N = 200, .K = 130, .most_m = 2, .seed = 1};
  for (const BenchLadder& each : bench_ladders()) {
    const BenchProblem problem = each.parts[0].make(shape);
    if (problem.columns == 0) continue;
    for (const Candidate& rung : problem.rungs(2, 64, threads)) {
      if (rung.path > best_isa()) continue;
      EXPECT_NO_THROW(rung.check()) << each.name << rung.name;
    }
  }
}

TEST(BenchLadders, AWrongOutputIsFoundInTheLastColumnOfTheLastRow) {
  Matrix<float> y(3, 9);
  const auto zeros = [](std::int64_t, std::int64_t, MatrixView<double>, MatrixView<double>) {};
  EXPECT_NO_THROW(check_columns("a rung", y.view(), zeros));
  y(2, 8) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(check_columns("a rung", y.view(), zeros), WrongOutput);
  y(2, 8) = 1e-30F;
  EXPECT_THROW(check_columns("a rung", y.view(), zeros), WrongOutput);
}

class BenchMeasure : public testing::Test {
 protected:
  BenchTable measure(std::string_view name, std::int64_t M, const Mine& mine = {},
                     Isa isa = best_isa()) {
    const BenchShape shape{.N = 96, .K = 64, .most_m = M, .seed = 1};
    const Machine machine{threads_, isa};
    const Pace pace{.min_rounds = 2, .max_rounds = 3, .seconds = 60, .cold = false};
    const BenchLadder& its = ladder(name);
    return measure_ladder(its, its.parts[0].label, its.parts[0].make(shape), shape, M,
                          {machine, one_thread_, mine, counters_, pace, 1});
  }

  PerfCounters counters_;
  ThreadPool threads_{2}, one_thread_{1};
};

std::vector<std::string> rungs_of(const BenchTable& table) {
  std::vector<std::string> names;
  for (const BenchRow& row : table.rows) names.push_back(row.rung);
  return names;
}

TEST_F(BenchMeasure, EveryRungHasARowBehindTheOneBefore) {
  const BenchTable table = measure("w8a8_gemm", 32);
  ASSERT_THAT(table.rows, testing::Not(IsEmpty()));
  EXPECT_FALSE(table.rows[0].speedup.has_value());
  for (std::size_t i = 1; i < table.rows.size(); ++i) {
    EXPECT_TRUE(table.rows[i].speedup.has_value());
    EXPECT_EQ(table.rows[i].rounds, 3);
    EXPECT_EQ(table.rows[i].counts.has_value(), counters_.available());
  }
  EXPECT_FALSE(table.cold);
  EXPECT_GT(table.bytes_per_second, 0) << "of the caches";
  EXPECT_FALSE(table.aim.has_value());
}

TEST_F(BenchMeasure, TheTitleHasTheSidesThatThereAre) {
  EXPECT_EQ(measure("w8a8_gemm", 2).title(), "w8a8_gemm, M = 2, N = 96, K = 64");
  EXPECT_EQ(measure("quantize_rows", 2).title(), "quantize_rows, M = 2, K = 64");
  EXPECT_EQ(measure("attention_decode", 70).title(), "attention_decode fp32, context 70");
}

TEST_F(BenchMeasure, RungsThatTheRunMayNotTakeAreNamed) {
  const BenchTable table = measure("w8a8_gemm", 1, {}, Isa::kScalar);
  EXPECT_THAT(rungs_of(table), ElementsAre("v1_scalar"));
  EXPECT_EQ(table.notes.size(), ladder("w8a8_gemm").rungs.size() - 1);
  if (!table.notes.empty()) {
    EXPECT_EQ(table.notes[0],
              "v2_avx2 is not run: it needs avx2, and this run takes scalar at most.");
  }
}

ThreadPool& one_thread() {
  static ThreadPool threads(1);
  return threads;
}
void right_int8(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y) {
  w8a8_gemm_v1_scalar(X, W, Y, one_thread());
}
void right_fp16(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y) {
  fp16_gemm_v1_scalar(X, W, Y, one_thread());
}
void right_gemv(const Int4Weights& W, std::span<const half_t> x, std::span<float> y) {
  const auto K = static_cast<std::int64_t>(x.size()), N = static_cast<std::int64_t>(y.size());
  w4a16_gemm_v1_scalar({x.data(), 1, K, K}, W, {y.data(), 1, N, N}, one_thread());
}
void forgets_a_row(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y) {
  right_int8({X.codes.rows_from(0, 1), X.scale}, W, Y.rows_from(0, 1));
}
void throws(const Int8Rows&, const Int8Rows&, MatrixView<float>) {
  throw NotWrittenYet("labs/w8a8_gemm.cc:12: w8a8_sum is not written yet");
}

TEST_F(BenchMeasure, ALearnersKernelStandsBehindWhatItAimsAt) {
  const BenchTable table = measure("w8a8_gemm", 2, {.w8a8_gemm = right_int8}, Isa::kScalar);
  EXPECT_THAT(rungs_of(table), ElementsAre("v1_scalar", "v1, 1 thread", "yours"));
  ASSERT_TRUE(table.aim.has_value());
  EXPECT_TRUE(table.rows[2].yours);
  EXPECT_EQ(table.aim->speed.value, table.rows[2].speedup->value);
  EXPECT_FALSE(table.rows[1].speedup.has_value()) << "fewer threads are not the next rung";
}

TEST_F(BenchMeasure, ALearnersKernelIsTimedWhereItsShapesAre) {
  const Mine mine{.fp16_gemm = right_fp16, .w4a16_gemv = right_gemv};
  EXPECT_TRUE(measure("fp16_gemm", 2, mine).aim.has_value());
  EXPECT_TRUE(measure("w4a16_gemm", 1, mine).aim.has_value());
  EXPECT_FALSE(measure("w4a16_gemm", 2, mine).aim.has_value()) << "a GEMV has one row";
  EXPECT_FALSE(measure("w8a8_gemm", 2, mine).aim.has_value());
}

TEST_F(BenchMeasure, ALearnersWrongKernelIsLeftOutInASentence) {
  const BenchTable wrong = measure("w8a8_gemm", 2, {.w8a8_gemm = forgets_a_row}, Isa::kScalar);
  EXPECT_THAT(rungs_of(wrong), ElementsAre("v1_scalar"));
  EXPECT_THAT(wrong.notes.back(), HasSubstr("w8a8_gemm: output (1, 0) is nan, the oracle says"));
  const BenchTable thrown = measure("w8a8_gemm", 2, {.w8a8_gemm = throws}, Isa::kScalar);
  EXPECT_THAT(thrown.notes.back(), HasSubstr("w8a8_sum is not written yet"));
}

TEST(BenchCold, DecodeStartsColdAndAPromptDoesNot) {
  EXPECT_TRUE(starts_cold(ladder("w8a8_gemm"), 16));
  EXPECT_FALSE(starts_cold(ladder("w8a8_gemm"), 17));
  EXPECT_TRUE(starts_cold(ladder("attention_decode"), 32768));
}

}  // namespace
}  // namespace qlab::test
