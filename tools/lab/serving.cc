// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sweeps: the same requests, faster and faster, for every format.
#include "lab/serving.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "05_serving/capacity_plan.h"
#include "lab/memory.h"
#include "lab/quality.h"
#include "model/input_error.h"
#include "model/llama_engine.h"

namespace qlab {
namespace {

std::string size_text(std::int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  return bytes < (1 << 30) ? fmt::format("{:.4g} MiB", size / 0x1p20)
                           : fmt::format("{:.4g} GiB", size / 0x1p30);
}

/// The requests at one rate. Those of a trace come when they come.
std::vector<ServeRequest> requests_at(const ServingPlan& plan, double rate) {
  if (!plan.trace.empty()) return plan.trace;
  return poisson_workload({.requests = plan.requests,
                           .rate = rate,
                           .prompt = plan.prompt,
                           .output = plan.output,
                           .seed = plan.seed});
}

std::vector<double> rates_of(const ServingPlan& plan, double saturated) {
  if (!plan.trace.empty()) {
    const auto [first, last] = std::ranges::minmax(plan.trace, {}, &ServeRequest::arrival);
    const double seconds = last.arrival - first.arrival;
    const auto gaps = static_cast<double>(plan.trace.size() - 1);
    return {seconds > 0 ? gaps / seconds : saturated};  // all at once: as fast as can be
  }
  if (!plan.rates.empty()) return plan.rates;
  std::vector<double> rates;
  for (const double load : plan.loads) rates.push_back(load * saturated);
  return rates;
}

Percentiles percentiles(const std::vector<double>& values) {
  if (values.empty()) return {0, 0, 0};
  return {percentile(values, 50), percentile(values, 90), percentile(values, 99)};
}

/// Means over the time of steps.
void add_steps(const ServeRun& run, std::int64_t total_blocks, ServingPoint& point) {
  double seconds = 0;
  const auto blocks = static_cast<double>(total_blocks);
  for (const ServedStep& step : run.steps) {
    const double used = static_cast<double>(step.used_blocks) / blocks;
    seconds += step.seconds;
    point.batch += static_cast<double>(step.decodes + step.prefills) * step.seconds;
    point.kv_used += used * step.seconds;
    point.kv_peak = std::max(point.kv_peak, used);
    point.preemptions += step.preempted;
  }
  point.batch /= seconds;
  point.kv_used /= seconds;
}

ServingPoint point_of(const ServeRun& run, double rate, double saturated, std::int64_t total_blocks,
                      const LatencyGoals& goals) {
  const std::vector<RequestTimes> times = request_times(run);
  std::vector<double> ttft, tpot;
  for (const RequestTimes& request : times) {
    const RequestLatency latency = request_latency(request);
    ttft.push_back(latency.ttft);
    if (request.token_times.size() > 1) tpot.push_back(latency.tpot);
  }
  const ServingRates rates = serving_rates(times, goals);
  ServingPoint point{.rate = rate,
                     .utilisation = rate / saturated,
                     .ttft = percentiles(ttft),
                     .tpot = percentiles(tpot),
                     .itl = percentiles(inter_token_latencies(times)),
                     .goodput = rates.goodput,
                     .tokens_per_second = rates.tokens_per_second,
                     .batch = 0,
                     .kv_used = 0,
                     .kv_peak = 0,
                     .preemptions = 0};
  add_steps(run, total_blocks, point);
  return point;
}

/// A format ready to serve, or the reason why it is not.
struct Server {
  ServingRow row;
  std::int64_t weight_bytes, kv_bytes_per_token;
  SchedulerConfig config;
  std::unique_ptr<Llama> model;  ///< of a real one
  std::unique_ptr<ServeEngine> engine;
  std::vector<double> saturated;  ///< of each round
};

/// The scheduler's limits for a format: blocks are what the weights leave of the memory.
Server make_server(const ServingPlan& plan, const ServedConfiguration& c, std::int64_t weight_bytes,
                   const LlamaConfig& model) {
  Server server{.row = {.config = c.name,
                        .cache_tokens = 0,
                        .saturated = 0,
                        .saturated_to_first = {},
                        .points = {},
                        .why_not = ""},
                .weight_bytes = weight_bytes,
                .kv_bytes_per_token = kv_bytes_per_token(c.recipe.kv, model.n_layers,
                                                         model.n_kv_heads, model.head_dim),
                .config = plan.scheduler,
                .model = nullptr,
                .engine = nullptr,
                .saturated = {}};
  server.config.chunked_prefill = c.chunked;
  if (c.chunked) server.config.max_tokens_per_step = plan.chunk;
  server.config.total_blocks = cache_blocks(plan.memory_bytes, weight_bytes,
                                            server.kv_bytes_per_token, plan.scheduler.block_tokens);
  server.row.cache_tokens = server.config.total_blocks * plan.scheduler.block_tokens;
  if (server.config.total_blocks == 0) {
    server.row.why_not = fmt::format("{} of weights leave no block of cache in {}",
                                     size_text(weight_bytes), size_text(plan.memory_bytes));
    return server;
  }
  try {  // what a request may need, before anything runs
    Scheduler scheduler(server.config);
    for (const ServeRequest& request : requests_at(plan, 1)) {
      const std::int64_t tokens = request.prompt_tokens + request.output_tokens;
      QLAB_CHECK(tokens <= model.max_positions, "request ", request.id, " reaches ", tokens,
                 " tokens, and the model has ", model.max_positions, " positions; shorten it");
      scheduler.submit(request);
    }
  } catch (const ContractError& error) {
    server.row.why_not = error.what();
  }
  return server;
}

void check_first(const std::vector<Server>& servers) {
  if (servers.front().row.why_not.empty()) return;
  throw InputError(fmt::format("{} cannot be served: {}", servers.front().row.config,
                               servers.front().row.why_not));
}

void sweep_row(const ServingPlan& plan, double unit, const SchedulerCode& code, Server& server,
               const std::function<void(double rate)>& before) {
  ServedConfig tested{.name = server.row.config,
                      .recall = 1,  // quality is judged elsewhere
                      .weight_bytes = server.weight_bytes,
                      .kv_bytes_per_token = server.kv_bytes_per_token,
                      .saturated_rate = server.row.saturated,
                      .points = {}};
  for (const double rate : rates_of(plan, unit)) {
    before(rate);
    const ServeRun run = serve(server.config, requests_at(plan, rate), *server.engine, code);
    server.row.points.push_back(
        point_of(run, rate, server.row.saturated, server.config.total_blocks, plan.goals));
    tested.points.push_back({.rate = rate, .latencies = {}});
    for (const RequestTimes& times : request_times(run)) {
      tested.points.back().latencies.push_back(request_latency(times));
    }
  }
  server.row.highest = highest_rate({.latency = plan.goals}, tested);
}

ServingSweep empty_sweep(const ServingPlan& plan, const std::string& model,
                         const std::string& machine, bool modelled) {
  return {.model = model,
          .machine = machine,
          .modelled = modelled,
          .requests = plan.trace.empty() ? plan.requests : std::ssize(plan.trace),
          .ttft_goal = plan.goals.ttft,
          .tpot_goal = plan.goals.tpot,
          .memory = size_text(plan.memory_bytes),
          .rows = {}};
}

/// Twice what the odd rounds differ from the even ones, relative; the first one is not counted.
double own_difference(const std::vector<double>& rounds) {
  std::vector<double> odd, even;
  for (std::size_t i = 1; i < rounds.size(); ++i) (i % 2 == 1 ? odd : even).push_back(rounds[i]);
  return even.empty() ? 0 : 2 * std::abs(median(odd) / median(even) - 1);
}

/// Text of the lab as prompts: a window that depends on the request's id.
std::vector<std::int32_t> text_prompt(const std::vector<Document>& text, const ServeRequest& r) {
  const auto& tokens = text[static_cast<std::size_t>(r.id) % text.size()].tokens;
  QLAB_CHECK(r.prompt_tokens <= std::ssize(tokens), "request ", r.id, " has a prompt of ",
             r.prompt_tokens, " tokens; the lab's documents have ", tokens.size());
  return {tokens.begin(), tokens.begin() + r.prompt_tokens};
}

}  // namespace

ServingSweep modelled_sweep(const ServingPlan& plan, const NamedModel& model,
                            const MeasuredDevice& device, const CostCode& cost,
                            const SchedulerCode& code) {
  ServingSweep sweep =
      empty_sweep(plan, std::string(model.name), device.name + ", modelled", /*modelled=*/true);
  const ServedModel sides = served_model(model.config);
  std::vector<Server> servers;
  for (const ServedConfiguration& c : plan.configs) {
    servers.push_back(
        make_server(plan, c, model_weight_bytes(c.recipe, model.config), model.config));
    servers.back().engine =
        std::make_unique<ModelledEngine>(sides, served_format(c.name, c.recipe, model.config),
                                         device.served, c.unfused ? unpack_bytes(sides) : 0, cost);
  }
  check_first(servers);
  for (Server& server : servers) {
    ServingRow& row = server.row;
    if (row.why_not.empty()) {
      row.saturated = saturated_rate(server.config, requests_at(plan, 1), *server.engine, code);
      const double ratio = row.saturated / servers.front().row.saturated;
      row.saturated_to_first = Interval{ratio, ratio, ratio};
      sweep_row(plan, servers.front().row.saturated, code, server, [](double) {});
    }
    sweep.rows.push_back(row);
  }
  return sweep;
}

ServingSweep real_sweep(const ServingPlan& plan, const Checkpoint& checkpoint,
                        const std::string& name, std::int64_t rounds, const Machine& machine,
                        const std::function<void(double, const std::string&)>& progress,
                        const SchedulerCode& code) {
  ServingSweep sweep = empty_sweep(plan, name, "this machine", /*modelled=*/false);
  const std::vector<Document> text = make_evaluation(/*quick=*/false, plan.seed).text;
  const PromptOf prompt_of = [&text](const ServeRequest& r) { return text_prompt(text, r); };
  std::vector<Server> servers;
  for (const ServedConfiguration& c : plan.configs) {
    auto model = std::make_unique<Llama>(checkpoint, c.recipe, machine);
    servers.push_back(make_server(plan, c, model->weight_bytes(), checkpoint.config));
    servers.back().engine = std::make_unique<LlamaEngine>(*model, prompt_of, machine);
    servers.back().model = std::move(model);
  }
  check_first(servers);

  const std::vector<ServeRequest> requests = requests_at(plan, 1);
  const auto formats = static_cast<double>(servers.size());
  const double parts = formats * static_cast<double>(rounds + 1 + std::ssize(rates_of(plan, 1)));
  double done = 0;
  const auto next = [&](const std::string& what) { progress(done++ / parts, "serving, " + what); };
  // Turn by turn: a machine that changes its speed changes it for all formats. The first turn warms up.
  for (std::int64_t round = 0; round <= rounds; ++round) {
    for (Server& server : servers) {
      next(server.row.config + " at once");
      if (!server.row.why_not.empty()) continue;
      server.saturated.push_back(saturated_rate(server.config, requests, *server.engine, code));
    }
  }
  const std::vector<double>& first = servers.front().saturated;
  sweep.noise = own_difference(first);
  for (Server& server : servers) {
    ServingRow& row = server.row;
    if (row.why_not.empty()) {
      const auto from = server.saturated.begin() + (rounds > 0 ? 1 : 0);
      row.saturated = median({from, server.saturated.end()});
      std::vector<double> ratios;
      for (std::size_t i = 1; i < first.size(); ++i)
        ratios.push_back(server.saturated[i] / first[i]);
      if (rounds > 0) row.saturated_to_first = median_interval(ratios, plan.seed);
      sweep_row(plan, servers.front().row.saturated, code, server, [&](double rate) {
        next(fmt::format("{}, {:.3g} requests a second", row.config, rate));
      });
    }
    sweep.rows.push_back(row);
  }
  return sweep;
}

}  // namespace qlab
