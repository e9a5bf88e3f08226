// SPDX-License-Identifier: Apache-2.0
/// \file
/// likely_mistake: a mutant is named when its outputs are the learner's, and in no other case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lab/dump_files.h"
#include "tools/check_tree.h"

namespace qlab::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr const char* kEmptySays = "nothing was written: the output is as it was before the call";

Dump dump(const std::vector<double>& got, double allowed = 0) {
  return {.rows = 1,
          .cols = static_cast<std::int64_t>(got.size()),
          .got = got,
          .expected = std::vector<double>(got.size(), 0),
          .allowed = std::vector<double>(got.size(), allowed)};
}

TEST(CheckDumps, ComparesWithinWhatBothAllow) {
  EXPECT_TRUE(same_output(dump({1, 2}), dump({1, 2})));
  EXPECT_FALSE(same_output(dump({1, 2}), dump({1, 2.5})));
  EXPECT_TRUE(same_output(dump({1, 2}, 0.5), dump({1, 2.5}, 0.5)));
  EXPECT_FALSE(same_output(dump({1, 2}, 0.5), dump({1, 2.5}, 0.25)));
  EXPECT_FALSE(same_output(dump({1}), dump({1, 2})));
}

TEST(CheckDumps, TakesNanForNanAndInfinityForTheSameInfinity) {
  EXPECT_TRUE(same_output(dump({kNan, kInfinity}), dump({kNan, kInfinity})));
  EXPECT_FALSE(same_output(dump({kNan}, 1e300), dump({1}, 1e300)));
  EXPECT_FALSE(same_output(dump({1}, kInfinity), dump({kNan}, kInfinity)));
  EXPECT_FALSE(same_output(dump({kInfinity}, 1e300), dump({-kInfinity}, 1e300)));
  EXPECT_FALSE(same_output(dump({1}, kNan), dump({2}, kNan)));
}

TEST(CheckDumps, CallsNanWrong) {
  EXPECT_TRUE(dump({kNan}, 1e300).is_wrong());
  EXPECT_TRUE(dump({1}).is_wrong());
  EXPECT_FALSE(dump({1}, 1).is_wrong());
  EXPECT_FALSE(dump({0, 0}).is_wrong());
}

TEST(CheckDumps, RefusesAFileThatIsCutOffOrTooLong) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "Op.One.0.dump";
  CheckTree::write_dump(file, {1, 2}, {1, 3}, 0.5);
  const auto whole = read_dump(file);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->got, std::vector<double>({1, 2}));
  EXPECT_EQ(whole->expected, std::vector<double>({1, 3}));
  EXPECT_EQ(whole->allowed, std::vector<double>({0.5, 0.5}));
  const std::string bytes = folder.read("Op.One.0.dump");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    folder.write("cut", bytes.substr(0, size));
    EXPECT_FALSE(read_dump(folder.path() / "cut")) << size;
  }
  folder.write("cut", bytes + "x");
  EXPECT_FALSE(read_dump(folder.path() / "cut"));
  folder.write("cut", std::string(16, '\x7F') + std::string(48, ' '));
  EXPECT_FALSE(read_dump(folder.path() / "cut"));
  EXPECT_FALSE(read_dump(folder.path() / "none"));
}

TEST(CheckDumps, FindsTheOutputsOfOneTest) {
  const TemporaryFolder folder;
  for (const char* name : {"Op.One.0.dump", "Op.One.1.dump", "Op.One.3.dump", "Op.OneMore.0.dump",
                           "All_Op.Fits_2.0.dump"}) {
    CheckTree::write_dump(folder.path() / name, {1}, {1}, 0);
  }
  EXPECT_EQ(dumps_of_test(folder.path(), "Op.One").size(), 2);
  EXPECT_EQ(dumps_of_test(folder.path(), "All/Op.Fits/2").size(), 1);
  EXPECT_TRUE(dumps_of_test(folder.path(), "Op.Two").empty());
}

/// A learner's program that is wrong in Alpha.One and Alpha.Two, right in Alpha.Three.
class CheckDiagnosis : public testing::Test {
 protected:
  CheckDiagnosis() {
    tree_.write_program("lab", outputs(tree_, {5, kNan}, {7}) +
                                   CheckTree::reports("case a", "case b", "pass") + "status=1");
  }

  static std::string outputs(const CheckTree& tree, const std::vector<double>& one,
                             const std::vector<double>& two) {
    return tree.dumps("Alpha.One", one, {1, 2}) + tree.dumps("Alpha.Two", two, {1}) +
           tree.dumps("Alpha.Three", {1}, {1});
  }
  void mutant(const std::string& name, const std::string& says, const std::string& body) {
    tree_.write_patch(name, says);
    tree_.write_program("mutant." + name, body + CheckTree::reports("x", "x", "pass") + "status=1");
  }
  std::string likely(const CheckOptions& options = {}) {
    const Verdict verdict = tree_.check(options);
    EXPECT_EQ(verdict.state, State::kWrong);
    return likely_mistake(tree_.places(), tree_.exercise(), verdict, options);
  }

  CheckTree tree_;
};

TEST_F(CheckDiagnosis, NamesTheMutantWithTheSameOutputs) {
  mutant("same", "It is this.", outputs(tree_, {5, kNan}, {7}));
  mutant("other", "It is that.", outputs(tree_, {5, 6}, {7}));
  EXPECT_EQ(likely(), "It is this.");
  EXPECT_EQ(known_verdict(tree_.places(), tree_.exercise()).likely, "It is this.");
}

TEST_F(CheckDiagnosis, NamesNoneThatDiffersInOneTest) {
  mutant("first", "No.", outputs(tree_, {5, kNan}, {8}));
  mutant("second", "No.", outputs(tree_, {5, 2}, {7}));
  const CheckTree& tree = tree_;
  mutant("shape", "No.",
         tree.dumps("Alpha.One", {5, kNan}, {1, 2}) + tree.dumps("Alpha.Two", {7, 7}, {1, 1}));
  mutant("fewer", "No.", tree.dumps("Alpha.One", {5, kNan}, {1, 2}));
  mutant("silent", "No.", "");
  EXPECT_EQ(likely(), "");
}

TEST_F(CheckDiagnosis, NamesNoneThatIsRightItself) {
  const CheckTree& tree = tree_;
  tree_.write_program("lab", tree.dumps("Alpha.One", {1.5}, {1}, 0.4) +
                                 CheckTree::reports("case a", "pass", "pass") + "status=1");
  mutant("right", "No.", tree.dumps("Alpha.One", {1.2}, {1}, 0.4));
  EXPECT_EQ(likely(), "");
  mutant("wrong", "Yes.", tree.dumps("Alpha.One", {1.6}, {1}, 0.4));
  EXPECT_EQ(likely(), "Yes.");
}

TEST_F(CheckDiagnosis, NamesTwoOrThreeButNoMore) {
  const std::string same = outputs(tree_, {5, kNan}, {7});
  mutant("a", "A.", same);
  mutant("b", "B.", same);
  EXPECT_EQ(likely(), "one of: A.; B.");
  mutant("c", "C.", same);
  EXPECT_EQ(likely(), "one of: A.; B.; C.");
  mutant("d", "D.", same);
  EXPECT_EQ(likely(), "");
}

TEST_F(CheckDiagnosis, SaysWhenNothingWasWritten) {
  tree_.write_program(
      "empty", outputs(tree_, {5, kNan}, {7}) + CheckTree::reports("x", "x", "x") + "status=1");
  EXPECT_EQ(likely(), kEmptySays);
}

/// A NaN that came of reading past the end is no sign that nothing was written.
TEST_F(CheckDiagnosis, TellsAComputedNanFromUntouchedMemory) {
  tree_.write_program(
      "empty", outputs(tree_, {5, -kNan}, {7}) + CheckTree::reports("x", "x", "x") + "status=1");
  EXPECT_EQ(likely(), "");
  mutant("same", "Yes.", outputs(tree_, {5, -kNan}, {7}));
  EXPECT_EQ(likely(), "Yes.");
}

TEST_F(CheckDiagnosis, PassesOverMutantsThatCrashHangOrAreNotBuilt) {
  const std::string same = outputs(tree_, {5, kNan}, {7});
  mutant("crashes", "No.", same + "kill -SEGV $$\n");
  mutant("hangs", "No.", same + "while :; do :; done\n");
  tree_.write_patch("unbuilt", "No.");
  tree_.write_build("case $targets in mutants*) exit 1 ;; esac");
  mutant("same", "Yes.", same);
  EXPECT_EQ(likely(), "Yes.");
}

TEST_F(CheckDiagnosis, RunsOnlyTheTestsThatFailedWithTheSameSeed) {
  mutant("same", "Yes.",
         outputs(tree_, {5, kNan}, {7}) + "echo \"$filter $LAB_SEED\" >" +
             tree_.path("seen").string() + "\n");
  EXPECT_EQ(likely({.seed = 7}), "Yes.");
  EXPECT_EQ(tree_.read("seen"), "Alpha.One:Alpha.Two 7\n");
}

TEST_F(CheckDiagnosis, BuildsNothingWithoutOutputs) {
  tree_.write_program("lab", CheckTree::reports("case a", "case b", "pass") + "status=1");
  tree_.write_build("case $targets in mutants*) touch " + tree_.path("built").string() + ";; esac");
  EXPECT_EQ(likely(), "");
  EXPECT_FALSE(std::filesystem::exists(tree_.path("built")));
}

TEST_F(CheckDiagnosis, StopsWhenAsked) {
  mutant("hangs", "No.", "touch " + tree_.path("begun").string() + "\nsleep 100\n");
  EXPECT_THROW(likely({.stop = [&] { return std::filesystem::exists(tree_.path("begun")); }}),
               Interrupted);
}

}  // namespace
}  // namespace qlab::test
