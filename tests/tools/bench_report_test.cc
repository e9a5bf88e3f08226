// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `lab bench` says of given numbers: shares, the table, the badge, the plot, the JSON.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "lab/bench_results.h"
#include "lab/text.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

BenchRow row(const std::string& rung, Isa path, double seconds) {
  return {.rung = rung,
          .path = path,
          .cost = {.bytes = 1'000'000, .flops = 8'000'000},
          .seconds = {seconds, 0.98 * seconds, 1.05 * seconds},
          .rounds = 21};
}

/// Memory gives 1 GB/s, so a call of 1 MB takes a millisecond; the units do 2 or 16 GFLOP/s, so
/// that 8 million operations take 4 ms or half of one.
BenchResults results() {
  BenchResults r{.cpu = "a processor",
                 .date = "2026-01-31T10:15:02Z",
                 .threads = 2,
                 .isa = Isa::kAvx2,
                 .memory_bytes_per_second = 1e9,
                 .counters = "counters: not available here (a reason)"};
  r.peaks = {{"scalar", "mulps", Products::kFloat, 2e9, 8, ""},
             {"avx2", "vfmadd", Products::kFloat, 16e9, 32, ""}};
  BenchTable table{.operation = "fp16_gemm", .M = 1, .N = 4096, .K = 4096};
  table.bytes_per_second = 1e9;
  table.rows = {row("v1_scalar", Isa::kScalar, 8e-3), row("v2_avx2", Isa::kAvx2, 2e-3)};
  table.rows[1].speedup = Interval{4, 3.9, 4.1};
  set_shares(table, r.peaks);
  r.tables = {table};
  return r;
}

BenchResults with_yours(const Interval& speed) {
  BenchResults r = results();
  BenchTable& table = r.tables[0];
  table.rows.push_back(row("yours", Isa::kScalar, 9e-3));
  table.rows.back().yours = true;
  table.rows.back().speedup = speed;
  table.aim = BenchAim{.speed = speed};
  return r;
}

TEST(BenchShares, AreTheLongerOfTheTwoLeastTimes) {
  const BenchTable table = results().tables[0];
  // 4 ms of 8 by the scalar unit's peak; 1 ms of 2 by memory, for the wide unit needs half of one.
  EXPECT_NEAR(table.rows[0].share, 0.5, 1e-12);
  EXPECT_FALSE(table.rows[0].by_memory);
  EXPECT_NEAR(table.rows[1].share, 0.5, 1e-12);
  EXPECT_TRUE(table.rows[1].by_memory);
}

TEST(BenchShares, WithoutAPeakMemoryAloneBounds) {
  BenchTable table = results().tables[0];
  set_shares(table, {});
  EXPECT_NEAR(table.rows[0].share, 0.125, 1e-12);
  EXPECT_TRUE(table.rows[0].by_memory);
}

TEST(BenchText, HasARowForEveryRung) {
  const std::string text = bench_text(results(), Terminal{});
  EXPECT_THAT(text, HasSubstr("fp16_gemm, M = 1, N = 4096, K = 4096"));
  EXPECT_THAT(text, HasSubstr("A call: 1.00 MB and 8.00 MFLOP, 8.0 operations a byte. Caches are"));
  EXPECT_THAT(text, HasSubstr("  v1_scalar      scalar         8.00   ±5 %       -   50 % compute  "
                              "  1.00  0.12\n"));
  EXPECT_THAT(text, HasSubstr("  v2_avx2        avx2           2.00   ±5 %   4.00x   50 %  memory  "
                              "  4.00  0.50\n"));
  EXPECT_THAT(text, HasSubstr("counters: not available here (a reason)"));
  EXPECT_THAT(text, Not(HasSubstr("error of measurement")));
}

TEST(BenchText, NeedsEightyColumnsAtMost) {
  BenchResults r = with_yours({0.31, 0.3, 0.32});
  for (int i = 3; i < 9; ++i) {
    r.tables[0].rows.push_back(row(fmt::format("v{}_avx2_blocks", i), Isa::kAvx2, 1e3));
  }
  r.tables[0].rows[1].counts = Counts{123'456'789, 98'765'432, 12'345'678, 1'234'567};
  r.tables[0].notes = {
      "A sentence that is rather long, as the one about a learner's kernel that is "
      "left out and why it is."};
  for (const std::string& line : lines_of(bench_text(r, Terminal{.width = 200}))) {
    EXPECT_LE(columns(line), 80U) << line;
  }
}

TEST(BenchText, PlainAsciiWhereItIsAskedFor) {
  const std::string text = bench_text(with_yours({0.31, 0.3, 0.32}), Terminal{.ascii = true});
  for (const char byte : text) ASSERT_LT(static_cast<unsigned char>(byte), 128) << text;
}

TEST(BenchText, AnIntervalThatHoldsOneIsNoDifference) {
  BenchResults r = results();
  r.tables[0].rows[1].speedup = Interval{1.02, 0.99, 1.04};
  EXPECT_THAT(bench_text(r, Terminal{}), HasSubstr("  same   50 %"));
}

TEST(BenchText, AnIntervalAsWideAsItsValueIsNoNumber) {
  BenchResults r = results();
  r.tables[0].rows[1].seconds = {2e-3, 1e-3, 60e-3};
  EXPECT_THAT(bench_text(r, Terminal{}), HasSubstr("  2.00 >±99 %   4.00x"));
}

TEST(BenchText, AShareAboveTheRoofIsAnErrorOfMeasurement) {
  BenchResults r = results();
  r.tables[0].rows[1].share = 1.051;
  EXPECT_THAT(bench_text(r, Terminal{.width = 80}),
              HasSubstr("v2_avx2: 105 % of the roofline is an error of measurement, not a fast"));
  r.tables[0].rows[1].share = 1.049;
  EXPECT_THAT(bench_text(r, Terminal{}), Not(HasSubstr("error of measurement")));
}

TEST(BenchText, APartThatWasTimedIsSaid) {
  BenchResults r = results();
  r.tables[0].rows[0].part = 0.25;
  EXPECT_THAT(bench_text(r, Terminal{}),
              AllOf(HasSubstr("~8.00"), HasSubstr("v1_scalar: 1024 of 4096 columns were timed")));
}

TEST(BenchText, DoneAndSlowIsABadge) {
  EXPECT_THAT(bench_text(with_yours({0.31, 0.3, 0.32}), Terminal{}),
              HasSubstr("DONE, SLOW  0.31x of rung 1 (0.30–0.32)\n"));
  EXPECT_THAT(bench_text(with_yours({0.98, 0.95, 1.01}), Terminal{}),
              HasSubstr("DONE  0.98x of rung 1 (0.95–1.01)\n"));
  EXPECT_THAT(bench_text(with_yours({0.31, 0.3, 0.32}), Terminal{.color = true}),
              HasSubstr(Terminal{.color = true}.styled(Style::kYellow, "SLOW")));
}

TEST(BenchText, DoubtsAreSaidBesideThePeak) {
  BenchResults r = results();
  r.peaks[1].doubt = "a reason";
  EXPECT_THAT(bench_text(r, Terminal{}), HasSubstr("Do not believe float avx2: a reason."));
}

TEST(BenchText, CountersStandBelowTheRungs) {
  BenchResults r = results();
  r.counters.clear();
  r.tables[0].rows[1].counts = Counts{3'000'000, 2'000'000, 1'000, 15'625};
  EXPECT_THAT(bench_text(r, Terminal{}),
              HasSubstr("  in one call      instructions   a cycle   L1 misses   from memory\n"
                        "  v2_avx2                3.00 M      1.50      1.00 k       1.00 MB\n"));
}

TEST(BenchText, CachesAreNamedWhereTheyFeedTheCall) {
  BenchResults r = results();
  r.tables[0].cold = false;
  EXPECT_THAT(bench_text(r, Terminal{.width = 80}),
              HasSubstr("Its operands may stay\n  in the caches, which read: 1.0 GB/s"));
}

TEST(BenchPlot, MarksEveryRungUnderTheRoof) {
  const std::string plot = bench_plot(with_yours({0.31, 0.3, 0.32}));
  EXPECT_THAT(plot, AllOf(HasSubstr("1 v1_scalar"), HasSubstr("2 v2_avx2"), HasSubstr("Y yours")));
  int marks = 0;
  for (const std::string& line : lines_of(plot.substr(0, plot.find('+')))) {
    if (line.find('|') == std::string::npos) continue;
    for (const char c : line.substr(line.find('|'))) marks += c == '1' || c == '2' || c == 'Y';
  }
  EXPECT_GE(marks, 2) << plot;  // two of them may share a cell
  EXPECT_EQ(bench_plot(BenchResults{}), "");
}

TEST(BenchHtml, HasThePictureAndEveryNumber) {
  BenchResults r = with_yours({0.31, 0.3, 0.32});
  r.cpu = "a <fast> & small processor";
  const std::string html = bench_html(r);
  EXPECT_THAT(html, AllOf(HasSubstr("<svg"), HasSubstr("v2_avx2"), HasSubstr(">yours<"),
                          HasSubstr("1000000"), HasSubstr("8000000"), HasSubstr("50.0 %"),
                          HasSubstr("a &lt;fast&gt; &amp; small processor")));
  EXPECT_THAT(html, Not(HasSubstr("http://www.w3.org/1999/xhtml")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
}

TEST(BenchJson, HasWhatTheTableHasAndMore) {
  const auto json = nlohmann::json::parse(bench_json(with_yours({0.31, 0.3, 0.32})));
  EXPECT_EQ(json["schema"], "qlab.bench");
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["counters"], "counters: not available here (a reason)");
  EXPECT_EQ(json["peaks"][1]["level"], "avx2");
  const auto& table = json["tables"][0];
  EXPECT_EQ(table["operation"], "fp16_gemm");
  EXPECT_EQ(table["M"], 1);
  EXPECT_TRUE(table["format"].is_null());
  EXPECT_EQ(table["yours"]["state"], "done_slow");
  EXPECT_EQ(table["yours"]["speed"]["high"], 0.32);
  const auto& rung = table["rungs"][1];
  EXPECT_EQ(rung["rung"], "v2_avx2");
  EXPECT_EQ(rung["path"], "avx2");
  EXPECT_EQ(rung["bytes"], 1'000'000);
  EXPECT_EQ(rung["flops"], 8'000'000);
  EXPECT_EQ(rung["bound"], "memory");
  EXPECT_EQ(rung["measurement_error"], false);
  EXPECT_EQ(rung["speedup"]["value"], 4);
  EXPECT_TRUE(rung["counters"].is_null());
  EXPECT_TRUE(table["rungs"][0]["speedup"].is_null());
  EXPECT_EQ(table["rungs"][2]["path"], "yours");
}

TEST(BenchJson, AttentionHasAContextAndAFormat) {
  BenchResults r = results();
  r.tables[0].N = r.tables[0].K = 0;
  r.tables[0].M = 4096;
  r.tables[0].label = "int8";
  const auto table = nlohmann::json::parse(bench_json(r))["tables"][0];
  EXPECT_EQ(table["context"], 4096);
  EXPECT_EQ(table["format"], "int8");
  EXPECT_FALSE(table.contains("M"));
  EXPECT_THAT(bench_text(r, Terminal{}), HasSubstr("fp16_gemm int8, context 4096"));
}

}  // namespace
}  // namespace qlab::test
