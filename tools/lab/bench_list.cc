// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which ladders there are, and which of them a word means.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "lab/bench.h"
#include "lab/fuzzy.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

bool is_part(std::string_view typed, std::string_view name) {
  return !typed.empty() && name.find(typed) != std::string_view::npos;
}

/// Exact names come first, then parts: `w8a8` is one operation, whatever exercises are called.
std::vector<const BenchLadder*> ladders_for(const std::vector<Exercise>& all,
                                            std::string_view typed) {
  std::vector<const BenchLadder*> parts;
  for (const BenchLadder& ladder : bench_ladders()) {
    const Exercise* exercise = exercise_of(all, ladder);
    if (ladder.name == typed) return {&ladder};
    if (exercise != nullptr && (exercise->id == typed || exercise->number == typed)) {
      return {&ladder};
    }
    if (is_part(typed, ladder.name) || is_part(typed, ladder.exercise)) parts.push_back(&ladder);
  }
  return parts;
}

/// The exercises of that id or number, or those that it is a part of.
std::vector<const Exercise*> exercises_for(const std::vector<Exercise>& all,
                                           std::string_view typed) {
  std::vector<const Exercise*> parts;
  for (const Exercise& exercise : all) {
    if (exercise.id == typed || exercise.number == typed) return {&exercise};
    if (is_part(typed, exercise.id)) parts.push_back(&exercise);
  }
  return parts;
}

/// Why no ladder is meant: it is an exercise of another kind, or nothing at all.
[[noreturn]] void refuse(const std::vector<Exercise>& all, std::string_view typed) {
  const std::vector<const Exercise*> meant = exercises_for(all, typed);
  if (meant.size() == 1) {
    throw InputError(fmt::format("{} {}; what is timed: ./lab bench", meant[0]->id,
                                 meant[0]->is_cuda() ? "is a CUDA kernel, whose times need a GPU"
                                                     : "has no kernel whose time means something"));
  }
  std::vector<std::string> names;
  for (const BenchLadder& ladder : bench_ladders()) names.emplace_back(ladder.name);
  for (const Exercise& exercise : all) names.push_back(exercise.id);
  const std::string nearest = nearest_name(typed, names);
  throw InputError(
      fmt::format("{} is neither an operation nor an exercise{}; what is timed: ./lab bench",
                  printable(typed), nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

}  // namespace

const Exercise* exercise_of(const std::vector<Exercise>& all, const BenchLadder& ladder) {
  const auto found = std::ranges::find(all, ladder.exercise, &Exercise::id);
  return found == all.end() ? nullptr : &*found;
}

const BenchLadder& find_ladder(const std::vector<Exercise>& all, std::string_view typed) {
  const std::vector<const BenchLadder*> found = ladders_for(all, typed);
  if (found.size() == 1) return *found[0];
  if (found.empty()) refuse(all, typed);
  std::vector<std::string_view> names;
  for (const BenchLadder* ladder : found) names.push_back(ladder->name);
  throw InputError(fmt::format("{} is part of {}; type more of the one that you mean",
                               printable(typed), fmt::join(names, ", ")));
}

BenchShape shape_named(const std::string& text) {
  constexpr std::int64_t kMostWeights = std::int64_t{1} << 28;  // in FP32, a GiB
  BenchShape shape{};
  const char* const end = text.data() + text.size();
  const auto n = std::from_chars(text.data(), end, shape.N);
  const bool cross = n.ec == std::errc() && n.ptr != end && (*n.ptr == 'x' || *n.ptr == 'X');
  const auto k = std::from_chars(cross ? n.ptr + 1 : end, end, shape.K);
  if (!cross || k.ec != std::errc() || k.ptr != end || shape.N < 1 || shape.K < 1) {
    throw InputError(fmt::format("--shape {}: write N and K as in 4096x11008", printable(text)));
  }
  constexpr std::int64_t kMostSide = 131'071;  // K of w8a8_gemm
  if (shape.N > kMostSide || shape.K > kMostSide || shape.N * shape.K > kMostWeights) {
    throw InputError(fmt::format("--shape {}: a side may have {} and both together {} weights",
                                 text, kMostSide, kMostWeights));
  }
  return shape;
}

std::string bench_list(const Learner& learner) {
  std::string text = "./lab bench OP times every rung of an operation against the roofline.\n\n";
  for (const BenchLadder& ladder : bench_ladders()) {
    std::string line =
        fmt::format("  {:<17} {:<39} {} rungs", ladder.name, ladder.what, ladder.rungs.size());
    if (const Exercise* exercise = exercise_of(learner.all, ladder)) {
      line += ", yours: " + exercise->number;
    }
    text += line + "\n";
  }
  std::vector<std::string> yours;
  for (const BenchLadder& ladder : bench_ladders()) {
    if (const Exercise* exercise = exercise_of(learner.all, ladder)) {
      yours.push_back(exercise->number + " " + exercise->id);
    }
  }
  text += "\n" + wrapped(fmt::format("An exercise that is done stands beside the rungs: {}",
                                     fmt::join(yours, ", ")),
                         learner.text_width(), "");
  return text + "\nExample: ./lab bench w8a8_gemm --m 1,8,128     More: ./lab bench --help";
}

}  // namespace qlab
