// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which of a learner's files `lab compare --mine` takes, and what it says of the program that has
/// them: in a tree whose build tool and programs are shell scripts.
#include "lab/mine_run.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "lab/text.h"
#include "model/input_error.h"
#include "tools/learner_fixture.h"

namespace qlab::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Exercises 3.1 w4a16_gemv and 5.1 continuous_batching, which have a place, and 1.1 half_formats,
/// which has none. The tool writes down its targets; lab_mine writes down its words and returns 4.
class MineRun : public LearnerInATree {
 protected:
  MineRun() {
    tree_.write("build/exercises.txt",
                "01_first/half_formats.cc\n03_int4/w4a16_gemv.cc\n05_serving/"
                "continuous_batching.cc\n");
    learner_.all = read_exercises(learner_.places);
    for (const Exercise& exercise : learner_.all) {
      tree_.write(exercise.solution_file(), ExerciseTree::named(kToySolution, exercise));
      tree_.write(exercise.lab_file(), ExerciseTree::stub(exercise));
    }
    path_before_ = std::getenv("PATH");
    setenv("PATH", (tree_.path("bin").string() + ":" + path_before_).c_str(), 1);
    write_script("bin/cmake",
                 "echo \"${*#*--target }\" >>" + tree_.path("targets").string() + "\n");
    write_script("build/exercises/lab_mine",
                 "echo \"$*\" >" + tree_.path("words").string() + "\nexit 4\n");
  }
  ~MineRun() override { setenv("PATH", path_before_.c_str(), 1); }

  void write_script(const std::string& name, const std::string& text) {
    tree_.write(name, "#!/bin/sh\n" + text);
    std::filesystem::permissions(tree_.path(name), std::filesystem::perms::owner_all);
  }
  std::optional<int> run(const std::vector<std::string>& words = {"compare", "--mine", "--seed",
                                                                  "7"}) {
    testing::internal::CaptureStderr();
    const std::optional<int> code = run_with_mine(learner_, words);
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }
  void plant_state(const Exercise& exercise, State state) {
    plant(exercise, Verdict{.state = state, .passed = 1, .total = 2});
  }
  std::string targets() const { return tree_.read("targets"); }

  const Exercise& formats() { return learner_.all[0]; }
  const Exercise& gemv() { return learner_.all[1]; }
  const Exercise& batching() { return learner_.all[2]; }
  std::string err_;

 private:
  std::string path_before_;
};

TEST_F(MineRun, BuildsNothingOfUntouchedStubs) {
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_THAT(targets(), IsEmpty());
  const MineUse use = mine_use(learner_, Mine{});
  EXPECT_THAT(use.used, IsEmpty());
  EXPECT_THAT(use.unfinished, IsEmpty());
  EXPECT_THAT(mine_lines(use), ElementsAre(HasSubstr("yours: none, for no exercise with a place")));
}

TEST_F(MineRun, LinksWhatIsFinishedAndPassesTheWordsOn) {
  plant_done(gemv());
  plant_done(batching());
  EXPECT_EQ(run(), 4);
  EXPECT_EQ(targets(), "mine.w4a16_gemv mine.continuous_batching\nlab_mine\n");
  EXPECT_EQ(tree_.read("words"), "compare --mine --seed 7\n");
  const std::string folder = tree_.path("build/exercises").string();
  EXPECT_EQ(tree_.read("build/exercises/mine.rsp"),
            "-Wl,--whole-archive\n\"" + folder + "/w4a16_gemv/libmine.a\"\n\"" + folder +
                "/continuous_batching/libmine.a\"\n-Wl,--no-whole-archive\n");
}

TEST_F(MineRun, LeavesOutWhatIsWrongOrNotDoneAndSaysSo) {
  plant_done(gemv());
  plant_state(batching(), State::kWrong);
  EXPECT_EQ(run(), 4);
  EXPECT_EQ(targets(), "mine.w4a16_gemv\nlab_mine\n");
  EXPECT_THAT(mine_use(learner_, Mine{}).unfinished, ElementsAre("continuous_batching (wrong)"));
}

TEST_F(MineRun, DoesNotCheckAFileWithAnOpenTodo) {
  edit(gemv());  // the stub, and a line more
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_THAT(targets(), IsEmpty());
}

TEST_F(MineRun, ChecksAFileThatNobodyCheckedSince) {
  tree_.write(gemv().lab_file(), ExerciseTree::named(kToySolution, gemv()));
  write_script("build/exercises/w4a16_gemv/solution", "exit 1\n");  // so that the check ends here
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_EQ(targets(), "given.w4a16_gemv lab.w4a16_gemv\n");
  EXPECT_THAT(err_, HasSubstr("3.1 w4a16_gemv: building"));
}

TEST_F(MineRun, NamesWhatIsFinishedAndHasNoPlace) {
  plant_done(formats());
  EXPECT_EQ(run(), std::nullopt);
  const MineUse use = mine_use(learner_, Mine{});
  EXPECT_THAT(use.without_place, ElementsAre("half_formats"));
  EXPECT_THAT(mine_lines(use)[1],
              HasSubstr("finished, but no kernel or format that is compared here calls it: half"));
}

TEST_F(MineRun, SaysInOneSentenceThatALearnersCodeCrashed) {
  plant_done(gemv());
  write_script("build/exercises/lab_mine", "kill -SEGV $$\n");
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(err_, HasSubstr("the comparison crashed (Segmentation fault) with your w4a16_gemv"));
  EXPECT_THAT(err_, HasSubstr("without --mine ours alone are measured"));
  EXPECT_EQ(run({"bench", "w4a16_gemv"}), 1);
  EXPECT_THAT(err_, HasSubstr("the bench crashed (Segmentation fault) with your w4a16_gemv"));
  EXPECT_THAT(err_, HasSubstr("with --ours ours alone are measured"));
}

TEST_F(MineRun, SaysThatTwoFilesDefineOneName) {
  plant_done(gemv());
  write_script("bin/cmake",
               "case $* in *lab_mine) echo 'multiple definition of `dot'; exit 1;; esac\n");
  const std::string said = refused([&] { run(); });
  testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("one name is defined twice, so put helpers into namespace"));
  EXPECT_THAT(said, HasSubstr("log/mine.txt"));
}

TEST(MineLines, AreNoneWhenNobodyAsked) { EXPECT_THAT(mine_lines(MineUse{}), IsEmpty()); }

}  // namespace
}  // namespace qlab::test
