// SPDX-License-Identifier: Apache-2.0
/// \file
/// selftest on builds made of one-line programs: what counts as passed, and what never does.
#include "lab/selftest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "lab/junit.h"
#include "tools/run_program.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

/// `lab selftest` on a build folder whose tests are these lines of CMake.
Finished selftest(const std::string& tests, const std::vector<std::string>& options = {}) {
  const TemporaryFolder build;
  build.write("CTestTestfile.cmake", tests);
  std::vector<std::string> command = {QLAB_BUILD_DIR "/lab", "selftest", "--build", build.path()};
  command.insert(command.end(), options.begin(), options.end());
  return run_program(command);
}

/// A test whose program is a line of shell.
std::string shell_test(const std::string& name, const std::string& line) {
  return "add_test(" + name + " sh -c [[" + line + "]])\n";
}

/// A test that says what GoogleTest says when a test is skipped.
std::string skipped_test(const std::string& name, const std::string& reason) {
  return shell_test(name,
                    "printf 'a.cc:3: Skipped\\n" + reason + "\\n[  SKIPPED ] A.B (0 ms)\\n'") +
         "set_tests_properties(" + name + R"( PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED"))" +
         "\n";
}

TEST(Selftest, EndsWithItsOwnTotal) {
  const Finished run = selftest(shell_test("one", "true") + shell_test("two", "true"));
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.out, "2 passed, 0 failed, 0 skipped\n");
}

TEST(Selftest, ShowsAFailureWhereItBegins) {
  const Finished run = selftest(
      shell_test("good", "true") +
      shell_test("Op.IsRight",
                 "printf 'noise\\nop_test.cc:7: Failure\\nexpected 1 < 2 && \"x\"\\n'; exit 1"));
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.out, HasSubstr("FAILED  Op.IsRight (Failed)\n"
                                 "    op_test.cc:7: Failure\n"
                                 "    expected 1 < 2 && \"x\"\n"));
  EXPECT_THAT(run.out, Not(HasSubstr("noise")));
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("selftest.txt"), EndsWith("\n1 passed, 1 failed, 0 skipped\n")));
}

TEST(Selftest, CountsWhatNeverEndedAsFailed) {
  const Finished run =
      selftest(shell_test("good", "true") + shell_test("crash", "kill -SEGV $$") +
               "add_test(absent /no/such/program)\n" + shell_test("endless", "sleep 60") +
               "set_tests_properties(endless PROPERTIES TIMEOUT 1)\n");
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(
      run.out,
      AllOf(HasSubstr("FAILED  crash (Exception: SegFault)"), HasSubstr("FAILED  absent (Not Run)"),
            HasSubstr("FAILED  endless (Timeout)"), EndsWith("1 passed, 3 failed, 0 skipped\n")));
}

TEST(Selftest, NamesSkippedTestsUnderTheirReason) {
  const Finished run = selftest(shell_test("good", "true") + skipped_test("A.X", "no GPU") +
                                skipped_test("A.Y", "no GPU") + skipped_test("A.Z", "no avx2"));
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.out,
            "SKIPPED (no GPU)\n    A.X\n    A.Y\nSKIPPED (no avx2)\n    A.Z\n"
            "1 passed, 0 failed, 3 skipped\n");
}

TEST(Selftest, FailsWhenNothingPassed) {
  const Finished skips_only = selftest(skipped_test("A.X", "no GPU"));
  EXPECT_EQ(skips_only.code, 3);
  EXPECT_THAT(skips_only.out, EndsWith("0 passed, 0 failed, 1 skipped\n"));

  const Finished nothing = selftest("");
  EXPECT_EQ(nothing.code, 3);
  EXPECT_EQ(nothing.out, "0 passed, 0 failed, 0 skipped\n");
  EXPECT_THAT(nothing.err, HasSubstr("there is no test"));
}

TEST(Selftest, RunsSlowTestsOnlyWhenAsked) {
  const std::string tests = shell_test("quick", "true") + shell_test("exhaustive", "true") +
                            "set_tests_properties(exhaustive PROPERTIES LABELS \"common;slow\")\n";
  EXPECT_THAT(selftest(tests).out, EndsWith("1 passed, 0 failed, 0 skipped\n"));
  EXPECT_THAT(selftest(tests, {"--slow"}).out, EndsWith("2 passed, 0 failed, 0 skipped\n"));
}

TEST(Selftest, DoesNotMindALearnersEdits) {
  const std::string tests = shell_test("quick", "true") + shell_test("drift.op", "false") +
                            "set_tests_properties(drift.op PROPERTIES LABELS drift)\n";
  EXPECT_EQ(selftest(tests).code, 0);
  EXPECT_EQ(selftest(tests, {"--slow"}).code, 0);
}

TEST(Selftest, HandsTheSeedToTheTests) {
  EXPECT_EQ(selftest(shell_test("seed", "test \"$LAB_SEED\" = 7"), {"--seed", "7"}).code, 0);
}

// A report that was cut off at any byte must not look like a shorter, successful one.
TEST(Junit, RefusesAReportThatIsCutShort) {
  const std::string xml =
      "<testsuite tests=\"2\"><testcase name=\"a\" status=\"run\"></testcase>"
      "<testcase name=\"b\" status=\"run\"></testcase>";
  EXPECT_EQ(read_junit(xml).size(), 2);
  for (std::size_t length = sizeof("<testsuite tests=\"2"); length < xml.size(); ++length) {
    EXPECT_THROW(read_junit(xml.substr(0, length)), std::runtime_error) << length;
  }
}

}  // namespace
}  // namespace qlab::test
