// SPDX-License-Identifier: Apache-2.0
/// \file
/// GoogleTest's report and list, whole and damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/gtest_report.h"

namespace qlab::test {
namespace {

using testing::ElementsAre;

constexpr std::string_view kReport = R"({"tests": 3, "failures": 1, "disabled": 0, "errors": 0,
  "time": "1.25s", "name": "AllTests", "testsuites": [{"name": "Op", "tests": 3, "testsuite": [
    {"name": "Passes", "status": "RUN", "result": "COMPLETED", "fact": "0.31 of FP16"},
    {"name": "Fails", "status": "RUN", "result": "COMPLETED",
     "failures": [{"failure": "tests/op.cc:12\nFailed\ncase \"a\"", "type": ""}]},
    {"name": "Skips", "status": "RUN", "result": "SKIPPED"}]}]})";

TEST(CheckReport, ReadsTestsFailuresAndFact) {
  const auto report = read_gtest_report(kReport);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->tests.size(), 3);
  EXPECT_EQ(report->tests[0].name, "Op.Passes");
  EXPECT_TRUE(report->tests[0].ran);
  EXPECT_TRUE(report->tests[0].failures.empty());
  EXPECT_THAT(report->tests[1].failures, ElementsAre("tests/op.cc:12\nFailed\ncase \"a\""));
  EXPECT_FALSE(report->tests[2].ran);
  EXPECT_TRUE(report->tests[2].skipped);
  EXPECT_EQ(report->fact, "0.31 of FP16");
  EXPECT_EQ(report->seconds, 1.25);
  EXPECT_EQ(report->find("Op.Fails"), &report->tests[1]);
  EXPECT_EQ(report->find("Op.Other"), nullptr);
}

TEST(CheckReport, RefusesAReportCutAtAnyByte) {
  for (std::size_t size = 0; size < kReport.size(); ++size) {
    EXPECT_FALSE(read_gtest_report(kReport.substr(0, size))) << size;
  }
}

TEST(CheckReport, RefusesWhatIsNoReport) {
  for (const char* text : {"", "[]", "{}", "null", R"({"name": "AllTests"})",
                           R"({"name": "AllTests", "time": "0s", "testsuites": [{}]})",
                           R"({"name": "AllTests", "time": "0s", "testsuites": [
                               {"name": "Op", "testsuite": [{"name": 3}]}]})",
                           "[  PASSED  ] 3 tests."}) {
    EXPECT_FALSE(read_gtest_report(text)) << text;
  }
}

TEST(CheckReport, ListsTests) {
  EXPECT_THAT(listed_tests("Running main() from gtest_main.cc\nOp.\n  Passes\n  DISABLED_Later\n"
                           "All/Op.\n  Fits/0  # GetParam() = 3\n  Fits/1  # GetParam() = 4\n"
                           "DISABLED_Off.\n  Never\nTyped/0.  # TypeParam = int\n  Works\n"),
              ElementsAre("Op.Passes", "All/Op.Fits/0", "All/Op.Fits/1", "Typed/0.Works"));
  EXPECT_TRUE(listed_tests("").empty());
}

TEST(CheckReport, LeavesThePlaceInTheTestOut) {
  EXPECT_EQ(failure_text("tests/op.cc:12\nFailed\ncase \"a\"\nfirst bad: 1"),
            "case \"a\"\nfirst bad: 1");
  EXPECT_EQ(failure_text("tests/op.cc:12\nExpected: x\n  Actual: y"), "Expected: x\n  Actual: y");
  EXPECT_EQ(failure_text("case: 12 of 13\nmore"), "case: 12 of 13\nmore");
  EXPECT_EQ(failure_text("unknown file\nC++ exception with description \"a race\n between "
                         "\"x\" and y\" thrown in the test body."),
            "a race\n between \"x\" and y");
  EXPECT_EQ(failure_text(""), "");
  EXPECT_EQ(failure_text("tests/op.cc:12"), "");
}

TEST(CheckReport, ReadsATestsNameAsASentence) {
  EXPECT_EQ(in_words("HalfFormats.RoundsBf16TiesToEven"), "rounds bf16 ties to even");
  EXPECT_EQ(in_words("All/Op.FitsEveryShape/3"), "fits every shape (3)");
}

}  // namespace
}  // namespace qlab::test
