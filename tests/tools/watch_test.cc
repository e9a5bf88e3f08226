// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab watch at a terminal: keys, saves, interrupts, and the terminal as it was afterwards.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "lab/commands.h"
#include "lab/file_watch.h"
#include "lab/interrupt.h"
#include "model/input_error.h"
#include "tools/learner_fixture.h"
#include "tools/pty_session.h"

namespace qlab::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kKeys = "q quit";

class Watch : public LearnerInATree {
 protected:
  /// What ./lab watch does in this tree. Nothing can be built there, so a check ends as our bug.
  auto watch(bool ask = false, const std::string& color = "never") {
    return [this, ask, color] {
      catch_interrupts();
      Learner learner = learner_here(color, false, false);
      learner.places = learner_.places;
      learner.all = learner_.all;
      learner.may_ask_predictions = ask;
      try {
        return run_watch(learner, "");
      } catch (const InputError& error) {
        learner.say(error.what());
        return static_cast<int>(kUsage);
      } catch (const Interrupted&) {
        return static_cast<int>(kInterrupted);
      }
    };
  }
};

void expect_restored(const PtySession& session) {
  EXPECT_TRUE(session.mode().c_lflag & ICANON) << "lines are not edited any more";
  EXPECT_TRUE(session.mode().c_lflag & ECHO) << "what is typed is not shown any more";
}

TEST_F(Watch, TakesKeysWithoutEnterAndQuits) {
  PtySession session(watch());
  ASSERT_TRUE(session.shows("NOT STARTED  1.1 alpha_gemv")) << session.screen();
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  EXPECT_FALSE(session.mode().c_lflag & ICANON);
  session.type("l");
  EXPECT_TRUE(session.shows("0 of 3 done on the CPU")) << session.screen();
  session.type("h");
  EXPECT_TRUE(session.shows("Which sum?")) << session.screen();
  session.type("d");
  EXPECT_TRUE(session.shows("What you write")) << session.screen();
  session.type("s");
  EXPECT_TRUE(session.shows("result = x + x;")) << session.screen();
  session.type("n");
  EXPECT_TRUE(session.shows("1.2 alpha_gemv_warp")) << session.screen();
  session.type("q");
  EXPECT_EQ(session.wait(), 0) << session.screen();
  expect_restored(session);
}

TEST_F(Watch, EndsWith130AtCtrlCAndRestoresTheTerminal) {
  PtySession session(watch());
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  session.type("\x03");
  EXPECT_EQ(session.wait(), 130) << session.screen();
  expect_restored(session);
}

TEST_F(Watch, RestoresTheTerminalWhenItIsTerminated) {
  PtySession session(watch());
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  session.send_signal(SIGTERM);
  EXPECT_EQ(session.wait(), 130) << session.screen();
  expect_restored(session);
}

TEST_F(Watch, AsksForThePredictionOnce) {
  PtySession session(watch(true));
  ASSERT_TRUE(session.shows("Your guess, a or b (Enter skips): ")) << session.screen();
  EXPECT_TRUE(session.mode().c_lflag & ECHO);
  session.type("b\n");
  EXPECT_TRUE(session.shows("kept; after the tests you will see")) << session.screen();
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  session.type("q");
  EXPECT_EQ(session.wait(), 0);
  EXPECT_THAT(tree_.read(".lab/answers.json"), HasSubstr("\"answer\": \"b\""));

  PtySession again(watch(true));
  ASSERT_TRUE(again.shows(kKeys)) << again.screen();
  EXPECT_THAT(again.screen(), Not(HasSubstr("Your guess")));
}

TEST_F(Watch, ChecksWhenTheFileIsReplaced) {
  PtySession session(watch());
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  tree_.write("labs/01_first/new.tmp", tree_.stub(alpha()) + "int mine;\n");
  fs::rename(tree_.path("labs/01_first/new.tmp"), tree_.path(alpha().lab_file()));
  EXPECT_TRUE(session.shows("alpha_gemv: checking…")) << session.screen();
  EXPECT_TRUE(session.shows("1.1 alpha_gemv\r\n")) << session.screen();
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  session.type("q");
  EXPECT_EQ(session.wait(), 0);
}

TEST_F(Watch, ResetAsksFirst) {
  edit(alpha());
  const std::string mine = tree_.read(alpha().lab_file());
  PtySession session(watch());
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  session.type("x");
  ASSERT_TRUE(session.shows("[y/N] ")) << session.screen();
  session.type("n\n");
  EXPECT_TRUE(session.shows("Nothing was changed.")) << session.screen();
  session.type("q");
  EXPECT_EQ(session.wait(), 0);
  EXPECT_EQ(tree_.read(alpha().lab_file()), mine);
}

TEST_F(Watch, RefusesASecondOneInTheSameFolder) {
  PtySession first(watch());
  ASSERT_TRUE(first.shows(kKeys)) << first.screen();
  PtySession second(watch());
  EXPECT_TRUE(second.shows("another ./lab watch runs in this folder")) << second.screen();
  EXPECT_EQ(second.wait(), 2);
  expect_restored(second);
}

TEST_F(Watch, GoesOnAfterAResizeAndUnknownKeys) {
  PtySession session(watch());
  ASSERT_TRUE(session.shows(kKeys)) << session.screen();
  session.resize(12, 40);
  session.type("\x1b[A?");
  session.type("h");
  EXPECT_TRUE(session.shows("Which sum?")) << session.screen();
  session.type("q");
  EXPECT_EQ(session.wait(), 0);
}

TEST_F(Watch, WithoutATerminalChecksOnceAndSaysSo) {
  const std::string text = said([&] { run_watch(learner_, ""); });
  EXPECT_THAT(text, testing::StartsWith("watch needs a terminal; checking once."));
}

TEST(FileWatch, SeesWritesAndReplacementsAndNothingElse) {
  const TemporaryFolder folder;
  folder.write("a.cc", "one");
  folder.write("b.cc", "one");
  FileWatch watch(folder.path() / "a.cc");
  EXPECT_FALSE(watch.changed());
  folder.write("b.cc", "two");
  EXPECT_FALSE(watch.changed());
  folder.write("a.cc", "longer");
  EXPECT_TRUE(watch.changed());
  EXPECT_FALSE(watch.changed());
  fs::remove(folder.path() / "a.cc");
  EXPECT_FALSE(watch.changed());
  folder.write("a.cc", "longer");
  EXPECT_TRUE(watch.changed());
}

}  // namespace
}  // namespace qlab::test
