// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab bench` as a person types it: the list, a small run, and what is refused before anything is
/// measured.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/isa.h"
#include "lab/bench_ladders.h"
#include "lab/text.h"
#include "tools/run_program.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Finished bench(std::vector<std::string> arguments) {
  const std::vector<std::string> lab = {QLAB_BUILD_DIR "/lab", "bench"};
  arguments.insert(arguments.begin(), lab.begin(), lab.end());
  return run_program(std::move(arguments));
}

/// One line on standard error and nothing measured: there is no progress line.
void expect_refused(const std::vector<std::string>& arguments, const std::string& words) {
  const Finished run = bench(arguments);
  SCOPED_TRACE("lab bench " + testing::PrintToString(arguments));
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, AllOf(StartsWith("lab: "), HasSubstr(words), EndsWith("\n")));
  EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
}

TEST(BenchCommand, ListsWhatItCanMeasureAndMeasuresNothing) {
  const Finished run = bench({});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.err, IsEmpty());
  for (const BenchLadder& ladder : bench_ladders()) {
    EXPECT_THAT(run.out, HasSubstr("  " + std::string(ladder.name) + " "));
  }
  EXPECT_THAT(run.out, AllOf(HasSubstr("w8a8_gemm"), HasSubstr("Example: ./lab bench")));
  const std::vector<std::string> lines = lines_of(run.out);
  EXPECT_LE(lines.size(), 24U) << "one screen";
  for (const std::string& line : lines) EXPECT_LE(columns(line), 100U) << line;
}

TEST(BenchCommand, TheListIsAnObjectToo) {
  const Finished run = bench({"--json"});
  EXPECT_EQ(run.code, 0);
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["schema"], "qlab.bench_list");
  EXPECT_EQ(json["operations"].size(), bench_ladders().size());
}

TEST(BenchCommand, HelpFitsAScreenAndHasAnExample) {
  const Finished run = bench({"--help"});
  EXPECT_EQ(run.code, 0);
  EXPECT_LE(std::ranges::count(run.out, '\n'), 30);
  EXPECT_THAT(run.out, HasSubstr("Example: ./lab bench"));
}

TEST(BenchCommand, RefusesBeforeItMeasures) {
  expect_refused({"zzzzzzzz"}, "neither an operation nor an exercise");
  expect_refused({"gemm"}, "is part of");
  expect_refused({"half_formats"}, "half_formats has no kernel");
  expect_refused({"fp16_gemv"}, "need a GPU");
  expect_refused({"w8a8_gemm", "--m", "0"}, "--m 0");
  expect_refused({"w8a8_gemm", "--m", "1,9999"}, "--m 9999: w8a8_gemm takes rows of 1 to 4096");
  expect_refused({"attention", "--m", "99999"}, "takes contexts of 1 to 32768");
  expect_refused({"w8a8_gemm", "--m", "many"}, "--m");
  expect_refused({"w8a8_gemm", "--shape", "4096"}, "--shape");
  expect_refused({"w8a8_gemm", "--html", "no/such/folder/page.html"}, "no/such/folder");
  expect_refused({"w8a8_gemm", "--threads", "0"}, "--threads");
  expect_refused({"w8a8_gemm", "--isa", "nonsense"}, "nonsense");
  expect_refused({"w8a8_gemm", "--frobnicate"}, "./lab bench --help");
}

TEST(BenchCommand, MeasuresASmallLayer) {
  const Finished run = bench({"w8a8_gemm", "--shape", "96x64", "--m", "1,20", "--quick",
                              "--threads", "1", "--isa", "scalar", "--json", "--ours"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("w8a8_gemm, M = 20, N = 96, K = 64"));
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["schema"], "qlab.bench");
  EXPECT_EQ(json["isa"], "scalar");
  ASSERT_EQ(json["tables"].size(), 2U);
  EXPECT_EQ(json["tables"][0]["cold"], true);
  EXPECT_EQ(json["tables"][1]["cold"], false);
  EXPECT_EQ(json["tables"][0]["rungs"].size(), 1U);
}

}  // namespace
}  // namespace qlab::test
