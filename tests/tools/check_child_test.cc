// SPDX-License-Identifier: Apache-2.0
/// \file
/// run_child against programs that do what programs under test have done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "lab/child.h"
#include "tools/run_program.h"

namespace qlab::test {
namespace {

using std::chrono::milliseconds;
using End = ChildResult::End;

ChildResult shell(const std::string& script, const ChildOptions& options = {}) {
  return run_child({"/bin/sh", "-c", script}, options);
}

/// Whether a process is gone, or is a zombie that nobody has collected: it runs no more. Killing
/// takes the kernel a moment.
bool is_gone(const std::string& pid) {
  for (int i = 0; i < 200; ++i) {
    std::ifstream stat("/proc/" + pid + "/stat");
    std::string number, name, state;
    if (!(stat >> number >> name >> state) || state == "Z" || state == "X") return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(CheckChild, TellsTheExitStatusAndBothOutputs) {
  const ChildResult result = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.end, End::kExited);
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.output, "out\nerr\n");
}

TEST(CheckChild, FindsAProgramThroughPath) { EXPECT_EQ(run_child({"true"}, {}).end, End::kExited); }

TEST(CheckChild, TellsThatAProgramIsMissing) {
  const ChildResult result = run_child({"/nowhere/program"}, {});
  EXPECT_EQ(result.end, End::kNotStarted);
  EXPECT_EQ(result.code, ENOENT);
}

TEST(CheckChild, DoesNotTakeExitCode127ForAMissingProgram) {
  const ChildResult result = shell("exit 127");
  EXPECT_EQ(result.end, End::kExited);
  EXPECT_EQ(result.code, 127);
}

TEST(CheckChild, TellsThatTheFolderIsMissing) {
  EXPECT_EQ(shell("true", {.folder = "/nowhere"}).end, End::kNotStarted);
}

TEST(CheckChild, TellsTheSignalOfACrash) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE}) {
    const ChildResult result = shell("kill -" + std::to_string(signal) + " $$");
    EXPECT_EQ(result.end, End::kCrashed);
    EXPECT_EQ(result.code, signal);
  }
}

TEST(CheckChild, StopsAnEndlessLoopAtTheLimit) {
  const ChildResult result =
      shell("echo before; while :; do :; done", {.limit = milliseconds(200)});
  EXPECT_EQ(result.end, End::kTimedOut);
  EXPECT_EQ(result.output, "before\n");
}

TEST(CheckChild, StopsAChildThatIgnoresSignalsAndWritesNothing) {
  const ChildResult result =
      shell("trap '' TERM INT; exec >&- 2>&-; while :; do :; done", {.limit = milliseconds(200)});
  EXPECT_EQ(result.end, End::kTimedOut);
}

TEST(CheckChild, KeepsTheBeginAndTheEndOfAGigabyte) {
  const ChildResult result =
      shell("echo first; head -c 1000000000 /dev/zero; echo last", {.limit = milliseconds(60'000)});
  EXPECT_EQ(result.end, End::kExited);
  EXPECT_LE(result.output.size(), (1U << 20) + 16);
  EXPECT_TRUE(result.output.starts_with("first\n"));
  EXPECT_TRUE(result.output.ends_with("last\n"));
}

TEST(CheckChild, KeepsOutputOfAMegabyteWhole) {
  const ChildResult result = shell("head -c 1048576 /dev/zero | tr '\\0' x");
  EXPECT_EQ(result.output, std::string(1048576, 'x'));
}

TEST(CheckChild, LeavesNoProcessBehind) {
  const ChildResult result = shell("sleep 100 & echo $!; sleep 100 & echo $!");
  EXPECT_EQ(result.end, End::kExited);
  EXPECT_LT(result.seconds, 50);  // it did not wait for those that still hold the output
  std::istringstream pids(result.output);
  std::string one, two;
  ASSERT_TRUE(pids >> one >> two) << result.output;
  EXPECT_TRUE(is_gone(one));
  EXPECT_TRUE(is_gone(two));
}

TEST(CheckChild, LeavesNoProcessBehindAfterATimeOut) {
  const ChildResult result = shell("sleep 100 & echo $!; wait", {.limit = milliseconds(200)});
  EXPECT_EQ(result.end, End::kTimedOut);
  std::istringstream pids(result.output);
  std::string pid;
  ASSERT_TRUE(pids >> pid);
  EXPECT_TRUE(is_gone(pid));
}

TEST(CheckChild, StopsWhenAsked) {
  int asked = 0;
  const ChildResult result = shell("sleep 100", {.stop = [&] { return ++asked == 3; }});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_EQ(asked, 3);
}

TEST(CheckChild, EndsTheChildWhenAskingThrows) {
  const TemporaryFolder folder;
  const auto stop = [&]() -> bool {
    if (folder.read("pid").ends_with("\n")) throw std::runtime_error("no");
    return false;
  };
  EXPECT_THROW(shell("echo $$ > pid; exec sleep 100", {.folder = folder.path(), .stop = stop}),
               std::runtime_error);
  const std::string pid = folder.read("pid");
  EXPECT_TRUE(is_gone(pid.substr(0, pid.size() - 1)));
}

TEST(CheckChild, LetsAGentlyStoppedChildTidyUp) {
  const TemporaryFolder folder;
  folder.write("half", "written");
  const auto asked = [&] { return std::filesystem::exists(folder.path() / "ready"); };
  const ChildResult result =
      shell("trap 'rm half; exit' TERM; : > ready; while :; do sleep 0.01; done",
            {.folder = folder.path(), .stop = asked, .gentle = true});
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "half"));
}

TEST(CheckChild, SetsAndRemovesVariables) {
  setenv("QLAB_TEST_KEPT", "kept", 1);
  setenv("QLAB_GONE_ONE", "here", 1);
  setenv("QLAB_GONE_TWO", "here", 1);
  const ChildResult result =
      shell("echo $QLAB_TEST_KEPT$QLAB_GONE_ONE$QLAB_GONE_TWO-$QLAB_TEST_NEW",
            {.environment = {{"QLAB_GONE_*", std::nullopt}, {"QLAB_TEST_NEW", "new"}}});
  EXPECT_EQ(result.output, "kept-new\n");
}

TEST(CheckChild, GivesNoInput) { EXPECT_EQ(shell("cat; echo end").output, "end\n"); }

TEST(CheckChild, RunsInAGroupOfItsOwnWithLimits) {
  // The fifth word of stat is the group; the shell that reads it is its leader.
  const ChildResult result = shell(
      "ulimit -c; ulimit -v; read -r a b c d group x </proc/$$/stat; "
      "[ $group = $$ ] && echo leader");
  EXPECT_EQ(result.output, "0\n4194304\nleader\n");
  EXPECT_EQ(shell("ulimit -v", {.limit_memory = false}).output,
            run_program({"/bin/sh", "-c", "ulimit -v"}).out);
}

TEST(CheckChild, RefusesMoreThanFourGigabytes) {
  const ChildResult result = shell("dd if=/dev/zero of=/dev/null bs=5G count=1");
  EXPECT_THAT(result.output, testing::HasSubstr("exhausted"));
}

}  // namespace
}  // namespace qlab::test
