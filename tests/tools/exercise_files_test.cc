// SPDX-License-Identifier: Apache-2.0
/// \file
/// The list of exercises, which one a word means, and what sheets, hints and lab files say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "lab/fuzzy.h"
#include "model/input_error.h"
#include "tools/exercise_tree.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What `call` throws, as text.
template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing was refused";
}

class ExerciseFiles : public testing::Test {
 protected:
  std::string find(const std::string& typed) { return find_exercise(all_, typed).id; }
  std::string refused(const std::string& typed) {
    return refusal([&] { find(typed); });
  }

  ExerciseTree tree_;
  std::vector<Exercise> all_ = read_exercises(tree_.places());
};

TEST_F(ExerciseFiles, AreNumberedByModuleAndPlace) {
  std::vector<std::string> labels;
  for (const Exercise& exercise : all_) {
    labels.push_back(exercise.number + " " + exercise.lab_file());
  }
  EXPECT_THAT(labels,
              ElementsAre("1.1 labs/01_first/alpha_gemv.cc", "1.2 labs/01_first/alpha_gemv_warp.cu",
                          "2.1 labs/02_second/beta_sum.cc"));
}

TEST_F(ExerciseFiles, OfABrokenListAreNamed) {
  tree_.write("build/exercises.txt", "01_first\n");
  EXPECT_THAT(refusal([&] { read_exercises(tree_.places()); }), HasSubstr("\"01_first\" is not"));
  std::filesystem::remove(tree_.path("build/exercises.txt"));
  EXPECT_THAT(refusal([&] { read_exercises(tree_.places()); }), HasSubstr("exercises.txt"));
}

TEST_F(ExerciseFiles, AreFoundByIdNumberPartAndPath) {
  EXPECT_EQ(find("alpha_gemv"), "alpha_gemv");  // although it is a part of the next one's
  EXPECT_EQ(find("1.2"), "alpha_gemv_warp");
  EXPECT_EQ(find("warp"), "alpha_gemv_warp");
  EXPECT_EQ(find("labs/02_second/beta_sum.cc"), "beta_sum");
}

TEST_F(ExerciseFiles, ThatAWordMayMeanAreAllListed) {
  EXPECT_THAT(refused("gemv"),
              AllOf(HasSubstr("1.1 alpha_gemv, 1.2 alpha_gemv_warp"), HasSubstr("type more")));
  EXPECT_THAT(refused("gemv"), Not(HasSubstr("beta")));
}

TEST_F(ExerciseFiles, NearATypoAreProposed) {
  EXPECT_THAT(refused("beta_smu"), HasSubstr("did you mean beta_sum?"));
  EXPECT_THAT(refused("bata"), HasSubstr("did you mean beta_sum?"));
  EXPECT_THAT(refused("quaternion"),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr("all of them: ./lab list")));
  EXPECT_THAT(refused(""), HasSubstr("\"\" is not an exercise"));
  EXPECT_THAT(refused("1.9"), HasSubstr("\"1.9\" is not an exercise"));
}

TEST_F(ExerciseFiles, ThatAreOpenNameTheirTodosAndLines) {
  std::vector<OpenTodo> open = open_todos(tree_.places(), all_[0]);
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].id, "alpha_gemv_sum");
  EXPECT_EQ(open[0].title, "Add it to itself");
  EXPECT_EQ(open[0].line, 6);

  std::string text = tree_.read(all_[0].lab_file());
  text.insert(text.rfind("todo("), "// ");
  tree_.write(all_[0].lab_file(), text);
  EXPECT_THAT(open_todos(tree_.places(), all_[0]), IsEmpty());
}

TEST(EditDistance, CountsLettersAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("gmev", "gemv"), 1);
  EXPECT_EQ(edit_distance("same", "same"), 0);
}

class SheetAndHints : public ExerciseFiles {
 protected:
  /// What a sheet or the hints say when `from` gives way to `to`.
  std::string sheet_refusal(const std::string& from, const std::string& to) {
    return damaged(all_[0].sheet(), from, to, [&] { read_sheet(tree_.places(), all_[0]); });
  }
  std::string hints_refusal(const std::string& from, const std::string& to) {
    return damaged(all_[0].hints(), from, to, [&] { read_hints(tree_.places(), all_[0]); });
  }

 private:
  template <class Call>
  std::string damaged(const std::string& file, const std::string& from, const std::string& to,
                      Call call) {
    const std::string good = tree_.read(file);
    std::string bad = good;
    const std::size_t at = bad.find(from);
    if (at == std::string::npos) return "the file does not say " + from;
    bad.replace(at, from.size(), to);
    tree_.write(file, bad);
    const std::string why = refusal(call);
    tree_.write(file, good);
    EXPECT_THAT(why, HasSubstr(file));
    return why;
  }
};

TEST_F(SheetAndHints, AreRead) {
  const Sheet sheet = read_sheet(tree_.places(), all_[0]);
  EXPECT_EQ(sheet.title, "double a number");
  EXPECT_EQ(sheet.minutes, 10);
  EXPECT_EQ(sheet.what, "Adds a number to itself, which is the start of everything.");
  EXPECT_EQ(sheet.question, "How much larger is the sum?");
  EXPECT_THAT(sheet.choices, ElementsAre("2 times", "4 times"));
  EXPECT_THAT(sheet.spoken, ElementsAre("\"Doubling is an addition of …\"", "\"Twice as …\""));

  const Hints hints = read_hints(tree_.places(), all_[0]);
  EXPECT_THAT(hints.levels, ElementsAre("Which sum?", "Add x.\n\n```cpp\n## not a heading\n```",
                                        "result = x + …;"));
  EXPECT_EQ(hints.answer, 'b');
  EXPECT_EQ(hints.because, "It is twice two.");
  EXPECT_EQ(hints.spoken.size(), 2u);
}

TEST_F(SheetAndHints, MayAskNoQuestion) {
  std::string text = tree_.read(all_[0].sheet());
  text.erase(text.find("## Before"), text.find("## Done") - text.find("## Before"));
  tree_.write(all_[0].sheet(), text);
  EXPECT_THAT(read_sheet(tree_.places(), all_[0]).question, IsEmpty());
}

TEST_F(SheetAndHints, ThatLackAPartAreRefusedByName) {
  EXPECT_THAT(sheet_refusal("# alpha_gemv:", "# beta:"), HasSubstr("does not begin with"));
  EXPECT_THAT(sheet_refusal("About 10", "Around 10"), HasSubstr("About 10 minutes"));
  EXPECT_THAT(sheet_refusal("## The data", "## Data"), HasSubstr("'## The data'"));
  EXPECT_THAT(sheet_refusal("- b:", "- c:"), HasSubstr("in order"));
  EXPECT_THAT(sheet_refusal("- b: 4 times\n", ""), HasSubstr("two choices"));
  EXPECT_THAT(sheet_refusal("Say it", "Say"), HasSubstr("'## Say it out loud'"));
  EXPECT_THAT(hints_refusal("## Hint 2", "## Hint two"), HasSubstr("'## Hint 2'"));
  EXPECT_THAT(hints_refusal("Which sum?", ""), HasSubstr("says nothing under '## Hint 1'"));
  EXPECT_THAT(hints_refusal("b: It is", "It is"), HasSubstr("'b: because'"));
}

TEST_F(SheetAndHints, ThatAreMissingAreNamed) {
  std::filesystem::remove(tree_.path(all_[0].sheet()));
  EXPECT_THAT(refusal([&] { read_sheet(tree_.places(), all_[0]); }), HasSubstr(all_[0].sheet()));
}

TEST(SheetsOfTheLab, AreWellFormed) {
  const Places places = Places::of_this_program();
  for (const Exercise& exercise : read_exercises(places)) {
    SCOPED_TRACE(exercise.id);
    const Sheet sheet = read_sheet(places, exercise);
    const Hints hints = read_hints(places, exercise);
    EXPECT_EQ(hints.spoken.size(), sheet.spoken.size());
    if (!sheet.question.empty()) {
      EXPECT_FALSE(hints.because.empty());
      EXPECT_LT(static_cast<std::size_t>(hints.answer - 'a'), sheet.choices.size());
    }
  }
}

}  // namespace
}  // namespace qlab::test
