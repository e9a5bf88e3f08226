// SPDX-License-Identifier: Apache-2.0
/// \file
/// check_exercise: what counts as done, and what does not although it looks like it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/check_tree.h"

namespace qlab::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(CheckExercise, IsDoneWhenEveryTestPassed) {
  const CheckTree tree;
  const Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kDone);
  EXPECT_EQ(verdict.passed, 3);
  EXPECT_EQ(verdict.total, 3);
  EXPECT_TRUE(verdict.text.empty());
}

/// Each ends with status 0, and none is done.
TEST(CheckExercise, IsNotDoneWhenTheProgramEndsBeforeItsTests) {
  const CheckTree tree;
  for (const std::string& body :
       {std::string("exit 0"), std::string("echo '[  PASSED  ] 3 tests.'; exit 0"),
        std::string("echo '{' >$report; exit 0"), CheckTree::passes() + "exit 0",
        std::string("rm $TEST_PREMATURE_EXIT_FILE; exit 0")}) {
    tree.write_program("lab", "echo '[ RUN      ] Alpha.Two'\n" + body);
    const Verdict verdict = tree.check();
    EXPECT_EQ(verdict.state, State::kCrashes) << body;
    EXPECT_THAT(verdict.text, ElementsAre("the program ended before the tests did: something in "
                                          "labs/01_first/alpha_gemv.cc calls exit (status 0)",
                                          "in the test \"two\""))
        << body;
  }
}

TEST(CheckExercise, DoesNotTakeTheReportOfAnEarlierRun) {
  const CheckTree tree;
  EXPECT_EQ(tree.check().state, State::kDone);
  tree.write_program("lab", "rm $TEST_PREMATURE_EXIT_FILE; exit 0");
  EXPECT_EQ(tree.check().state, State::kCrashes);
}

TEST(CheckExercise, IsNotDoneWhenTestsAreMissing) {
  const CheckTree tree;
  tree.write_program("lab", R"(echo '{"name": "AllTests", "time": "0s", "testsuites": [
      {"name": "Alpha", "testsuite": [
        {"name": "One", "status": "RUN", "result": "COMPLETED"},
        {"name": "Two", "status": "NOTRUN", "result": "SUPPRESSED"}]}]}' >$report)");
  const Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kWrong);
  EXPECT_THAT(verdict.text, ElementsAre("2 of 3 tests did not run: Alpha.Two, Alpha.Three"));
  EXPECT_EQ(verdict.passed, 1);
}

TEST(CheckExercise, IsNotDoneWithoutAnyTest) {
  const CheckTree tree;
  tree.write_program("lab",
                     R"(echo '{"name": "AllTests", "time": "0s", "testsuites": []}' >$report)");
  EXPECT_EQ(tree.check().state, State::kWrong);
}

TEST(CheckExercise, ExcusesOnlyASkipThatOurSolutionNeedsToo) {
  const CheckTree tree;
  tree.write_program("lab", CheckTree::reports("pass", "skip", "pass"));
  EXPECT_EQ(tree.check().state, State::kWrong);
  tree.write_program("solution", CheckTree::reports("pass", "skip", "pass"));
  const Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kDone);
  EXPECT_EQ(verdict.total, 2);
}

TEST(CheckExercise, IsNotDoneWhenEverythingIsSkipped) {
  const CheckTree tree;
  tree.write_program("lab", CheckTree::reports("skip", "skip", "skip"));
  tree.write_program("solution", CheckTree::reports("skip", "skip", "skip"));
  EXPECT_EQ(tree.check().state, State::kInProgress);
}

TEST(CheckExercise, IsNotDoneWhenTheProgramFailsAfterItsTests) {
  const CheckTree tree;
  tree.write_program("lab", CheckTree::passes() + "status=5");
  Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kCrashes);
  EXPECT_THAT(verdict.text, ElementsAre(HasSubstr("after the last one: it ended with status 5")));
  tree.write_program("lab", CheckTree::passes() + "rm $TEST_PREMATURE_EXIT_FILE; kill -SEGV $$");
  verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kCrashes);
  EXPECT_THAT(verdict.text, ElementsAre(HasSubstr("SIGSEGV")));
}

TEST(CheckExercise, ShowsTheFirstFailureInTheOrderOfOurTests) {
  const CheckTree tree;
  tree.write_program(
      "lab", CheckTree::reports("pass", "case \\\"a\\\"\\nfirst bad: 1", "case b") + "status=1");
  const Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kWrong);
  EXPECT_THAT(verdict.text, ElementsAre("case \"a\"", "first bad: 1"));
  EXPECT_THAT(verdict.failed, ElementsAre("Alpha.Two", "Alpha.Three"));
  EXPECT_EQ(verdict.passed, 1);
}

TEST(CheckExercise, NamesTheTestWhenTheFailureDoesNot) {
  const CheckTree tree;
  tree.write_program("lab", CheckTree::reports("Expected: 1\\n  Actual: 2", "pass", "pass"));
  EXPECT_THAT(tree.check().text, ElementsAre("in the test \"one\":", "Expected: 1", "  Actual: 2"));
}

constexpr const char* kTodo =
    "C++ exception with description \\\"labs/01_first/alpha_gemv.cc:7: alpha_gemv_sum is not "
    "written "
    "yet\\\" thrown in the test body.";

TEST(CheckExercise, HasNotStartedWhileTheFileIsTheStub) {
  const CheckTree tree;
  tree.write_program("lab", CheckTree::reports(kTodo, kTodo, kTodo) + "status=1");
  tree.write(tree.exercise().lab_file(), "// a note\n" + CheckTree::stub(tree.exercise()));
  EXPECT_EQ(tree.check().state, State::kNotStarted);
}

TEST(CheckExercise, IsInProgressWhileATodoIsOpen) {
  const CheckTree tree;
  tree.write_program("lab",
                     CheckTree::reports("pass", kTodo, "case b\\nfirst bad: 2") + "status=1");
  tree.write(tree.exercise().lab_file(), CheckTree::stub(tree.exercise()) + "int mine;\n");
  const Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kInProgress);
  EXPECT_THAT(verdict.text,
              ElementsAre("Open  labs/01_first/alpha_gemv.cc:6   TODO Add it to itself",
                          "What is there already fails:", "case b", "first bad: 2"));
}

TEST(CheckExercise, DoesNotEndAtTheLimit) {
  const CheckTree tree;
  tree.write_program("lab", "echo '[ RUN      ] Alpha.Two'; while :; do :; done");
  const Verdict verdict = tree.check({.limit = std::chrono::milliseconds(500)});
  EXPECT_EQ(verdict.state, State::kDoesNotEnd);
  EXPECT_THAT(verdict.text[0], testing::StartsWith("Stopped after 0.5 s in the test \"two\"."));
}

TEST(CheckExercise, StopsWhenAskedWhileItBuildsAndWhileItTests) {
  const CheckTree tree;
  const CheckOptions stop{.stop = [] { return true; }};
  tree.write_build("sleep 100");
  EXPECT_THROW(tree.check(stop), Interrupted);
  tree.write_build("");
  tree.write_program("lab", "touch " + tree.path("begun").string() + "; sleep 100");
  EXPECT_THROW(tree.check({.stop = [&] { return std::filesystem::exists(tree.path("begun")); }}),
               Interrupted);
  EXPECT_FALSE(std::filesystem::exists(tree.path("build/exercises/verdicts.json")));
}

TEST(CheckExercise, LeavesNoFolderOfARunBehind) {
  const CheckTree tree;
  tree.check();
  for (const auto& entry :
       std::filesystem::directory_iterator(tree.path("build/exercises/alpha_gemv"))) {
    EXPECT_THAT(entry.path().filename().string(), testing::Not(testing::StartsWith("run.")));
  }
}

TEST(CheckExercise, BlamesTheLearnerOnlyWhenTheRestBuilds) {
  const CheckTree tree;
  const std::string error = tree.path("labs/01_first/alpha_gemv.cc").string() + ":4:2: error: no";
  tree.write_build("echo " + error + "; exit 1");
  Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kOurBug);
  EXPECT_EQ(verdict.text[0], "what belongs to alpha_gemv does not build here");

  tree.write_build("case $targets in *lab.alpha_gemv*) echo " + error + "; exit 1 ;; esac");
  verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kDoesNotCompile);
  EXPECT_THAT(verdict.text, ElementsAre("labs/01_first/alpha_gemv.cc:4:2: no",
                                        "1 error. All of it: log/alpha_gemv.txt"));
  EXPECT_THAT(tree.read("log/alpha_gemv.txt"), HasSubstr("error: no"));
}

TEST(CheckExercise, NeedsNoCompilerForAFileThatIsGone) {
  const CheckTree tree;
  tree.write_build("touch " + tree.path("built").string());
  tree.write(tree.exercise().lab_file(), "// only a note\n\n");
  EXPECT_THAT(tree.check().text, ElementsAre("labs/01_first/alpha_gemv.cc is empty; ./lab reset "
                                             "alpha_gemv brings the stub back"));
  std::filesystem::remove(tree.path(tree.exercise().lab_file()));
  const Verdict verdict = tree.check();
  EXPECT_EQ(verdict.state, State::kDoesNotCompile);
  EXPECT_THAT(verdict.text, ElementsAre("labs/01_first/alpha_gemv.cc is missing; ./lab reset "
                                        "alpha_gemv brings the stub back"));
  EXPECT_FALSE(std::filesystem::exists(tree.path("built")));
}

TEST(CheckExercise, SaysThatOurProgramListsNoTests) {
  const CheckTree tree;
  std::filesystem::remove(tree.path("build/exercises/alpha_gemv/solution"));
  EXPECT_EQ(tree.check().state, State::kOurBug);
}

TEST(CheckExercise, HandsTheSeedOnAndNoFilterOfTheCaller) {
  const CheckTree tree;
  setenv("GTEST_FILTER", "Alpha.One", 1);
  tree.write_program("lab", "echo \"$LAB_SEED-$GTEST_FILTER\" >" + tree.path("seen").string() +
                                "\n" + CheckTree::passes());
  const Verdict verdict = tree.check({.seed = 42});
  unsetenv("GTEST_FILTER");
  EXPECT_EQ(tree.read("seen"), "42-\n");
  EXPECT_EQ(verdict.seed, 42);
}

TEST(CheckExercise, SaysWhatItIsDoing) {
  const CheckTree tree;
  std::vector<std::string> said;
  tree.check({.doing = [&](const std::string& what) { said.push_back(what); }});
  EXPECT_THAT(said, ElementsAre("building", "testing"));
}

}  // namespace
}  // namespace qlab::test
