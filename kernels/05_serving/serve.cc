// SPDX-License-Identifier: Apache-2.0
/// \file
/// The loop: who has arrived, one step, who has a token, and on.
#include "05_serving/serve.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace qlab {
namespace {

/// The run so far, and where each request stands in it.
class Loop {
 public:
  Loop(const SchedulerConfig& config, std::span<const ServeRequest> requests, ServeEngine& engine,
       const SchedulerCode& code)
      : state_(config), engine_(engine), code_(code), pending_(requests.begin(), requests.end()) {
    QLAB_CHECK(!requests.empty(), "serve: there is no request; give at least one");
    std::ranges::stable_sort(pending_, {}, &ServeRequest::arrival);
    Scheduler refuses(config);  // what cannot run is refused before anything runs
    for (const ServeRequest& request : pending_) refuses.submit(request);
    run_.requests.reserve(pending_.size());
  }

  ServeRun run() {
    while (!state_.idle() || arrived_ < pending_.size()) {
      if (state_.idle()) now_ = std::max(now_, pending_[arrived_].arrival);
      admit();
      step();
    }
    return std::move(run_);
  }

 private:
  void admit() {
    for (; arrived_ < pending_.size() && pending_[arrived_].arrival <= now_; ++arrived_) {
      const ServeRequest& request = pending_[arrived_];
      state_.submit(request);
      engine_.begin(request);
      place_[request.id] = run_.requests.size();
      run_.requests.push_back(
          {.request = request,
           .times = {.arrival = request.arrival, .admitted = -1, .token_times = {}},
           .preemptions = 0});
    }
  }

  void step() {
    const StepPlan plan = code_.schedule(state_);
    ServedStep step{.start = now_,
                    .seconds = 0,
                    .decodes = std::ssize(plan.decode),
                    .prefills = std::ssize(plan.prefill),
                    .tokens = 0,
                    .running = std::ssize(state_.running),
                    .waiting = std::ssize(state_.waiting),
                    .used_blocks = state_.config.total_blocks - state_.free_blocks,
                    .preempted = std::ssize(plan.preempted)};
    for (const auto* const list : {&plan.decode, &plan.prefill}) {
      for (const StepWork& work : *list) {
        step.tokens += work.tokens;
        RequestTimes& times = of(work.id).times;
        if (times.admitted < 0) times.admitted = now_;
      }
    }
    QLAB_CHECK(step.tokens > 0, "serve: a step without work, while ", state_.waiting.size(),
               " requests wait and ", state_.running.size(),
               " run; a scheduler must give the oldest of them something to do");
    for (const std::int64_t id : plan.preempted) ++of(id).preemptions;

    step.seconds = engine_.run(plan);
    QLAB_CHECK(step.seconds > 0 && std::isfinite(step.seconds), "serve: a step took ", step.seconds,
               " seconds; an engine tells how long it took, more than 0");
    now_ += step.seconds;
    run_.steps.push_back(step);
    const StepResult result = code_.complete(state_, plan);
    for (const std::int64_t id : result.produced) of(id).times.token_times.push_back(now_);
    for (const std::int64_t id : result.finished) engine_.end(id);
  }

  ServedRequest& of(std::int64_t id) {
    const auto found = place_.find(id);
    QLAB_CHECK(found != place_.end(), "serve: the scheduler names request ", id,
               ", which never arrived");
    return run_.requests[found->second];
  }

  Scheduler state_;
  ServeEngine& engine_;
  const SchedulerCode& code_;
  std::vector<ServeRequest> pending_;                    ///< in the order of arrival
  std::size_t arrived_ = 0;                              ///< how many of them have
  std::unordered_map<std::int64_t, std::size_t> place_;  ///< of an id in run_.requests
  double now_ = 0;
  ServeRun run_;
};

/// The requests all at once, and again until there are four for each place that a batch may have.
std::vector<ServeRequest> filling(const SchedulerConfig& config,
                                  std::span<const ServeRequest> requests) {
  QLAB_CHECK(!requests.empty(), "serve: there is no request; give at least one");
  std::int64_t tokens = 0;
  for (const ServeRequest& r : requests) tokens += r.prompt_tokens + r.output_tokens;
  const std::int64_t mean = std::max<std::int64_t>(1, tokens / std::ssize(requests));
  const std::int64_t places =
      std::min(config.max_running, config.total_blocks * config.block_tokens / mean);
  const auto [low, high] = std::ranges::minmax(requests, {}, &ServeRequest::id);
  const std::int64_t ids = high.id - low.id + 1;
  std::vector<ServeRequest> all;
  for (std::int64_t copy = 0; copy == 0 || std::ssize(all) < 4 * places; ++copy) {
    for (ServeRequest request : requests) {
      request.id += copy * ids;
      request.arrival = 0;
      all.push_back(request);
    }
  }
  return all;
}

}  // namespace

ModelledEngine::ModelledEngine(const ServedModel& model, const ServedFormat& format,
                               const ServedDevice& device, std::int64_t unpacked_bytes,
                               const CostCode& code)
    : model_(model), format_(format), device_(device), code_(code) {
  check_device(device);
  QLAB_CHECK(unpacked_bytes >= 0, "ModelledEngine: unpacked_bytes is ", unpacked_bytes,
             "; bytes are 0 or more");
  unpack_seconds_ = static_cast<double>(unpacked_bytes) / device.bytes_per_second;
}

double ModelledEngine::run(const StepPlan& plan) {
  sequences_.clear();
  for (const auto* const list : {&plan.decode, &plan.prefill}) {
    for (const StepWork& work : *list) {
      sequences_.push_back({.before = work.context, .tokens = work.tokens});
    }
  }
  return code_.seconds(code_.cost(model_, format_, sequences_), format_, device_) + unpack_seconds_;
}

std::int64_t unpack_bytes(const ServedModel& m) {
  const std::int64_t attention = 2 * (m.n_heads + m.n_kv_heads) * m.head_dim * m.hidden;
  return 4 * m.n_layers * (attention + 3 * m.hidden * m.intermediate);
}

ServeRun serve(const SchedulerConfig& config, std::span<const ServeRequest> requests,
               ServeEngine& engine, const SchedulerCode& code) {
  return Loop(config, requests, engine, code).run();
}

std::vector<RequestTimes> request_times(const ServeRun& run) {
  std::vector<RequestTimes> times;
  for (const ServedRequest& served : run.requests) times.push_back(served.times);
  return times;
}

double saturated_rate(const SchedulerConfig& config, std::span<const ServeRequest> requests,
                      ServeEngine& engine, const SchedulerCode& code) {
  const std::vector<ServeRequest> at_once = filling(config, requests);
  const ServeRun run = serve(config, at_once, engine, code);
  std::vector<double> done;
  for (const ServedRequest& served : run.requests) done.push_back(served.times.token_times.back());
  std::ranges::sort(done);
  const std::size_t from = done.size() / 4, to = done.size() - 1 - from;
  if (done[from] == done[to]) return static_cast<double>(done.size()) / done.back();
  return static_cast<double>(to - from) / (done[to] - done[from]);
}

}  // namespace qlab
