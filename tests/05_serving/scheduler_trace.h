// SPDX-License-Identifier: Apache-2.0
/// \file
/// Traces of a scheduler: a workload, the steps that it takes, one trace judged by another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "05_serving/scheduler.h"
#include "common/matrix.h"
#include "support/exercise.h"

namespace qlab::test {

using Ids = std::vector<std::int64_t>;

/// The given scheduler, or a learner's.
struct SchedulerCalls {
  StepPlan (*schedule)(Scheduler& state);
  StepResult (*complete)(Scheduler& state, const StepPlan& plan);
};

/// Requests in the order of their arrival. A step takes one unit of time.
struct Workload {
  std::string name;
  SchedulerConfig config;
  std::vector<ServeRequest> requests;
};

/// What is seen of a step from outside.
struct TraceStep {
  std::vector<std::pair<std::int64_t, std::int64_t>> decode, prefill;  // id, tokens
  Ids preempted, finished, running, waiting;
  std::int64_t free_blocks = 0;
};

struct Trace {
  std::vector<TraceStep> steps;
  std::string refusal;  // what ended it early, else ""
};

inline Ids ids_of(const auto& sequences) {
  Ids ids;
  for (const ServeSequence& s : sequences) ids.push_back(s.request.id);
  return ids;
}

inline TraceStep seen_of(const Scheduler& state, const StepPlan& plan, const StepResult& result) {
  TraceStep seen{.decode = {},
                 .prefill = {},
                 .preempted = plan.preempted,
                 .finished = result.finished,
                 .running = ids_of(state.running),
                 .waiting = ids_of(state.waiting),
                 .free_blocks = state.free_blocks};
  for (const StepWork& work : plan.decode) seen.decode.emplace_back(work.id, work.tokens);
  for (const StepWork& work : plan.prefill) seen.prefill.emplace_back(work.id, work.tokens);
  return seen;
}

/// The oldest computes at least one token a step, so that this many always suffice.
inline std::int64_t most_steps(const Workload& workload) {
  std::int64_t steps = 1;
  for (const ServeRequest& r : workload.requests) steps += r.prompt_tokens + r.output_tokens - 1;
  return steps + static_cast<std::int64_t>(workload.requests.back().arrival);
}

/// Runs a workload to its end. `watch` sees each step: the state before, the plan, the state in
/// between, the result, the state after.
template <class Watch>
Trace run_trace(const SchedulerCalls& calls, const Workload& workload, const Watch& watch) {
  Scheduler state(workload.config);
  Trace trace;
  std::size_t next = 0;
  const std::int64_t most = most_steps(workload);
  try {
    for (std::int64_t step = 0; step < most; ++step) {
      for (; next < workload.requests.size(); ++next) {
        if (workload.requests[next].arrival > static_cast<double>(step)) break;
        state.submit(workload.requests[next]);
      }
      if (state.idle() && next == workload.requests.size()) break;
      const Scheduler before = state;
      const StepPlan plan = calls.schedule(state);
      const Scheduler between = state;
      trace.steps.push_back(seen_of(state, plan, {}));  // a plan is seen even if it is refused
      const StepResult result = calls.complete(state, plan);
      trace.steps.back() = seen_of(state, plan, result);
      watch(before, plan, between, result, state);
    }
  } catch (const ContractError& error) {
    trace.refusal = error.what();
  }
  return trace;
}

inline Trace run_trace(const SchedulerCalls& calls, const Workload& workload) {
  return run_trace(calls, workload, [](const auto&...) {});
}

// A trace as a matrix: a row is a step, a column says one thing of one request.
inline const std::vector<std::string> kSaid = {"evicted (1: as the first of the step)",
                                               "tokens prefilled",
                                               "tokens decoded",
                                               "finished",
                                               "place among the running (0: none)",
                                               "place in the waiting line (0: none)"};

// Numbers stand upon this, so that neighbours of a trace do not pass for each other by a pattern:
// what differs by a few then differs by less than a pattern's 1/1000.
constexpr double kBase = 1 << 20;
constexpr double kNoStep = -1;

inline void fill_row(Matrix<double>& table, std::int64_t r, const TraceStep* step, const Ids& ids) {
  const auto n = static_cast<std::int64_t>(ids.size());
  for (std::int64_t c = 0; c < table.cols(); ++c) table(r, c) = kBase + (step ? 0 : kNoStep);
  if (step == nullptr) return;
  const auto put = [&](std::int64_t kind, std::int64_t id, std::int64_t value) {
    const auto found = std::ranges::find(ids, id);
    if (found != ids.end())
      table(r, kind * n + (found - ids.begin())) += static_cast<double>(value);
  };
  const auto places = [&](std::int64_t kind, const Ids& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      put(kind, list[i], static_cast<std::int64_t>(i) + 1);
    }
  };
  places(0, step->preempted);
  for (const auto& [id, tokens] : step->prefill) put(1, id, tokens);
  for (const auto& [id, tokens] : step->decode) put(2, id, tokens);
  for (const std::int64_t id : step->finished) put(3, id, 1);
  places(4, step->running);
  places(5, step->waiting);
  table(r, table.cols() - 1) += static_cast<double>(step->free_blocks);
}

/// Judges a trace, step by step.
inline void judge_trace(const Workload& workload, const Trace& got, const Trace& expected) {
  Ids ids;
  for (const ServeRequest& r : workload.requests) ids.push_back(r.id);
  const auto n = static_cast<std::int64_t>(ids.size());
  const auto rows = static_cast<std::int64_t>(expected.steps.size()) + 1;  // and nothing after them
  Matrix<double> right(rows, 6 * n + 1), seen(rows, 6 * n + 1);
  Matrix<float> seen_float(rows, 6 * n + 1);
  const auto step_of = [](const Trace& trace, std::int64_t r) {
    return r < static_cast<std::int64_t>(trace.steps.size()) ? &trace.steps[r] : nullptr;
  };
  for (std::int64_t r = 0; r < rows; ++r) {
    fill_row(right, r, step_of(expected, r), ids);
    fill_row(seen, r, step_of(got, r), ids);
    for (std::int64_t c = 0; c < 6 * n + 1; ++c) seen_float(r, c) = static_cast<float>(seen(r, c));
  }
  judge({.name = workload.name,
         .place =
             [&](std::int64_t r, std::int64_t c) {
               const std::string step = "step " + std::to_string(r + 1);
               if (c == 6 * n) return step + ": free blocks after it";
               return step + ", request " + std::to_string(ids[c % n]) + ": " + kSaid[c / n];
             },
         .value =
             [&](double value) {
               if (value != kBase + kNoStep) {
                 return std::to_string(static_cast<std::int64_t>(value - kBase));
               }
               return got.refusal.empty() ? std::string("no such step: all was done before")
                                          : "refused: " + got.refusal;
             }},
        seen_float.view(), right.view(), exactly());
}

struct GoldenTrace {
  Workload workload;
  Trace trace;
};

/// The traces of golden/continuous_batching.txt: in 8, 6 and 5 blocks, in chunks, and in ample
/// memory. A file that is missing or torn is an error, never an empty test.
inline std::vector<GoldenTrace> read_golden_traces() {
  const std::string path = QLAB_SOURCE_DIR "/tests/05_serving/golden/continuous_batching.txt";
  std::ifstream file(path);
  std::string comment;
  std::getline(file, comment);
  const auto next = [&] {
    std::int64_t value = 0;
    file >> value;
    QLAB_CHECK(bool{file}, path, ": cannot be read to its end");
    return value;
  };
  const auto list = [&] {
    Ids values(next());
    for (std::int64_t& value : values) value = next();
    return values;
  };
  std::vector<GoldenTrace> traces(next());
  for (auto& [workload, trace] : traces) {
    SchedulerConfig& c = workload.config;
    c = {.block_tokens = next(),
         .total_blocks = next(),
         .max_running = next(),
         .max_tokens_per_step = next(),
         .chunked_prefill = next() != 0};
    workload.name = "\"" + std::to_string(c.total_blocks) + " blocks of " +
                    std::to_string(c.block_tokens) +
                    (c.chunked_prefill ? ", prefill in chunks\"" : "\"");
    workload.requests.resize(next());
    trace.steps.resize(next());
    for (std::size_t i = 0; i < workload.requests.size(); ++i) {
      const auto arrival = static_cast<double>(next());
      const std::int64_t prompt = next();
      workload.requests[i] = {static_cast<std::int64_t>(i), arrival, prompt, next()};
    }
    for (TraceStep& step : trace.steps) {
      for (const std::int64_t id : list()) step.decode.emplace_back(id, 1);
      const Ids prefill = list();
      for (std::size_t i = 0; i < prefill.size(); i += 2) {
        step.prefill.emplace_back(prefill[i], prefill[i + 1]);
      }
      for (Ids* const ids : {&step.preempted, &step.finished, &step.running, &step.waiting}) {
        *ids = list();
      }
      step.free_blocks = next();
    }
  }
  return traces;
}

}  // namespace qlab::test
