// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is remembered of checks, and when it no longer counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/check_tree.h"

namespace qlab::test {
namespace {

constexpr const char* kCache = "build/exercises/verdicts.json";

State known(const CheckTree& tree) { return known_verdict(tree.places(), tree.exercise()).state; }

TEST(CheckMemory, KnowsWhatACheckFound) {
  const CheckTree tree;
  EXPECT_EQ(known(tree), State::kInProgress);
  tree.check();
  const Verdict verdict = known_verdict(tree.places(), tree.exercise());
  EXPECT_EQ(verdict.state, State::kDone);
  EXPECT_EQ(verdict.passed, 3);
  EXPECT_EQ(verdict.total, 3);
}

TEST(CheckMemory, ForgetsWhenAnythingTheVerdictRestsOnChanges) {
  const CheckTree tree;
  const Exercise& exercise = tree.exercise();
  tree.write_patch("a", "A.");
  for (const std::string& file :
       {exercise.lab_file(), exercise.solution_file(), exercise.test_file(), exercise.contract(),
        exercise.mutants() + "/a.patch", exercise.mutants() + "/b.patch"}) {
    tree.check();
    ASSERT_EQ(known(tree), State::kDone);
    const std::string before =
        std::filesystem::exists(tree.path(file)) ? tree.read(file) : std::string();
    tree.write(file, before + "// more\n");
    EXPECT_EQ(known(tree), State::kInProgress) << file;
  }
}

TEST(CheckMemory, KnowsAFileThatCameBack) {
  const CheckTree tree;
  tree.check();
  const std::string text = tree.read(tree.exercise().lab_file());
  tree.write(tree.exercise().lab_file(), text + "int more;\n");
  EXPECT_EQ(known(tree), State::kInProgress);
  tree.write(tree.exercise().lab_file(), text);
  EXPECT_EQ(known(tree), State::kDone);
}

TEST(CheckMemory, DoesNotRememberAFileThatChangedDuringTheCheck) {
  const CheckTree tree;
  tree.write_program("lab", "echo 'int more;' >>" + tree.path(tree.exercise().lab_file()).string() +
                                "\n" + CheckTree::passes());
  EXPECT_EQ(tree.check().state, State::kDone);
  EXPECT_EQ(known(tree), State::kInProgress);
}

TEST(CheckMemory, DoesWithoutADamagedFile) {
  const CheckTree tree;
  tree.check();
  const std::string whole = tree.read(kCache);
  for (const std::string& text :
       {std::string(), whole.substr(0, whole.size() / 2), std::string("[]"), std::string("{}"),
        std::string(R"({"format": 1, "verdicts": 3})"),
        std::string(R"({"format": 1, "verdicts": {"alpha_gemv": {}}})")}) {
    tree.write(kCache, text);
    EXPECT_EQ(known(tree), State::kInProgress) << text;
    EXPECT_EQ(tree.check().state, State::kDone) << text;
    EXPECT_EQ(known(tree), State::kDone) << text;
  }
  std::string other = whole;
  other.replace(other.find("DONE"), 4, "GONE");
  tree.write(kCache, other);
  EXPECT_EQ(known(tree), State::kInProgress);
}

TEST(CheckMemory, DoesNotRememberOurBug) {
  const CheckTree tree;
  tree.write_build("exit 1");
  EXPECT_EQ(tree.check().state, State::kOurBug);
  EXPECT_EQ(known(tree), State::kInProgress);
}

TEST(CheckMemory, KnowsTheStubAndAMissingFileWithoutACheck) {
  const CheckTree tree;
  tree.write(tree.exercise().lab_file(), CheckTree::stub(tree.exercise()));
  EXPECT_EQ(known(tree), State::kNotStarted);
  std::filesystem::remove(tree.path(tree.exercise().lab_file()));
  EXPECT_EQ(known(tree), State::kDoesNotCompile);
}

TEST(CheckMemory, FindsTheFirstThatIsNotDone) {
  const CheckTree tree;
  const auto all = read_exercises(tree.places());
  EXPECT_EQ(next_open(tree.places(), all), all.data());
  tree.check();
  EXPECT_EQ(next_open(tree.places(), all), &all[1]);
  EXPECT_EQ(next_open(tree.places(), {all[0]}), nullptr);
}

}  // namespace
}  // namespace qlab::test
