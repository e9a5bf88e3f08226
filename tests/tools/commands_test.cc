// SPDX-License-Identifier: Apache-2.0
/// \file
/// The learner's commands that build nothing: where am I, list, next, hint, solution, predict, docs.
#include "lab/commands.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "lab/look_at.h"
#include "lab/predictions.h"
#include "lab/state_block.h"
#include "lab/text.h"
#include "model/input_error.h"
#include "tools/learner_fixture.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Commands : public LearnerInATree {
 protected:
  std::string hint(int level = 0) {
    return said([&] { run_hint(learner_, "alpha_gemv", level); });
  }
  std::string list(const ListOptions& options = {}) {
    return said([&] { run_list(learner_, options); });
  }
  std::string next() {
    return said([&] { run_next(learner_); });
  }
};

TEST_F(Commands, SayWhereTheLearnerIs) {
  const std::string text = said([&] { EXPECT_EQ(run_here(learner_), 0); });
  EXPECT_THAT(text, StartsWith("NOT STARTED  1.1 alpha_gemv   about 10 min\n  Adds a number"));
  EXPECT_THAT(text, HasSubstr("  Edit  labs/01_first/alpha_gemv.cc:6   TODO Add it to itself\n"));
  EXPECT_THAT(text, HasSubstr("Before you run: How much larger is the sum?\n"
                              "    [a] 2 times  [b] 4 times\n"));
  EXPECT_LE(lines_of(text).size(), 15u);
}

TEST_F(Commands, SayThatALabFileIsGone) {
  std::filesystem::remove(tree_.path(alpha().lab_file()));
  EXPECT_THAT(said([&] { run_here(learner_); }), HasSubstr("./lab reset alpha_gemv"));
}

TEST_F(Commands, ListStatesMinutesAndTitles) {
  plant_done(alpha());
  edit(beta());
  const std::string gpu = gpu_column(warp());
  EXPECT_EQ(gpu_column(alpha()), "-");
  const std::string text = list();
  EXPECT_THAT(text, StartsWith("01 first "));
  EXPECT_THAT(text, testing::ContainsRegex("  1.1   alpha_gemv +double.* done +-  +10 min\n"));
  EXPECT_THAT(text, testing::ContainsRegex("  1.2   alpha_gemv_warp +double.* not started +" + gpu +
                                           " +10 min  <- next\n"));
  EXPECT_THAT(text, testing::ContainsRegex("02 second .*\n  2.1 .* in progress +- "));
  EXPECT_THAT(text, HasSubstr("1 of 3 done on the CPU"));
  for (const std::string& line : lines_of(text)) EXPECT_LE(columns(line), 80u) << line;
}

TEST_F(Commands, ListOneModuleOrWhatIsOpen) {
  plant_done(alpha());
  EXPECT_THAT(list({.module = "02", .open = false}),
              AllOf(HasSubstr("beta"), Not(HasSubstr("warp"))));
  EXPECT_THAT(list({.module = "first", .open = true}),
              AllOf(HasSubstr("alpha_gemv_warp"), Not(HasSubstr("1.1")), HasSubstr("1 of 2 done")));
  EXPECT_THAT(refused([&] { list({.module = "7", .open = false}); }), HasSubstr("is not a module"));
}

TEST_F(Commands, ListInAsciiOnANarrowTerminalCutsNoNumber) {
  learner_.terminal.width = 40;
  learner_.terminal.ascii = true;
  const std::string text = list();
  EXPECT_THAT(text, AllOf(HasSubstr("10 min"), HasSubstr("not started"), HasSubstr("2.1")));
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c > 0; })) << text;
}

TEST_F(Commands, NextShowsTheFirstThenGoesOnAndSaysWhatIsLeftOpen) {
  EXPECT_THAT(next(), StartsWith("NOT STARTED  1.1"));
  EXPECT_THAT(next(), AllOf(StartsWith("alpha_gemv is not done; "), HasSubstr("STARTED  1.2")));
  plant_done(warp());
  EXPECT_THAT(next(), AllOf(StartsWith("Say it out loud: \"Twice as …\""), HasSubstr("2.1 beta")));
  plant_done(beta());
  EXPECT_THAT(next(), HasSubstr("1.1 alpha_gemv"));
  EXPECT_THAT(next(), HasSubstr("alpha_gemv is the only one that is not done."));
  plant_done(alpha());
  EXPECT_THAT(next(), HasSubstr("All 3 exercises are done."));
}

TEST_F(Commands, HintsComeOneAtATimeAndOnlyAfterAChange) {
  EXPECT_THAT(hint(), AllOf(HasSubstr("hint 1 of 3\nWhich sum?"), HasSubstr("2 more: ")));
  EXPECT_THAT(hint(), HasSubstr("hint 1 of 3"));
  edit(alpha());
  EXPECT_THAT(hint(), AllOf(HasSubstr("hint 2 of 3"), HasSubstr("1 more: ")));
  edit(alpha());
  EXPECT_THAT(hint(), AllOf(HasSubstr("hint 3 of 3"), HasSubstr("./lab solution alpha_gemv")));
  edit(alpha());
  EXPECT_THAT(hint(), HasSubstr("hint 3 of 3"));
}

TEST_F(Commands, HintTakesALevelAndDoesNotGoBack) {
  EXPECT_THAT(hint(2), HasSubstr("hint 2 of 3"));
  EXPECT_THAT(hint(1), HasSubstr("hint 1 of 3"));
  edit(alpha());
  EXPECT_THAT(hint(), HasSubstr("hint 3 of 3"));
  EXPECT_THAT(refused([&] { hint(4); }), HasSubstr("no hint 4"));
}

TEST_F(Commands, HintBeginsWithARecognisedMistake) {
  Verdict verdict;
  verdict.state = State::kWrong;
  verdict.likely = "adds one too many";
  plant(alpha(), verdict);
  EXPECT_THAT(hint(), StartsWith("Your last check says: adds one too many"));
  edit(alpha());  // what was found then may no longer be so
  EXPECT_THAT(hint(), Not(HasSubstr("adds one")));
}

TEST_F(Commands, ADamagedNoteIsSetAsideNotFatal) {
  for (const std::string damaged : {"{\"alpha", "[]", ""}) {
    tree_.write(".lab/seen.json", damaged);
    EXPECT_THAT(hint(),
                AllOf(HasSubstr(".lab/seen.json could not be read"), HasSubstr("Which sum")));
    EXPECT_THAT(hint(), Not(HasSubstr("could not be read")));
  }
  tree_.write(".lab/seen.json", R"({"alpha_gemv": {"level": "two", "file": 7}, "here": 3})");
  EXPECT_THAT(hint(), HasSubstr("hint 1 of 3"));
  tree_.write(".lab/answers.json", "nonsense");
  EXPECT_THAT(said([&] { run_predict(learner_, "alpha_gemv", "b"); }), HasSubstr("kept; after"));
  EXPECT_EQ(prediction(learner_, alpha()), "b");
}

TEST_F(Commands, SolutionAsksWhileHintsAreLeft) {
  const SolutionOptions options{.id = "alpha_gemv", .diff = false, .yes = false};
  answers_ = {"n", "y"};
  EXPECT_EQ(said([&] { run_solution(learner_, options); }), "3 hints are left. Show it? [y/N] \n");
  EXPECT_THAT(said([&] { run_solution(learner_, options); }), HasSubstr("result = x + x;"));
  EXPECT_THAT(refused([&] { run_solution(learner_, options); }), HasSubstr("--yes shows it"));
  hint(3);
  EXPECT_THAT(said([&] { run_solution(learner_, options); }), StartsWith("// SPDX"));
}

TEST_F(Commands, SolutionDoesNotAskWhenDoneAndNeverWrites) {
  plant_done(alpha());
  const std::string before = tree_.read(alpha().lab_file());
  const std::string text =
      said([&] { run_solution(learner_, {.id = "1.1", .diff = true, .yes = false}); });
  EXPECT_THAT(text, AllOf(StartsWith("--- labs/01_first/alpha_gemv.cc\n+++ solutions/01_first/"),
                          HasSubstr("\n-int mine = 1;"), HasSubstr("\n+  result = x + x;")));
  EXPECT_EQ(tree_.read(alpha().lab_file()), before);
}

TEST_F(Commands, PredictionsAreKeptUnjudgedAndLaterStandBesideTheFact) {
  EXPECT_THAT(said([&] { run_predict(learner_, "", ""); }), HasSubstr("No prediction yet"));
  EXPECT_EQ(said([&] { run_predict(learner_, "a", ""); }),
            "  kept; after the tests you will see\n");
  EXPECT_THAT(
      said([&] { run_predict(learner_, "", ""); }),
      AllOf(HasSubstr("1.1 alpha_gemv"), HasSubstr("You said: a. After"), Not(HasSubstr("It is"))));
  EXPECT_EQ(all_predictions(learner_), "") << "none of what is done";
  plant_done(alpha());
  EXPECT_THAT(said([&] { run_predict(learner_, "", ""); }),
              HasSubstr("You said: a, 2 times. Measured here: 2.5 times. It is b, 4 times: It is"));
  EXPECT_THAT(tree_.read(".lab/answers.json"), HasSubstr("\"fact\": \"2.5 times.\""));
  EXPECT_EQ(all_predictions(learner_), "You predicted 0 of 1; what surprised you: alpha_gemv");
  plant_done(beta());
  EXPECT_EQ(all_predictions(learner_), "You predicted 0 of 1; what surprised you: alpha_gemv");
  keep_prediction(learner_, alpha(), "b");
  EXPECT_EQ(all_predictions(learner_), "You predicted 1 of 1");
}

TEST_F(Commands, PredictRefusesWhatIsNoChoice) {
  EXPECT_THAT(refused([&] { run_predict(learner_, "beta", "c"); }), HasSubstr("say a or b"));
  EXPECT_THAT(refused([&] { run_predict(learner_, "beta", "4"); }), HasSubstr("say a or b"));
  EXPECT_EQ(prediction(learner_, beta()), "");
}

TEST_F(Commands, AskAQuestionOnceAndTakeEnterForNo) {
  answers_ = {"x", ""};
  EXPECT_THAT(said([&] { ask_prediction(learner_, alpha()); }), HasSubstr("a or b (Enter skips)"));
  EXPECT_EQ(prediction(learner_, alpha()), "");
  answers_ = {"b"};
  EXPECT_THAT(said([&] { ask_prediction(learner_, alpha()); }), HasSubstr("kept; after"));
  EXPECT_EQ(said([&] { ask_prediction(learner_, alpha()); }), "");
  learner_.may_ask_predictions = false;
  EXPECT_EQ(said([&] { ask_prediction(learner_, beta()); }), "");
}

TEST_F(Commands, DocsGiveTheEndingsAwayOnlyWhenDoneOrAsked) {
  EXPECT_THAT(said([&] { run_docs(learner_, "1.1"); }),
              AllOf(HasSubstr("What you write"), Not(HasSubstr("x to x")),
                    HasSubstr("./lab docs alpha_gemv --page")));
  EXPECT_THAT(said([&] { run_docs(learner_, "1.1", /*page=*/true); }), HasSubstr("of x to x."));
  plant_done(alpha());
  EXPECT_THAT(said([&] { run_docs(learner_, "1.1"); }),
              AllOf(HasSubstr("of x to x."), Not(HasSubstr("--page"))));
}

TEST_F(Commands, LookAtNamesTheRegionOfARecognisedMistake) {
  const std::string mutants = alpha().mutants();
  tree_.write(mutants + "/one_more.patch",
              "Says: adds one too many\nWhy: x\nCaught by: A.B\n--- solution\n+++ mutant\n"
              "@@ -8,2 +8,2 @@\n \n-  result = x + x;\n+  result = x + x + 1;\n");
  EXPECT_EQ(look_at(learner_.places, alpha(), "adds one too many"),
            "labs/01_first/alpha_gemv.cc:6");
  EXPECT_EQ(look_at(learner_.places, alpha(), "something else"), "");
  tree_.write(alpha().lab_file(), "int all_mine;\n");
  EXPECT_EQ(look_at(learner_.places, alpha(), "adds one too many"), "");
}

TEST_F(Commands, AVerdictAsJsonHasEveryField) {
  Verdict verdict;
  verdict.state = State::kWrong;
  verdict.text = {"first bad: x"};
  verdict.likely = "adds one";
  verdict.passed = 2;
  verdict.total = 3;
  verdict.seed = 7;
  const nlohmann::json json = verdict_json(warp(), verdict);
  EXPECT_EQ(json["state"], "wrong");
  EXPECT_EQ(json["id"], "alpha_gemv_warp");
  EXPECT_EQ(json["number"], "1.2");
  EXPECT_EQ(json["gpu"], "not_run");
  EXPECT_EQ(json["first_bad"], nlohmann::json({"first bad: x"}));
  EXPECT_EQ(json["likely"], "adds one");
  EXPECT_EQ(json["passed"], 2);
  EXPECT_EQ(json["total"], 3);
  EXPECT_EQ(json["seed"], 7);
  EXPECT_EQ(verdict_json(alpha(), verdict)["gpu"], nullptr);
}

TEST(Text, WrapsWordsAndCutsNone) {
  EXPECT_EQ(wrapped("one two three", 9, "  "), "  one two\n  three");
  EXPECT_EQ(wrapped("averylongword x", 5, ""), "averylongword\nx");
  EXPECT_EQ(padded("größer", 8), "größer  ");
  EXPECT_EQ(padded("größer", 4), "grö…");
}

}  // namespace
}  // namespace qlab::test
