// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times of a GPU from a file: what is refused, and that the claims fall as the arithmetic says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "lab/compare_serving.h"
#include "lab/gpu_speed.h"
#include "model/input_error.h"
#include "tools/gpu_times_fixture.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::filesystem::path kSource = QLAB_SOURCE_DIR;

const Plan& the_plan() {
  static const Plan plan = read_plan(kSource / "plan/quantization_comparison_plan.md");
  return plan;
}

std::string refusal_of(const std::string& text) {
  try {
    read_times(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was refused";
}

std::string refusal_after(const std::function<void(Json&)>& change) {
  Json file = gpu_file();
  change(file);
  return refusal_of(file.dump());
}

Json& candidate(Json& file, std::size_t problem, std::size_t which) {
  return file["problems"][problem]["candidates"][which];
}

TEST(GpuTimes, AreReadAsTheyWereWritten) {
  const GpuTimes times = read_times(gpu_file().dump());
  EXPECT_EQ(times.run.device, "Made-up GPU");
  EXPECT_EQ(times.run.multiprocessors, 100);
  EXPECT_EQ(times.run.launch_seconds, 2 * kUs);
  ASSERT_EQ(times.problems.size(), 5U);
  EXPECT_EQ(times.problems[0].operation, "attention projection 4096×4096, M = 1");
  const GpuCandidate& int8 = times.problems[0].candidates[2];
  EXPECT_EQ(int8.name, "int8");
  EXPECT_EQ(int8.rung, "v6_made_up");
  EXPECT_EQ(int8.cost.bytes, 4096 * 4096);
  EXPECT_EQ(int8.seconds, rounds_of(5 * kUs, 5 * kUs));
  EXPECT_FALSE(times.problems[0].candidates.back().ours);
}

TEST(GpuTimes, AreRefusedWhenTheFileIsAnother) {
  EXPECT_THAT([] { read_gpu_times("no/such.json"); },
              testing::ThrowsMessage<InputError>(
                  AllOf(HasSubstr("no/such.json: cannot be read"), HasSubstr("cpu, cuda, or a"))));
  const std::string whole = gpu_file().dump();
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_THAT(refusal_of(whole.substr(0, bytes)), HasSubstr("is no JSON object, or is cut off"));
  }
  EXPECT_THAT(refusal_of("[]"), HasSubstr("is no JSON object"));
  EXPECT_THAT(refusal_of("{}"), HasSubstr("a file without a schema"));
  EXPECT_THAT(refusal_after([](Json& f) { f["schema"] = "quantization-lab.compare"; }),
              AllOf(HasSubstr("is of \"quantization-lab.compare\""),
                    HasSubstr("takes \"quantization-lab.gpu_compare\"")));
  EXPECT_THAT(refusal_after([](Json& f) { f["schema"] = 7; }), HasSubstr("without a schema"));
  EXPECT_THAT(refusal_after([](Json& f) { f["schema_version"] = 2; }),
              HasSubstr("has schema_version \"2\", and this lab reads 1"));
  EXPECT_THAT(refusal_after([](Json& f) { f.erase("schema_version"); }), HasSubstr("null"));
}

TEST(GpuTimes, AreRefusedWithoutAFigure) {
  for (const char* part : {"circumstances", "roofline", "problems"}) {
    EXPECT_THAT(refusal_after([&](Json& f) { f.erase(part); }),
                HasSubstr(std::string("the file lacks \"") + part + "\""));
  }
  const Json whole = gpu_file();
  for (const char* part : {"circumstances", "roofline"}) {
    for (const auto& [key, value] : whole[part].items()) {
      if (key == "cache") continue;  // a word for people
      EXPECT_THAT(
          refusal_after([&](Json& f) { f[part].erase(key); }),
          AllOf(HasSubstr(part), HasSubstr("lacks \"" + key + "\""), HasSubstr("measure again")));
    }
  }
  for (const auto& [key, value] : whole["problems"][0]["candidates"][2].items()) {
    EXPECT_THAT(refusal_after([&](Json& f) { candidate(f, 0, 2).erase(key); }),
                HasSubstr("lacks \"" + key + "\""));
  }
  EXPECT_THAT(refusal_after([](Json& f) { f["problems"] = Json::array(); }),
              HasSubstr("\"problems\" that is no list"));
  EXPECT_THAT(refusal_after([](Json& f) { f["problems"][1] = 3; }),
              HasSubstr("problem 2 is no object"));
}

TEST(GpuTimes, AreRefusedWithFiguresThatCannotBe) {
  for (const Json& wrong : {Json(0), Json(-1e-5), Json(nullptr), Json("1e-5"), Json::array()}) {
    EXPECT_THAT(refusal_after([&](Json& f) { candidate(f, 0, 2)["seconds"][4] = wrong; }),
                AllOf(HasSubstr("attention projection 4096×4096, M = 1: int8 took"),
                      HasSubstr("seconds in round 5")));
    EXPECT_THAT(refusal_after([&](Json& f) { f["roofline"]["launch_seconds"] = wrong; }),
                HasSubstr("\"launch_seconds\" that is no number above 0"));
  }
  EXPECT_THAT(refusal_after([](Json& f) { candidate(f, 0, 2)["bytes"] = 1.5; }),
              HasSubstr("\"bytes\" that is no count"));
  EXPECT_THAT(refusal_after([](Json& f) { candidate(f, 0, 2)["bytes"] = 1e300; }),
              HasSubstr("\"bytes\" that is no count"));
  EXPECT_THAT(refusal_after([](Json& f) { candidate(f, 0, 2)["ours"] = "yes"; }),
              HasSubstr("neither true nor false"));
  std::string nan = gpu_file().dump();
  nan.replace(nan.find("\"launch_seconds\":") + 17, 5, "NaN  ");
  EXPECT_THAT(refusal_of(nan), HasSubstr("is no JSON object, or is cut off"));
}

TEST(GpuTimes, AreRefusedWithRoundsThatDoNotMatch) {
  EXPECT_THAT(refusal_after([](Json& f) { candidate(f, 2, 3)["seconds"].push_back(1e-5); }),
              HasSubstr("M = 256: int4_g128 has 22 rounds, and fp16 21"));
  EXPECT_THAT(refusal_after([](Json& f) { candidate(f, 0, 0)["seconds"].erase(0); }),
              HasSubstr("fp16 has 20 rounds, and 21 say enough"));
}

TEST(GpuTimes, AreRefusedAboveTheRoofline) {
  // FP16 at M = 1 reads at 8/10 of the bandwidth; 1.05 times it would be 8/1.05 us = 7.62 us.
  const auto with_fp16_of = [](double us) {
    return refusal_after(
        [&](Json& f) { candidate(f, 0, 0)["seconds"] = rounds_of(us * kUs, us * kUs); });
  };
  EXPECT_THAT(with_fp16_of(7.63), HasSubstr("nothing was refused"));
  EXPECT_THAT(with_fp16_of(7.61), AllOf(HasSubstr("M = 1: fp16 moves"), HasSubstr("GB/s were read"),
                                        HasSubstr("an error of the measurement")));
  // INT8 has a peak of its own, twice FP16's: 256 tokens take 2.5 us at least.
  const auto with_peak = [](const std::string& type) {
    return refusal_after([&](Json& f) {
      Json& roofline = f["roofline"];
      roofline["read_bytes_per_second"] = 1e15;
      const double peak = roofline[type + "_flops_per_second"].get<double>() / 2.2;
      roofline[type + "_flops_per_second"] = peak;
      roofline[type + "_product_flops_per_second"] = peak;
    });
  };
  EXPECT_THAT(with_peak("fp16"),
              AllOf(HasSubstr("M = 256: fp16 computes"), HasSubstr("the FP16 peak is")));
  EXPECT_THAT(with_peak("int8"), HasSubstr("M = 256: int8 computes"));
  const auto with_product = [](const std::string& type, double of_peak) {
    return refusal_after([&](Json& f) {
      Json& roofline = f["roofline"];
      roofline[type + "_product_flops_per_second"] =
          of_peak * roofline[type + "_flops_per_second"].get<double>();
    });
  };
  for (const char* type : {"fp16", "int8"}) {
    EXPECT_THAT(with_product(type, 1.04), HasSubstr("nothing was refused"));
    EXPECT_THAT(with_product(type, 1.06),
                AllOf(HasSubstr("\"roofline\" has a product of"), HasSubstr(type)));
  }
}

TEST(GpuTimes, AreRefusedOfProblemsThatNobodyJudges) {
  for (const char* name : {"attention projection", "batched attention, 8 tokens",
                           "attention projection 4096×4096, M = ", "decode attention, 1 heads",
                           "batched attention, 32 on 8 heads, 1024 tokens, batch 0",
                           "attention projection 4096×4096, M = 99999999999999999999"}) {
    EXPECT_THAT(refusal_after([&](Json& f) { f["problems"][1]["operation"] = name; }),
                AllOf(HasSubstr("problem 2 is "), HasSubstr("does not know")))
        << name;
  }
  EXPECT_THAT(refusal_after([](Json& f) { f["problems"][1] = f["problems"][0]; }),
              HasSubstr("M = 1 twice"));
  EXPECT_THAT(refusal_after([](Json& f) { candidate(f, 0, 3) = candidate(f, 0, 2); }),
              HasSubstr("int8 is there twice"));
  EXPECT_THAT(refusal_after([](Json& f) { f["problems"][0]["candidates"].erase(1); }),
              HasSubstr("does not begin with fp16 and fp16 again"));
  EXPECT_THAT(refusal_after([](Json& f) { f["circumstances"]["device"] = "\033[2J"; }),
              HasSubstr("\"device\" that is no name"));
}

/// The measurements of a file, without a model: only claims about times have any.
Measurements judged(const Json& file, std::string_view only = "", Speed* speed = nullptr) {
  Measurements measurements;
  const Speed found = judge_gpu_times(read_times(file.dump()), the_plan(), only, 1, measurements);
  if (speed != nullptr) *speed = found;
  return measurements;
}

ClaimVerdict verdict_of(const std::string& id, const Measurements& measurements) {
  const auto claim = std::ranges::find(the_plan().claims, id, &Claim::id);
  return judge(*claim, measurements);
}

TEST(GpuClaims, FallAsTheArithmeticSays) {
  const Measurements m = judged(gpu_file());
  const auto outcome = [&](const char* id) { return verdict_of(id, m).outcome; };
  EXPECT_EQ(outcome("C04"), Outcome::kHeld);            // 0.8 of the bandwidth > 0.7
  EXPECT_EQ(outcome("C06"), Outcome::kHeld);            // 5/10 us / 256 of the peak < 0.2
  EXPECT_EQ(outcome("C08"), Outcome::kHeld);            // 0.5 < 1
  EXPECT_EQ(outcome("C10"), Outcome::kHeld);            // 0.5 < 0.9
  EXPECT_EQ(outcome("C18"), Outcome::kDidNotHold);      // 1.2 is not < 0.9
  EXPECT_EQ(outcome("C19"), Outcome::kHeld);            // 1.2 > 0.262
  EXPECT_EQ(outcome("C22"), Outcome::kHeld);            // 30 > 1
  EXPECT_EQ(outcome("C26"), Outcome::kHeld);            // 0.6 < 0.8
  EXPECT_EQ(outcome("C30"), Outcome::kHeld);            // 9 > 1
  EXPECT_EQ(outcome("C34"), Outcome::kHeld);            // 256 times the work in the same time
  EXPECT_EQ(outcome("C44"), Outcome::kHeld);            // 20 > 1
  EXPECT_EQ(outcome("C49"), Outcome::kDidNotHold);      // no gain from M = 1 on, claimed 2 … 256
  EXPECT_EQ(outcome("C53"), Outcome::kDidNotHold);      // 0.4 is not > 0.5
  const ClaimVerdict straddles = verdict_of("C31", m);  // 0.8 … 1 against > 0.9
  EXPECT_EQ(straddles.outcome, Outcome::kNotMeasured);
  EXPECT_EQ(straddles.reason, "inside the noise: 0.8 … 1");
}

TEST(GpuClaims, SayWhichKernelIsMissing) {
  const Measurements m = judged(gpu_file());
  EXPECT_EQ(verdict_of("C43", m).reason,
            "no GPU kernel of int8_llm here to time on the Made-up GPU");
  for (const char* id : {"C50", "C51"}) {
    EXPECT_EQ(verdict_of(id, m).reason,
              "no GPU kernel of int4_w4a8 here to time on the Made-up GPU");
  }
}

TEST(GpuClaims, OfWhichTheFileHasNoTimesSaySo) {
  Json file = gpu_file();
  file["problems"].erase(2);  // M = 256
  EXPECT_THAT(verdict_of("C31", judged(file)).reason,
              HasSubstr("has no such times of the Made-up GPU"));
  file["problems"] = Json::array({gpu_attention("decode attention, 32 heads, 4096 tokens", true)});
  const Measurements m = judged(file);
  EXPECT_EQ(verdict_of("C26", m).outcome, Outcome::kHeld);
  EXPECT_THAT(verdict_of("C10", m).reason, HasSubstr("no GPU kernel of int8 here"));
  EXPECT_THROW(judged(file, "int8"), InputError);
}

TEST(GpuClaims, OfAFamilyLeaveTheOthersOut) {
  Speed speed{};
  const Measurements m = judged(gpu_file(), "int4", &speed);
  EXPECT_TRUE(m.contains("time(int4_g128, M=1) / time(fp16, M=1)"));
  EXPECT_FALSE(m.contains("time(int8, M=1) / time(fp16, M=1)"));
  EXPECT_FALSE(m.contains("attention_time(kv_int8) / attention_time(fp16)"));
  judged(gpu_file(), "kv", &speed);
  for (const SpeedRow& row : speed.rows) EXPECT_THAT(row.operation, HasSubstr(" attention, "));
}

TEST(GpuClaims, AreAboutOurFp16AndSayWhatAPeersWouldChange) {
  Speed speed{};
  Measurements m = judged(gpu_file(/*peer=*/1.1), "", &speed);
  const auto about = [&] {
    std::string all;
    for (const std::string& sentence : speed.about) all += sentence + "\n";
    return all;
  };
  EXPECT_THAT(about(), HasSubstr("cuBLASLt fp16 takes of its time in the attention projection: "
                                 "1.10 at M = 1, 1.10 at M = 16, 1.10 at M = 256"));
  EXPECT_THAT(about(), HasSubstr("no verdict would change"));
  EXPECT_THAT(about(), HasSubstr("on scalar: the ladder's first rung"));
  // A peer of 8 us: INT8's 5 us are 0.625 of it, and INT4's 8 … 10 at M = 256 1 … 1.25.
  m = judged(gpu_file(/*peer=*/0.8), "", &speed);
  EXPECT_EQ(verdict_of("C31", m).outcome, Outcome::kNotMeasured) << "ours is the baseline";
  EXPECT_THAT(about(), HasSubstr("would be: C31 held"));
  EXPECT_THAT(about(), Not(HasSubstr("C10")));
  // Peers are in rows, not in claims or crossovers.
  EXPECT_FALSE(m.contains("time(cuBLASLt fp16, M=1) / time(fp16, M=1)"));
  for (const Crossover& c : speed.crossovers) EXPECT_NE(c.name, "cuBLASLt fp16");
}

TEST(GpuServing, IsOfThatDeviceAndNotByTheClock) {
  const GpuTimes times = read_times(gpu_file().dump());
  const ServedDevice device = served_device(times).served;
  EXPECT_EQ(device.bytes_per_second, times.run.read_bytes_per_second);
  EXPECT_EQ(device.step_overhead_seconds, 2 * kUs);
  EXPECT_EQ(device.fp16_flops, kLayerBytes * 256 / (6 * kUs)) << "of products, not of the peak";
  EXPECT_EQ(device.int8_flops, kLayerBytes * 256 / (4 * kUs));
  ThreadPool threads(1);
  CompareOptions options;
  options.quick = true;
  Measurements m;
  const std::vector<ServingSweep> sweeps = measure_serving(
      options, the_plan(), Checkpoint{}, {threads, best_isa()}, times,
      [](double, const std::string&) {}, m);
  ASSERT_EQ(sweeps.size(), 1U);
  EXPECT_EQ(sweeps[0].machine, "Made-up GPU, modelled");
  EXPECT_EQ(verdict_of("C63", m).reason, "the lab's model runs on the CPU, not on the Made-up GPU");
}

}  // namespace
}  // namespace qlab::test
