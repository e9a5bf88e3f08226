// SPDX-License-Identifier: Apache-2.0
/// \file
/// A learner's kernels in the comparison. This program is linked with two solutions in place of a
/// learner's files, as lab_mine is; other kernels are stand-ins.
#include "lab/mine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "tools/run_program.h"
#include "tools/small_results.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Timed {
  Speed speed;
  Measurements measurements;

  std::vector<std::string> of_mine() const {
    std::vector<std::string> all;
    for (const SpeedRow& row : speed.rows) {
      if (row.yours) all.push_back(row.operation + ": " + row.name);
    }
    return all;
  }
};

Timed time_small(const Mine& mine) {
  const SpeedPlan plan{.layers = {{"small layer", 128, 64, {1, 4}}},
                       .n_heads = 2,
                       .n_kv_heads = 2,
                       .head_dim = 32,
                       .context = 1024,
                       .batches = {},
                       .batch_kv_heads = 1,
                       .only = "",
                       .pace = {.min_rounds = 2, .max_rounds = 4, .seconds = 60, .cold = false},
                       .seconds = 1,
                       .mine = mine};
  ThreadPool threads(1);
  const Terminal terminal;
  Progress progress(terminal, 1e9);
  Timed timed;
  timed.speed = measure_speed(plan, 1, {threads, best_isa()}, progress, 0, 1, timed.measurements);
  return timed;
}

ThreadPool& one_thread() {
  static ThreadPool threads(1);
  return threads;
}

// Stand-ins: right ones, and three ways to go wrong.
void right_fp16(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y) {
  fp16_gemm_v1_scalar(X, W, Y, one_thread());
}
void right_int8(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y) {
  w8a8_gemm_v1_scalar(X, W, Y, one_thread());
}
void right_attention(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out) {
  attention_decode_v1_scalar(Q, kv, out, one_thread());
}
void throws(const Int4Weights&, std::span<const half_t>, std::span<float>) {
  throw ContractError("w4a16_gemv: no shape fits me");
}
void throws_a_number(const Int4Weights&, std::span<const half_t>, std::span<float>) { throw 7; }
void writes_nothing(MatrixView<const half_t>, MatrixView<const half_t>, MatrixView<float>) {}
void is_slow(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out) {
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  right_attention(Q, kv, out);
}
int calls_left = 0;
void tires(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y) {
  if (calls_left-- == 0) throw std::runtime_error("enough");
  right_int8(X, W, Y);
}

TEST(Mine, HasTheFunctionsThatAreLinked) {
  const Mine mine = linked_mine();
  EXPECT_TRUE(mine.w4a16_gemv != nullptr && mine.schedule != nullptr && mine.complete != nullptr);
  EXPECT_TRUE(mine.fp16_gemm == nullptr && mine.w8a8_gemm == nullptr);
  EXPECT_TRUE(mine.attention_decode == nullptr && mine.step_cost == nullptr);
  Scheduler state(
      {.block_tokens = 4, .total_blocks = 4, .max_running = 1, .max_tokens_per_step = 8});
  state.submit({.id = 5, .arrival = 0, .prompt_tokens = 3, .output_tokens = 1});
  EXPECT_THAT(mine.complete(state, mine.schedule(state)).finished, ElementsAre(5));
}

TEST(Mine, ThrowsAcrossTheLink) {
  const Int4Matrix W(2, 8, 4);
  EXPECT_THROW(linked_mine().w4a16_gemv(W.view(), {}, {}), ContractError);
}

/// Without code of a learner's in it, it would end with 3.
TEST(Mine, LabMineStartsWithTheFilesInIt) {
  const Finished run = run_program({QLAB_BUILD_DIR "/mine_tree/exercises/lab_mine", "compare",
                                    "--mine", "--model", "no/such/folder"});
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_THAT(run.err, HasSubstr("no/such/folder"));
}

TEST(Mine, IsTimedWhereItsShapesAre) {
  Mine mine = linked_mine();
  mine.fp16_gemm = right_fp16;
  mine.w8a8_gemm = right_int8;
  mine.attention_decode = right_attention;
  const Timed timed = time_small(mine);
  EXPECT_THAT(timed.speed.about, IsEmpty());
  EXPECT_THAT(timed.of_mine(), ElementsAre("small layer 128×64, M = 1: fp16 (yours)",
                                           "small layer 128×64, M = 1: int8 (yours)",
                                           "small layer 128×64, M = 1: int4_g128 (yours)",
                                           "small layer 128×64, M = 4: fp16 (yours)",
                                           "small layer 128×64, M = 4: int8 (yours)",
                                           "decode attention, 2 heads, 1024 tokens: kv_int8 "
                                           "(yours)"));
  for (const SpeedRow& row : timed.speed.rows) {
    EXPECT_EQ(row.rounds, row.yours ? 2 : 4) << "ours get as many rounds beside it as alone";
    EXPECT_EQ(row.path_name() == "yours", row.yours) << row.name;
  }
}

TEST(Mine, ChangesNothingThatClaimsAskFor) {
  const auto names = [](const Timed& timed) {
    std::vector<std::string> all;
    for (const auto& [name, found] : timed.measurements) all.push_back(name);
    return all;
  };
  const Timed ours = time_small({}), both = time_small(linked_mine());
  EXPECT_EQ(names(ours), names(both));
  EXPECT_EQ(ours.speed.crossovers.size(), both.speed.crossovers.size());
}

TEST(Mine, IsLeftOutWhenItThrows) {
  const Timed timed = time_small({.w4a16_gemv = throws});
  EXPECT_THAT(timed.of_mine(), IsEmpty());
  EXPECT_THAT(timed.speed.about,
              ElementsAre("int4_g128 (yours) is left out of small layer 128×64, M = 1: w4a16_gemv "
                          "throws: w4a16_gemv: no shape fits me"));
  EXPECT_THAT(time_small({.w4a16_gemv = throws_a_number}).speed.about,
              ElementsAre(HasSubstr("throws something that is no std::exception")));
}

TEST(Mine, IsLeftOutWhenItThrowsAfterSomeRounds) {
  calls_left = 3;  // one to try it, one to check it, one that is not counted
  const Timed timed = time_small({.w8a8_gemm = tires});
  calls_left = -1;
  EXPECT_THAT(timed.speed.about, testing::Contains(AllOf(HasSubstr("M = 1"), HasSubstr("enough"))));
  EXPECT_THAT(timed.of_mine(), testing::Not(testing::Contains(HasSubstr("M = 1: int8"))));
}

TEST(Mine, IsLeftOutWhenItsOutputIsWrong) {
  const Timed timed = time_small({.fp16_gemm = writes_nothing});
  EXPECT_THAT(timed.of_mine(), IsEmpty());
  ASSERT_EQ(timed.speed.about.size(), 2U);
  EXPECT_THAT(timed.speed.about[0],
              AllOf(HasSubstr("fp16_gemm: output 0 is nan"), HasSubstr("the oracle says")));
}

TEST(Mine, IsLeftOutWhereACallTakesTooLong) {
  const Timed timed = time_small({.attention_decode = is_slow});
  EXPECT_THAT(timed.of_mine(), IsEmpty());
  EXPECT_THAT(timed.speed.about,
              ElementsAre(HasSubstr("a call takes 0.6 s, more than the 0.5 s that it may")));
}

TEST(Mine, StandsInTheReportAndTheJson) {
  Results r = small_results();
  r.circumstances.mine = {.asked = true,
                          .used = {"w4a16_gemv", "continuous_batching"},
                          .without_place = {},
                          .unfinished = {"w8a8_gemm (wrong)"}};
  const auto ours = std::ranges::find(r.speed.rows, "int4_g128", &SpeedRow::name);
  SpeedRow row = *ours;
  row.name = "int4_g128 (yours)";
  row.yours = true;
  row.to_fp16 = {4.25, 4.25, 4.25};
  r.speed.rows.insert(ours + 1, row);
  r.speed.about = {"kv_int8 (yours) is left out of it: a reason"};
  const std::string text = report(r, Terminal{});
  EXPECT_THAT(text,
              HasSubstr("yours: w4a16_gemv (times), continuous_batching (schedules serving)"));
  EXPECT_THAT(text, HasSubstr("not used, for its tests do not pass: w8a8_gemm (wrong)"));
  EXPECT_THAT(text, testing::ContainsRegex("  int4_g128 .yours.   yours  +[0-9.]+  4.250 "));
  EXPECT_THAT(text, HasSubstr("kv_int8 (yours) is left out of it: a reason"));
  EXPECT_THAT(text, testing::ContainsRegex("    with your kernel +4.25  .* yours\n"));

  const auto json = nlohmann::json::parse(to_json(r));
  EXPECT_EQ(json["circumstances"]["mine"], (nlohmann::json{"w4a16_gemv", "continuous_batching"}));
  const auto& of_int4 = json["table"][2]["speed_of_yours"];
  ASSERT_EQ(of_int4.size(), 1U);
  EXPECT_EQ(of_int4[0]["path"], "yours");
  EXPECT_EQ(of_int4[0]["config"], "int4_g128 (yours)");
}

}  // namespace
}  // namespace qlab::test
