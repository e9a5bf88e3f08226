// SPDX-License-Identifier: Apache-2.0
/// \file
/// The gate's own test: exercises planted with one fault each, built as real ones are, and runs that
/// no honest program gives. Each must close the gate with its own sentence.
#include "lab/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qlab {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

GateResult gate_of_toy(const std::string& id, bool drift = true) {
  const Places places{.root = QLAB_SOURCE_DIR "/tests/tools/gate_toy",
                      .build = QLAB_BUILD_DIR "/gate_toy"};
  const std::vector<Exercise> all = read_exercises(places);
  return gate_exercise(places, find_exercise(all, id), drift);
}

TEST(Gate, OpensForASoundExercise) {
  const GateResult result = gate_of_toy("toy_sound");
  EXPECT_THAT(result.complaints, IsEmpty());
  EXPECT_EQ(result.stub_failed, 1);
  EXPECT_EQ(result.solution_passed, 1);
  EXPECT_EQ(result.mutants_caught, 3);
  EXPECT_EQ(result.pairs, 1 + 1 + 3);
}

TEST(Gate, ReportsAnExerciseThatIsAlwaysGreen) {
  EXPECT_THAT(gate_of_toy("toy_always_green").complaints,
              ElementsAre("Toy.LooksAway passes on the stub: it tests nothing",
                          "Toy.LooksAway catches no mutant, and does not say what it guards"));
}

TEST(Gate, ReportsAMutantThatSurvives) {
  const GateResult result = gate_of_toy("toy_survivor");
  EXPECT_THAT(result.complaints, ElementsAre("mutant minus survives Toy.DoublesThree"));
  EXPECT_EQ(result.mutants_caught, 2);
}

TEST(Gate, ReportsAStubThatDrifted) {
  EXPECT_THAT(gate_of_toy("toy_drifted").complaints,
              ElementsAre(HasSubstr("labs/99_toy/toy_drifted.cc is not the stub of")));
  EXPECT_THAT(gate_of_toy("toy_drifted", /*drift=*/false).complaints, IsEmpty());
}

/// A run in which each test ended as it says: "" passed, "skip" was skipped, else failed with it.
VariantRun run_of(const std::vector<std::pair<std::string, std::string>>& tests) {
  GtestReport report;
  for (const auto& [name, end] : tests) {
    ReportedTest test{
        .name = name, .ran = end != "skip", .skipped = end == "skip", .failures = {}, .guards = {}};
    if (!end.empty() && end != "skip") test.failures = {end};
    report.tests.push_back(test);
  }
  return {.child = {.end = ChildResult::End::kExited, .code = 0, .output = "", .seconds = 0},
          .report = report};
}

const std::string kUnwritten = "labs/x.cc:1: x is not written yet";

/// One test, a stub that fails, a solution that passes, a mutant that is caught.
GateEvidence sound() {
  return {
      .tests = {"A.One"},
      .stub = run_of({{"A.One", kUnwritten}}),
      .solution = run_of({{"A.One", ""}}),
      .mutants = {
          {.mutant = {.name = "m", .says = "Wrong.", .why = "People do.", .caught_by = {"A.One"}},
           .run = run_of({{"A.One", "1 is not 2"}}),
           .told = "Wrong."}}};
}

TEST(Gate, OpensForSoundEvidence) { EXPECT_THAT(judge_evidence(sound()).complaints, IsEmpty()); }

TEST(Gate, ReportsAStubThatIsAlreadySolved) {
  GateEvidence evidence = sound();
  evidence.stub = run_of({{"A.One", ""}});
  EXPECT_THAT(judge_evidence(evidence).complaints,
              ElementsAre("A.One passes on the stub: it tests nothing"));
}

TEST(Gate, ReportsAStubThatFailsForAnotherReason) {
  GateEvidence evidence = sound();
  evidence.stub = run_of({{"A.One", "1 is not 2"}});
  EXPECT_THAT(judge_evidence(evidence).complaints, ElementsAre(HasSubstr("without saying")));
}

TEST(Gate, ReportsAWrongSolution) {
  GateEvidence evidence = sound();
  evidence.solution = run_of({{"A.One", "1 is not 2"}});
  EXPECT_THAT(judge_evidence(evidence).complaints, ElementsAre("the solution fails A.One"));
}

TEST(Gate, ReportsATestThatSkips) {
  GateEvidence evidence = sound();
  evidence.solution = run_of({{"A.One", "skip"}});
  EXPECT_THAT(judge_evidence(evidence).complaints, ElementsAre("the solution: A.One was skipped"));
}

TEST(Gate, ReportsATestThatNeverRan) {
  GateEvidence evidence = sound();
  evidence.tests.push_back("A.Two");
  EXPECT_THAT(judge_evidence(evidence).complaints, Contains("the solution: A.Two did not run"));
}

TEST(Gate, ReportsTestsOfAnotherProgram) {
  GateEvidence evidence = sound();
  evidence.solution = run_of({{"B.One", ""}});
  EXPECT_THAT(judge_evidence(evidence).complaints, Contains("the solution: A.One did not run"));
}

TEST(Gate, ReportsAnEmptySuite) {
  EXPECT_THAT(
      judge_evidence({.tests = {}, .stub = run_of({}), .solution = run_of({}), .mutants = {}})
          .complaints,
      Contains("there is no test"));
}

TEST(Gate, ReportsAProgramThatExitsWithZeroBeforeItsTests) {
  GateEvidence evidence = sound();
  evidence.mutants[0].run.ended_early = true;
  EXPECT_THAT(judge_evidence(evidence).complaints, Contains("mutant m ended before its tests did"));
}

TEST(Gate, ReportsAMutantThatCrashesOrHangsOrIsNotThere) {
  using End = ChildResult::End;
  for (const auto& [end, says] : {std::pair{End::kCrashed, "mutant m crashed"},
                                  std::pair{End::kTimedOut, "mutant m did not end"},
                                  std::pair{End::kNotStarted, "mutant m is not there"}}) {
    GateEvidence evidence = sound();
    evidence.mutants[0].run.child.end = end;
    evidence.mutants[0].run.report.reset();
    const GateResult result = judge_evidence(evidence);
    EXPECT_THAT(result.complaints, Contains(HasSubstr(says)));
    EXPECT_EQ(result.mutants_caught, 0);
  }
}

TEST(Gate, ReportsAMutantThatNamesNoTestOrOneThatIsNotThere) {
  GateEvidence evidence = sound();
  evidence.mutants[0].mutant.caught_by = {};
  EXPECT_THAT(judge_evidence(evidence).complaints,
              ElementsAre("mutant m has no line 'Caught by: …'"));
  evidence.mutants[0].mutant.caught_by = {"A.Gone"};
  EXPECT_THAT(judge_evidence(evidence).complaints,
              ElementsAre("mutant m: there is no test A.Gone"));
}

TEST(Gate, ReportsAMutantThatIsNotRecognised) {
  GateEvidence evidence = sound();
  evidence.mutants[0].told = "Another mistake.";
  EXPECT_THAT(judge_evidence(evidence).complaints,
              ElementsAre("mutant m is not recognised by its outputs: the learner reads 'Another "
                          "mistake.'"));
  evidence.mutants[0].told = "one of: Another mistake.; Wrong.";
  EXPECT_THAT(judge_evidence(evidence).complaints, IsEmpty());
}

TEST(Gate, TakesATestThatSaysWhatItGuards) {
  GateEvidence evidence = sound();
  evidence.mutants.clear();
  EXPECT_THAT(judge_evidence(evidence).complaints, ElementsAre(HasSubstr("catches no mutant")));
  evidence.solution.report->tests[0].guards = "a limit of the machine";
  EXPECT_THAT(judge_evidence(evidence).complaints, IsEmpty());
}

}  // namespace
}  // namespace qlab
