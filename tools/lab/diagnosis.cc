// SPDX-License-Identifier: Apache-2.0
/// \file
/// likely_mistake: puts the known mistakes beside a learner's outputs.
#include "lab/diagnosis.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "lab/build_run.h"
#include "lab/check.h"
#include "lab/mutants.h"
#include "lab/variant_run.h"
#include "lab/verdict_cache.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kTests = 3;     // looked at
constexpr std::size_t kNamed = 3;     // mutants at most; more would be no help
constexpr std::size_t kParallel = 2;  // programs at a time
constexpr auto kLimit = std::chrono::seconds(2);

bool any_wrong(const std::vector<Dump>& dumps) {
  return std::ranges::any_of(dumps, &Dump::is_wrong);
}

}  // namespace

std::vector<Evidence> evidence_of(const fs::path& dumps, const std::vector<std::string>& failed) {
  std::vector<Evidence> evidence;
  for (const std::string& test : failed) {
    Evidence one{.test = test, .dumps = dumps_of_test(dumps, test)};
    if (any_wrong(one.dumps)) evidence.push_back(std::move(one));
    if (evidence.size() == kTests) break;
  }
  return evidence;
}

std::vector<Suspect> suspects_of(const Places& places, const Exercise& exercise) {
  std::vector<Suspect> suspects = {
      {.variant = std::string(kEmptyVariant),
       .says = "nothing was written: the output is as it was before the call"}};
  for (const Mutant& mutant : read_mutants(places, exercise)) {
    suspects.push_back({.variant = mutant.variant(), .says = mutant.says});
  }
  return suspects;
}

bool same_mistake(const Suspect& suspect, const std::vector<Evidence>& evidence,
                  const fs::path& dumps) {
  // "As it was before" is only true of the very bytes.
  const auto same = suspect.variant == kEmptyVariant ? same_bits : same_output;
  return std::ranges::all_of(evidence, [&](const Evidence& learners) {
    const std::vector<Dump> theirs = dumps_of_test(dumps, learners.test);
    return any_wrong(theirs) && std::ranges::equal(learners.dumps, theirs, same);
  });
}

namespace {

/// Runs suspects until none is left; several threads share one line-up.
class LineUp {
 public:
  LineUp(const Places& places, const Exercise& exercise, const std::vector<Evidence>& evidence,
         const Verdict& verdict, const CheckOptions& options)
      : places_(places), exercise_(exercise), evidence_(evidence), stop_(options.stop) {
    run_.limit = kLimit;
    if (verdict.seed != 0) run_.seed = verdict.seed;
    for (const Evidence& one : evidence) run_.tests.push_back(one.test);
    run_.stop = [this] { return stopped(); };
  }

  void compare(std::vector<Suspect>& suspects) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kParallel; ++i) {
      threads.emplace_back([&] {
        for (std::size_t next; (next = next_++) < suspects.size();) try_one(suspects[next]);
      });
    }
    threads.clear();  // waits for them
    if (stopped_) throw Interrupted{};
  }

 private:
  /// The caller's question is asked by one thread at a time.
  bool stopped() {
    const std::lock_guard lock(asking_);
    stopped_ = stopped_ || (stop_ && stop_());
    return stopped_;
  }

  /// A suspect that cannot be run is none; nothing may leave the thread.
  void try_one(Suspect& suspect) {
    try {
      compare_one(suspect);
    } catch (const std::exception&) {
      suspect.matches = false;
    }
  }

  void compare_one(Suspect& suspect) {
    const fs::path program = exercise_.program(places_, suspect.variant);
    if (stopped_ || suspect.says.empty() || !fs::exists(program)) return;
    VariantOptions options = run_;
    options.dumps = exercise_.program(places_, "dump." + suspect.variant);
    const VariantRun run = run_variant(program, options);
    suspect.matches = !run.ended_early && same_mistake(suspect, evidence_, options.dumps);
    std::error_code ignored;
    fs::remove_all(options.dumps, ignored);
  }

  const Places& places_;
  const Exercise& exercise_;
  const std::vector<Evidence>& evidence_;
  const std::function<bool()>& stop_;
  VariantOptions run_;
  std::mutex asking_;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::size_t> next_ = 0;
};

}  // namespace

std::string sentence_of(const std::vector<Suspect>& suspects) {
  std::vector<std::string> said;
  for (const Suspect& suspect : suspects) {
    if (suspect.matches && std::ranges::count(said, suspect.says) == 0) {
      said.push_back(suspect.says);
    }
  }
  if (said.empty() || said.size() > kNamed) return "";
  return said.size() == 1 ? said[0] : fmt::format("one of: {}", fmt::join(said, "; "));
}

std::string likely_mistake(const Places& places, const Exercise& exercise, const Verdict& verdict,
                           const CheckOptions& options) {
  const std::string key = verdict_key(places, exercise);
  const std::vector<Evidence> evidence =
      evidence_of(exercise.program(places, "dump." + std::string(kLabVariant)), verdict.failed);
  if (evidence.empty()) return "";
  if (options.doing) options.doing("comparing with known mistakes");
  {
    // One that does not build is missing from the line-up; that is for the gate to tell, not here.
    const BuildLock lock(places, options);
    build_targets(places, {exercise.target("mutants")}, exercise.id + ".mutants", options, true);
  }
  std::vector<Suspect> suspects = suspects_of(places, exercise);
  LineUp(places, exercise, evidence, verdict, options).compare(suspects);
  const std::string likely = sentence_of(suspects);
  // Only with the verdict it belongs to: the file may have been saved again since.
  auto known = remembered(places, exercise);
  if (known && known->failed == verdict.failed) {
    known->likely = likely;
    remember(places, exercise, key, *known);
  }
  return likely;
}

}  // namespace qlab
