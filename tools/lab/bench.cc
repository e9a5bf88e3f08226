// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab bench`: finds the ladder, measures ceilings and rungs, prints.
#include "lab/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "lab/bench_measure.h"
#include "lab/bench_results.h"
#include "lab/interrupt.h"
#include "lab/mine_run.h"
#include "lab/output_file.h"
#include "lab/predictions.h"
#include "model/input_error.h"

namespace qlab {
namespace {

constexpr Pace kPace{.min_rounds = 7, .max_rounds = 41, .seconds = 1.5, .cold = true};
constexpr Pace kQuickPace{.min_rounds = 5, .max_rounds = 15, .seconds = 0.4, .cold = true};

int list(const Learner& learner) {
  learner.say(bench_list(learner));
  if (!learner.json) return kDone;
  nlohmann::json operations = nlohmann::json::array();
  for (const BenchLadder& ladder : bench_ladders()) {
    operations.push_back({{"operation", ladder.name},
                          {"rungs", ladder.rungs},
                          {"exercise", ladder.exercise.empty() ? nlohmann::json(nullptr)
                                                               : nlohmann::json(ladder.exercise)}});
  }
  const nlohmann::json object = {
      {"schema", "qlab.bench_list"}, {"version", 1}, {"operations", operations}};
  fmt::print("{}\n", object.dump(2));
  return kDone;
}

std::vector<std::int64_t> sizes(const BenchLadder& ladder, const BenchOptions& options) {
  // A cache of 32 heads in FP32 takes 32 KiB a token, so a GiB at most.
  const std::int64_t most = ladder.of_context ? 32'768 : 4096;
  for (const std::int64_t m : options.m) {
    if (m < 1 || m > most) {
      throw InputError(fmt::format("--m {}: {} takes {} of 1 to {}", m, ladder.name,
                                   ladder.of_context ? "contexts" : "rows", most));
    }
  }
  if (!options.m.empty()) return options.m;
  return ladder.of_context ? std::vector<std::int64_t>{4096} : std::vector<std::int64_t>{1, 128};
}

/// Whether the file has been worked on: only then building lab_mine can yield anything.
bool begun(const Learner& learner, const Exercise& exercise) {
  const State state = known_verdict(learner.places, exercise).state;
  return state == State::kDone || state == State::kInProgress;
}

/// What the learner is told of the exercise: its prediction, or how its kernel gets here.
void remark_on_exercise(const Exercise& exercise, const Learner& learner, BenchResults& results) {
  const Verdict verdict = known_verdict(learner.places, exercise);
  if (verdict.state != State::kDone) {
    results.remarks.push_back(
        fmt::format("Yours: {} {} stands here once it is done.", exercise.number, exercise.id));
  } else if (!prediction(learner, exercise).empty()) {
    results.remarks.push_back(prediction_beside_fact(learner, exercise, verdict));
  }
}

}  // namespace

int run_bench(const BenchOptions& options, const Learner& learner, const std::string& program,
              const std::vector<std::string>& words) {
  if (options.id.empty()) return list(learner);
  const BenchLadder& ladder = find_ladder(learner.all, options.id);
  const BenchShape shape = shape_named(options.shape);
  const std::vector<std::int64_t> sizes_of_m = sizes(ladder, options);
  const Exercise* exercise = exercise_of(learner.all, ladder);
  if (exercise != nullptr && !options.ours && !linked_mine().any() && begun(learner, *exercise)) {
    if (program == kLabMine) throw std::logic_error("lab_mine has no learner's code in it");
    catch_interrupts();
    if (const auto code = run_with_mine(learner, words)) return *code;
    leave_interrupts();
  }
  std::optional<OutputFile> html;
  if (options.html) html.emplace(*options.html);  // refused before anything is measured
  BenchResults results = measure_bench(ladder,
                                       {.shape = shape,
                                        .sizes = sizes_of_m,
                                        .isa = options.isa,
                                        .threads = options.threads,
                                        .pace = options.quick ? kQuickPace : kPace,
                                        .mine = options.ours ? Mine{} : linked_mine(),
                                        .seed = options.seed},
                                       learner.terminal);
  if (exercise != nullptr && !options.ours) remark_on_exercise(*exercise, learner, results);
  learner.write(bench_text(results, learner.terminal));
  if (html) html->commit(bench_html(results));
  if (learner.json) fmt::print("{}", bench_json(results));
  return kDone;
}

}  // namespace qlab
