// SPDX-License-Identifier: Apache-2.0
/// \file
/// Judges an exercise by how its programs ran; see gate.h.
#include "lab/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lab/diagnosis.h"
#include "lab/stub.h"
#include "lab/text.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kNotWritten = "is not written yet";
constexpr std::size_t kLeastMutants = 3;

class Judge {
 public:
  explicit Judge(const GateEvidence& evidence) : evidence_(evidence) {
    result_.tests = static_cast<int>(evidence.tests.size());
    result_.mutants = static_cast<int>(evidence.mutants.size());
  }

  GateResult judge() {
    if (evidence_.tests.empty()) complain("there is no test");
    judge_stub();
    judge_solution();
    for (const MutantRun& mutant : evidence_.mutants) judge_mutant(mutant);
    judge_tests();
    return std::move(result_);
  }

 private:
  template <class... Parts>
  void complain(fmt::format_string<Parts...> text, Parts&&... parts) {
    result_.complaints.push_back(fmt::format(text, std::forward<Parts>(parts)...));
  }

  /// Whether the program came to its end and ran every test; a program that did not proves nothing.
  bool ran_whole(const std::string& name, const VariantRun& run) {
    if (run.child.end == ChildResult::End::kNotStarted) {
      complain("{} is not there: it was not built", name);
    } else if (run.child.end == ChildResult::End::kTimedOut) {
      complain("{} did not end", name);
    } else if (run.child.end == ChildResult::End::kCrashed) {
      complain("{} crashed", name);
    } else if (!run.report || run.ended_early) {
      complain("{} ended before its tests did", name);
    } else {
      int ran = 0;
      for (const std::string& test : evidence_.tests) {
        const ReportedTest* const found = run.report->find(test);
        if (found != nullptr && found->ran) {
          ++ran;
        } else {
          complain("{}: {} {}", name, test,
                   found != nullptr && found->skipped ? "was skipped" : "did not run");
        }
      }
      result_.pairs += ran;
      if (run.report->tests.size() != evidence_.tests.size()) {
        complain("{} reports {} tests, there are {}", name, run.report->tests.size(),
                 evidence_.tests.size());
      }
      return ran == result_.tests;
    }
    return false;
  }

  void judge_stub() {
    if (!ran_whole("the stub", evidence_.stub)) return;
    for (const ReportedTest& test : evidence_.stub.report->tests) {
      const bool unwritten = std::ranges::any_of(test.failures, [](const std::string& text) {
        return text.find(kNotWritten) != std::string::npos;
      });
      if (test.failures.empty()) {
        complain("{} passes on the stub: it tests nothing", test.name);
      } else if (!unwritten) {
        complain("{} fails on the stub without saying that it is not written yet", test.name);
      } else {
        ++result_.stub_failed;
      }
    }
  }

  void judge_solution() {
    if (!ran_whole("the solution", evidence_.solution)) return;
    for (const ReportedTest& test : evidence_.solution.report->tests) {
      if (test.failures.empty()) {
        ++result_.solution_passed;
      } else {
        complain("the solution fails {}", test.name);
      }
    }
  }

  void judge_mutant(const MutantRun& tried) {
    const std::string name = "mutant " + tried.mutant.name;
    if (tried.mutant.says.empty()) complain("{} has no line 'Says: …'", name);
    if (tried.mutant.caught_by.empty()) complain("{} has no line 'Caught by: …'", name);
    if (!ran_whole(name, tried.run)) return;
    bool caught = !tried.mutant.caught_by.empty();
    for (const std::string& test : tried.mutant.caught_by) {
      const ReportedTest* const found = tried.run.report->find(test);
      if (found == nullptr) {
        complain("{}: there is no test {}", name, test);
        caught = false;
      } else if (found->failures.empty()) {
        complain("{} survives {}", name, test);
        caught = false;
      }
    }
    if (caught && tried.told.find(tried.mutant.says) == std::string::npos) {
      complain("{} is not recognised by its outputs: the learner reads {}", name,
               tried.told.empty() ? "nothing" : "'" + tried.told + "'");
    }
    result_.mutants_caught += caught ? 1 : 0;
  }

  /// A test that no mistake fails may be one that cannot fail.
  void judge_tests() {
    for (const std::string& name : evidence_.tests) {
      const auto fails = [&](const MutantRun& tried) {
        const ReportedTest* const test = tried.run.report ? tried.run.report->find(name) : nullptr;
        return test != nullptr && !test->failures.empty();
      };
      if (std::ranges::any_of(evidence_.mutants, fails)) continue;
      const auto& report = evidence_.solution.report;
      const ReportedTest* const test = report ? report->find(name) : nullptr;
      if (test != nullptr && !test->guards.empty()) continue;
      complain("{} catches no mutant, and does not say what it guards", name);
    }
  }

  const GateEvidence& evidence_;
  GateResult result_;
};

/// What is wrong with the files that no program shows.
std::vector<std::string> complaints_of_files(const Places& places, const Exercise& exercise,
                                             bool drift) {
  std::vector<std::string> complaints;
  const auto complain = [&](const auto& ask) {
    try {
      ask();
    } catch (const std::exception& error) {
      complaints.emplace_back(error.what());
    }
  };
  complain([&] { read_sheet(places, exercise); });
  complain([&] { read_hints(places, exercise); });
  complain([&] {
    const std::string solution = read_text(places.root / exercise.solution_file()).value_or("");
    const std::string stub = make_stub(solution, exercise.id);
    if (drift && read_text(places.root / exercise.lab_file()) != stub) {
      throw std::runtime_error(
          fmt::format("{} is not the stub of {}; write it again: cmake --build build/default "
                      "--target write_stub.{}",
                      exercise.lab_file(), exercise.solution_file(), exercise.id));
    }
  });
  return complaints;
}

struct RemovedAtEnd {
  fs::path folder;
  ~RemovedAtEnd() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
};

/// What `./lab check` would say of a learner's file that computes what this mutant did. Every variant
/// left the outputs of all its tests below `dumps`.
std::string told(std::vector<Suspect> suspects, const MutantRun& tried, const fs::path& dumps) {
  std::vector<std::string> failed;
  if (tried.run.report) {
    for (const ReportedTest& test : tried.run.report->tests) {
      if (!test.failures.empty()) failed.push_back(test.name);
    }
  }
  const std::vector<Evidence> evidence = evidence_of(dumps / tried.mutant.variant(), failed);
  if (evidence.empty()) return "";
  for (Suspect& suspect : suspects) {
    suspect.matches = same_mistake(suspect, evidence, dumps / suspect.variant);
  }
  return sentence_of(suspects);
}

}  // namespace

GateResult judge_evidence(const GateEvidence& evidence) { return Judge(evidence).judge(); }

GateResult gate_exercise(const Places& places, const Exercise& exercise, bool drift) {
  const RemovedAtEnd dumps{exercise.program(places, "dump.gate")};
  fs::create_directories(dumps.folder);
  const auto run = [&](std::string_view variant) {
    return run_variant(exercise.program(places, variant),
                       {.limit = std::chrono::minutes(2), .dumps = dumps.folder / variant});
  };
  GateEvidence evidence{.tests = list_tests(exercise.program(places, kSolutionVariant), {}),
                        .stub = run(kStubVariant),
                        .solution = run(kSolutionVariant),
                        .mutants = {}};
  run(kEmptyVariant);  // a suspect like the mutants
  for (const Mutant& mutant : read_mutants(places, exercise)) {
    evidence.mutants.push_back({.mutant = mutant, .run = run(mutant.variant()), .told = {}});
  }
  for (MutantRun& tried : evidence.mutants) {
    tried.told = told(suspects_of(places, exercise), tried, dumps.folder);
  }
  GateResult result = judge_evidence(evidence);
  if (evidence.mutants.size() < kLeastMutants) {
    result.complaints.push_back(fmt::format("{} mutants; an exercise has at least {}",
                                            evidence.mutants.size(), kLeastMutants));
  }
  std::ranges::move(complaints_of_files(places, exercise, drift),
                    std::back_inserter(result.complaints));
  return result;
}

int run_gate(const Places& places, const GateOptions& options, const Terminal& terminal) {
  const std::vector<Exercise> all = read_exercises(places);
  std::vector<const Exercise*> chosen;
  for (const std::string& id : options.ids) chosen.push_back(&find_exercise(all, id));
  if (chosen.empty()) {
    for (const Exercise& exercise : all) chosen.push_back(&exercise);
  }
  fmt::print("{}\n",
             terminal.styled(Style::kBold,
                             fmt::format("{:<26}{:>12}{:>17}{:>16}", "exercise", "stub fails",
                                         "solution passes", "mutants caught")));
  int pairs = 0;
  bool fine = true;
  for (const Exercise* exercise : chosen) {
    const GateResult result = gate_exercise(places, *exercise, options.drift);
    const auto of = [](int part, int whole) { return fmt::format("{}/{}", part, whole); };
    fmt::print("{:<26}{:>12}{:>17}{:>16}\n", exercise->number + " " + exercise->id,
               of(result.stub_failed, result.tests), of(result.solution_passed, result.tests),
               of(result.mutants_caught, result.mutants));
    for (const std::string& complaint : result.complaints) {
      fmt::print("  {} {}\n", terminal.styled(Style::kRed, "WRONG"), complaint);
    }
    std::fflush(stdout);
    pairs += result.pairs;
    fine = fine && result.complaints.empty();
  }
  fmt::print("{} exercises, {} pairs of a test and a program{}\n", chosen.size(), pairs,
             fine ? "" : "; the gate is closed");
  return fine ? 0 : 3;
}

}  // namespace qlab
