// SPDX-License-Identifier: Apache-2.0
/// \file
/// The report, the page and the JSON of times from a GPU name it, and speak of no core or thread of
/// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/gpu_speed.h"
#include "lab/html_report.h"
#include "lab/results.h"
#include "tools/gpu_times_fixture.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A run that judges `file` and measured nothing else: its qualities and bytes are 0.
Results results_of(const Json& file) {
  Results r{};
  r.plan =
      read_plan(std::filesystem::path(QLAB_SOURCE_DIR) / "plan/quantization_comparison_plan.md");
  for (const Configuration& configuration : configurations()) {
    r.quality.rows.push_back({});
    r.quality.rows.back().configuration = &configuration;
    r.memory.push_back({});
    r.memory.back().configuration = &configuration;
  }
  const GpuTimes times = read_times(file.dump());
  r.speed = judge_gpu_times(times, r.plan, "", 1, r.measurements);
  for (const Claim& claim : r.plan.claims) {
    r.measurements.try_emplace(claim.measure, NotMeasured{"not of this test"});
  }
  r.circumstances.cpu = "A processor";
  r.circumstances.threads = 2;
  r.circumstances.model = "the lab's tiny model";
  r.circumstances.gpu = times.run;
  return r;
}

const Results& gpu_results() {
  static const Results results = results_of(gpu_file());
  return results;
}

/// Without line ends and the blanks that begin lines.
std::string unwrapped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n';
    if (!blank) {
      result += c;
    } else if (!result.ends_with(' ')) {
      result += ' ';
    }
  }
  return result;
}

TEST(GpuReport, NamesTheDeviceAndItsLimits) {
  const std::string text = report(gpu_results(), Terminal{});
  EXPECT_THAT(text, HasSubstr("the tradeoff table, measured on Made-up GPU\n"));
  const std::string words = unwrapped(text);
  EXPECT_THAT(words,
              HasSubstr("times: Made-up GPU · 100 multiprocessors · compute capability 9.0 · "
                        "CUDA 13.0 · cold caches · 2026-01-31T10:15:02Z"));
  EXPECT_THAT(words, HasSubstr("tensor cores 1718 TFLOP/s in FP16, 3436 TOP/s in INT8"));
  EXPECT_THAT(words, HasSubstr("quality and bytes, which no device changes: A processor"));
  EXPECT_THAT(words, HasSubstr("multiply-add peak (FP16 on tensor cores"));
  EXPECT_THAT(words, HasSubstr("with the faster FP16 of the two as the baseline"));
  EXPECT_THAT(words, Not(HasSubstr("(FP32)")));
}

TEST(GpuReport, HasRungsForPathsAndMicroseconds) {
  const std::string text = report(gpu_results(), Terminal{});
  EXPECT_THAT(text, HasSubstr("  int8                v6_made_up       5.00  0.500 "));
  EXPECT_THAT(text, HasSubstr("  int8 on scalar      v1_naive       200.00  20.0 "));
  EXPECT_THAT(text, HasSubstr("C10  0.500, claimed < 0.9"));
}

TEST(GpuReport, IsAPageOfThatDevice) {
  const std::string page = html_report(gpu_results());
  EXPECT_THAT(page, HasSubstr("Made-up GPU · 100 multiprocessors"));
  EXPECT_THAT(page, HasSubstr("what each operation reaches of the Made-up GPU"));
  EXPECT_THAT(page, HasSubstr("multiply-adds in FP16 on tensor cores"));
  EXPECT_THAT(page, HasSubstr("--device cuda"));
  EXPECT_THAT(page, HasSubstr("v6_made_up"));
  EXPECT_THAT(page, Not(HasSubstr("multiply-adds in FP32")));
}

TEST(GpuReport, IsJsonWithTheDevice) {
  const Json json = Json::parse(to_json(gpu_results()));
  EXPECT_EQ(json["circumstances"]["device"], "Made-up GPU");
  EXPECT_EQ(json["circumstances"]["times"]["date"], "2026-01-31T10:15:02Z");
  EXPECT_EQ(json["circumstances"]["times"]["multiprocessors"], 100);
  EXPECT_EQ(json["roofline"]["launch_seconds"], 2 * kUs);
  EXPECT_EQ(json["speed"][1]["path"], "v6_made_up");
  Results on_cpu = gpu_results();
  on_cpu.circumstances.gpu.reset();
  const Json cpu = Json::parse(to_json(on_cpu));
  EXPECT_FALSE(cpu["circumstances"].contains("device")) << "readers tell a GPU by it";
  EXPECT_FALSE(cpu["roofline"].contains("launch_seconds"));
}

TEST(GpuReport, OfAttentionAloneHasATableAllTheSame) {
  Json file = gpu_file();
  file["problems"] = Json::array({gpu_attention("decode attention, 32 heads, 4096 tokens", true)});
  const Results r = results_of(file);
  EXPECT_THAT(report(r, Terminal{}), HasSubstr("  INT8 "));
  EXPECT_THAT(html_report(r), HasSubstr("KV Cache quantization"));
}

}  // namespace
}  // namespace qlab::test
