// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab reset: whatever happens, what the learner wrote is still somewhere.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "lab/commands.h"
#include "tools/learner_fixture.h"

namespace qlab::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Reset : public LearnerInATree {
 protected:
  std::string reset(ResetOptions options) {
    options.id = options.all ? "" : "alpha_gemv";
    return said([&] { EXPECT_EQ(run_reset(learner_, options), 0); });
  }
  std::string file() { return tree_.read(alpha().lab_file()); }
  std::multiset<std::string> kept() {
    std::multiset<std::string> texts;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(tree_.path(".lab/kept"), none)) {
      texts.insert(tree_.read(".lab/kept/" + entry.path().filename().string()));
    }
    return texts;
  }
  const std::string stub_ = tree_.stub(alpha());
};

TEST_F(Reset, OfAStubChangesNothingAndDoesNotAsk) {
  EXPECT_THAT(reset({}), HasSubstr("is the stub already"));
  EXPECT_TRUE(kept().empty());
}

TEST_F(Reset, SaysHowManyLinesDifferAndTakesNoForAnAnswer) {
  edit(alpha(), "int a;\nint b;\n");
  const std::string mine = file();
  for (const std::string no : {"n", "", "all"}) {
    answers_ = {no};
    EXPECT_THAT(reset({}), AllOf(HasSubstr("2 lines of labs/01_first/alpha_gemv.cc are not"),
                                 HasSubstr("Nothing was changed.")));
  }
  EXPECT_EQ(file(), mine);
  EXPECT_TRUE(kept().empty());
}

TEST_F(Reset, KeepsACopyAndNamesIt) {
  edit(alpha());
  const std::string mine = file();
  answers_ = {"y"};
  EXPECT_THAT(reset({}), AllOf(HasSubstr("Kept .lab/kept/alpha_gemv.20"),
                               HasSubstr("reload the file in your editor")));
  EXPECT_EQ(file(), stub_);
  EXPECT_THAT(kept(), testing::ElementsAre(mine));
}

TEST_F(Reset, WithoutAnybodyToAskNeedsYes) {
  edit(alpha());
  const std::string mine = file();
  EXPECT_THAT(refused([&] { reset({}); }), HasSubstr("./lab reset alpha_gemv --yes"));
  EXPECT_EQ(file(), mine);
  reset({.id = "", .all = false, .yes = true, .undo = false});
  EXPECT_EQ(file(), stub_);
}

TEST_F(Reset, IsUndoneAndTheUndoingToo) {
  const ResetOptions undo{.id = "", .all = false, .yes = false, .undo = true};
  EXPECT_THAT(refused([&] { reset(undo); }), HasSubstr("no copy of labs/01_first/alpha_gemv.cc"));
  edit(alpha());
  const std::string mine = file();
  reset({.id = "", .all = false, .yes = true, .undo = false});
  edit(alpha(), "int later;\n");
  const std::string later = file();
  EXPECT_THAT(reset(undo), HasSubstr("Kept the present file as .lab/kept/alpha_gemv."));
  EXPECT_EQ(file(), mine);
  reset(undo);  // within the same second: names still tell which copy is newer
  EXPECT_EQ(file(), later);
  EXPECT_THAT(kept(), testing::UnorderedElementsAre(mine, later, mine));
}

TEST_F(Reset, TakesNoCopyOfAnotherExercise) {
  plant_done(warp());
  said([&] { run_reset(learner_, {.id = "warp", .all = false, .yes = true, .undo = false}); });
  EXPECT_THAT(refused([&] { reset({.id = "", .all = false, .yes = false, .undo = true}); }),
              HasSubstr("no copy"));
}

TEST_F(Reset, BringsAMissingFileBackWithoutAsking) {
  fs::remove(tree_.path(alpha().lab_file()));
  EXPECT_THAT(reset({}), HasSubstr("is the stub again"));
  EXPECT_EQ(file(), stub_);
}

TEST_F(Reset, OfAllNeedsTheWord) {
  edit(alpha());
  edit(beta());
  const std::string mine = file();
  const ResetOptions all{.id = "", .all = true, .yes = true, .undo = false};
  EXPECT_THAT(refused([&] { reset(all); }), HasSubstr("nobody can answer"));
  answers_ = {"y"};
  EXPECT_THAT(reset(all),
              AllOf(HasSubstr("2 of 3 files differ"), HasSubstr("Nothing was changed")));
  EXPECT_EQ(file(), mine);
  answers_ = {"all"};
  reset(all);
  EXPECT_EQ(file(), stub_);
  EXPECT_EQ(kept().size(), 2u);
  EXPECT_THAT(reset(all), HasSubstr("Every file is its stub already."));
}

TEST_F(Reset, ThatCannotKeepACopyChangesNothing) {
  edit(alpha());
  const std::string mine = file();
  tree_.write(".lab", "a file where the folder belongs");
  EXPECT_THAT(refused([&] { reset({.id = "", .all = false, .yes = true, .undo = false}); }),
              AllOf(HasSubstr("can be written to .lab/kept"), HasSubstr("nothing was changed")));
  EXPECT_EQ(file(), mine);
}

TEST_F(Reset, InAFolderThatCannotBeWrittenLosesNothing) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  edit(alpha());
  const std::string mine = file();
  const fs::path folder = tree_.path("labs/01_first");
  fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THAT(refused([&] { reset({.id = "", .all = false, .yes = true, .undo = false}); }),
              HasSubstr("cannot be written"));
  fs::permissions(folder, fs::perms::owner_all);
  EXPECT_EQ(file(), mine);
}

}  // namespace
}  // namespace qlab::test
