// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times the problems and hands their times over.
#include "lab/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "lab/memory.h"
#include "lab/speed_rows.h"
#include "lab/timed_mine.h"
#include "lab/timed_problems.h"
#include "support/roofline.h"

namespace qlab {
namespace {

using test::flush_caches;
using test::fma_flops_per_second;
using test::read_bytes_per_second;

constexpr std::int64_t kColdUpTo = 16;
constexpr double kLongCall = 0.08;  // seconds; above it only a part of the columns is computed

/// Collects rows; knows the rates and the names.
class Collector {
 public:
  Collector(Speed& speed, std::uint64_t seed, ThreadPool& threads)
      : speed_(speed), seed_(seed), threads_(threads) {}

  /// Times ours, and beside them what is right and fast enough of the learner's.
  void time(const std::string& operation, std::vector<Candidate> candidates,
            const std::vector<Candidate>& mine, const Pace& pace) {
    for (const Candidate& candidate : mine) {
      if (admit_mine(candidate, operation, speed_.about)) candidates.push_back(candidate);
    }
    Times times = interleaved(candidates, pace, seed_, [this] { flush_caches(threads_); });
    drop_troubled(candidates, times, operation, speed_.about);
    add(operation, candidates, times);
  }

 private:
  void add(const std::string& operation, const std::vector<Candidate>& candidates,
           const Times& times) {
    std::vector<TimedCandidate> timed;
    for (std::size_t i = 0; i < candidates.size(); ++i) {  // ours come first
      const Candidate& c = candidates[i];
      timed.push_back({c.name, c.path, c.cost, times[i], c.yours()});
    }
    add_speed_rows(operation, timed, seed_, speed_.rows);
  }

  Speed& speed_;
  std::uint64_t seed_;
  ThreadPool& threads_;
};

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// All N columns, or as many as the slowest candidate computes in kLongCall: a slow path must not
/// take minutes. A call that long computes, and its time is proportional to the columns; at M = 1 it may
/// read, and needs all of them to be colder than the cache.
std::int64_t timed_columns(LinearProblem& problem, std::int64_t M, std::int64_t N,
                           const Machine& machine) {
  constexpr std::int64_t kProbe = 64;
  if (M == 1) return N;
  double slowest = 0;
  for (const Candidate& candidate : problem.candidates(M, kProbe, false, machine)) {
    slowest = std::max(slowest, seconds_of(candidate.run));
  }
  const auto columns = static_cast<std::int64_t>(kLongCall / slowest) * kProbe;
  return std::clamp(columns, 2 * kProbe, N);
}

/// Those of a family, with FP16; all without one. Names begin with the family's.
std::vector<Candidate> only(std::string_view family, std::vector<Candidate> candidates) {
  if (family.empty()) return candidates;
  std::erase_if(candidates, [&](const Candidate& c) {
    return !c.name.starts_with("fp16") && !c.name.starts_with(family);
  });
  return candidates;
}

void time_attention(const SpeedPlan& plan, std::uint64_t seed, const Machine& machine,
                    Collector& collector) {
  AttentionProblem attention(plan.n_heads, plan.n_kv_heads, plan.head_dim, plan.context, seed);
  collector.time(fmt::format("decode attention, {} heads, {} tokens", plan.n_heads, plan.context),
                 attention.candidates(1, plan.context, /*fallback=*/true, machine),
                 attention.candidates_of(plan.mine, plan.context), plan.pace);
}

void time_batches(const SpeedPlan& plan, std::uint64_t seed, const Machine& machine,
                  Progress& progress, double done, double share, Collector& collector) {
  std::int64_t tokens = 0;
  for (const auto& [sequences, context] : plan.batches) {
    tokens = std::max(tokens, sequences * context);
  }
  progress.show(done, fmt::format("speed: filling caches of {} tokens", tokens));
  AttentionProblem attention(plan.n_heads, plan.batch_kv_heads, plan.head_dim, tokens, seed);
  for (const auto& [sequences, context] : plan.batches) {
    progress.show(done, fmt::format("speed of attention, batch {}, {} tokens", sequences, context));
    collector.time(fmt::format("batched attention, {} on {} heads, {} tokens, batch {}",
                               plan.n_heads, plan.batch_kv_heads, context, sequences),
                   attention.candidates(sequences, context, /*fallback=*/false, machine), {},
                   plan.pace);
    done += share;
  }
}

/// The smallest M of the layer at which `ratio` of a row of that name is no gain.
template <class Ratio>
double first_without_gain(const Speed& speed, const SpeedPlan::Layer& layer,
                          const std::string& name, Ratio ratio) {
  for (const std::int64_t M : layer.tokens) {
    const std::string end = fmt::format(", M = {}", M);
    for (const SpeedRow& row : speed.rows) {
      const bool here = row.operation.starts_with(layer.name) && row.operation.ends_with(end);
      if (here && row.name == name && ratio(row) >= 1 - kGain) return static_cast<double>(M);
    }
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace

std::vector<Crossover> crossovers(const Speed& speed, const SpeedPlan::Layer& layer) {
  std::vector<Crossover> all;
  for (const SpeedRow& row : speed.rows) {
    const bool first = row.operation.starts_with(layer.name) &&
                       row.operation.ends_with(fmt::format(", M = {}", layer.tokens[0]));
    const bool format =
        row.name != "fp16" && !row.name.ends_with("scalar") && !row.yours && !row.peer;
    if (!first || !format) continue;
    const auto with = [&](auto ratio) { return first_without_gain(speed, layer, row.name, ratio); };
    all.push_back({row.name,
                   {with([](const SpeedRow& r) { return r.to_fp16.value; }),
                    with([](const SpeedRow& r) { return r.to_fp16.high * (1 + r.noise); }),
                    with([](const SpeedRow& r) { return r.to_fp16.low * (1 - r.noise); })}});
  }
  return all;
}

SpeedPlan speed_plan(bool quick, std::string_view only) {
  const LlamaConfig big = llama2_7b();
  SpeedPlan plan{.layers = {{"attention projection", big.hidden_size, big.hidden_size, {}}},
                 .n_heads = big.n_heads,
                 .n_kv_heads = big.n_kv_heads,
                 .head_dim = big.head_dim,
                 .context = 4096,
                 .batches = {},
                 .only = std::string(only),
                 .pace = {.min_rounds = 7, .max_rounds = 21, .seconds = 1, .cold = true},
                 .seconds = 8};
  plan.layers[0].tokens = {1, 4, 16, 256};
  // Where a format stops paying needs more points, and only in the run that asks for it.
  if (!quick || only == "int4") plan.layers[0].tokens = {1, 2, 4, 8, 16, 64, 256};
  if (!quick) {
    plan.layers.push_back({"MLP projection", big.intermediate_size, big.hidden_size, {1, 16, 256}});
    plan.pace = {.min_rounds = 21, .max_rounds = 63, .seconds = 2, .cold = true};
    plan.seconds = 40;
  }
  if (only == "kv") {
    plan.layers.clear();
    plan.batches = {{1, 8192}, {8, 1024}};
    plan.pace.seconds = 0.6;
    plan.seconds = 5;
    if (!quick) {
      plan.batches = {{1, 1024}, {1, 8192}, {1, 32768}, {8, 1024}, {8, 8192}, {64, 1024}};
      plan.pace.seconds = 2.4;
      plan.seconds = 30;
    }
  }
  return plan;
}

Speed measure_speed(const SpeedPlan& plan, std::uint64_t seed, const Machine& machine,
                    Progress& progress, double done, double unit, Measurements& measurements) {
  Speed speed{.read_bytes_per_second = read_bytes_per_second(machine.threads),
              .fma_flops_per_second = fma_flops_per_second(machine.threads),
              .rows = {},
              .crossovers = {}};
  Collector collector(speed, seed, machine.threads);
  std::size_t operations = 1;
  for (const SpeedPlan::Layer& layer : plan.layers) operations += layer.tokens.size();
  operations += plan.batches.size();
  const double share = plan.seconds * unit / static_cast<double>(operations);
  for (const auto& [name, N, K, tokens] : plan.layers) {
    progress.show(done, fmt::format("speed: making the {} of a 7B model", name));
    LinearProblem problem(N, K, seed, machine);
    for (const std::int64_t M : tokens) {
      progress.show(done, fmt::format("speed of the {}, M = {}", name, M));
      const std::int64_t columns = timed_columns(problem, M, N, machine);
      Pace pace = plan.pace;
      pace.cold = pace.cold && M <= kColdUpTo;
      const std::string part = columns < N ? fmt::format("{} of ", columns) : "";
      collector.time(fmt::format("{} {}{}×{}, M = {}", name, part, N, K, M),
                     only(plan.only, problem.candidates(M, columns, /*fallback=*/M == 1, machine)),
                     only(plan.only, problem.candidates_of(plan.mine, M, columns, machine)), pace);
      done += share;
    }
  }
  if (plan.only.empty() || plan.only == "kv") {
    progress.show(done, "speed of decode attention");
    time_attention(plan, seed, machine, collector);
    done += share;
  }
  if (!plan.batches.empty()) {
    time_batches(plan, seed, machine, progress, done, share, collector);
  }

  // The machine may have been slower when it was asked first: the better reading is the ceiling.
  speed.read_bytes_per_second =
      std::max(speed.read_bytes_per_second, read_bytes_per_second(machine.threads));
  speed.fma_flops_per_second =
      std::max(speed.fma_flops_per_second, fma_flops_per_second(machine.threads));
  finish_speed_rows(speed);
  if (!plan.layers.empty()) speed.crossovers = crossovers(speed, plan.layers[0]);
  add_speed_measurements(speed, plan.layers.empty() ? "none" : plan.layers[0].name, measurements);
  return speed;
}

}  // namespace qlab
