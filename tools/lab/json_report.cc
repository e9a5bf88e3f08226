// SPDX-License-Identifier: Apache-2.0
/// \file
/// The results as JSON; docs/compare_json.md describes every key.
#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/json_serving.h"
#include "lab/results.h"

namespace qlab {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Interval& interval) {
  return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

/// [{context, value, low, high}], of those lengths where something was scored.
Json by_context(const std::array<std::optional<Interval>, kContextParts>& parts) {
  Json json = Json::array();
  for (std::size_t part = 0; part < kContextParts; ++part) {
    if (!parts[part]) continue;
    json.push_back(to_json(*parts[part]));
    json.back()["context_up_to"] = kContextEdges[part];
  }
  return json;
}

Json to_json(const QualityRow& row) {
  return {{"config", row.configuration->name},
          {"quantized", row.configuration->what},
          {"bits_per_byte", to_json(row.bits_per_byte)},
          {"bits_per_byte_more_than_fp16", to_json(row.delta)},
          {"kl_nats_per_byte", to_json(row.kl)},
          {"top1_flips", to_json(row.flips)},
          {"recall", to_json(row.recall)},
          {"recall_more_than_fp16", to_json(row.recall_delta)},
          {"bits_per_byte_more_than_fp16_by_context", by_context(row.delta_by_context)},
          {"recall_by_context", by_context(row.recall_by_context)},
          {"kv_bits", kv_bits(row.configuration->recipe.kv)}};
}

Json to_json(const SpeedRow& row) {
  return {{"operation", row.operation},
          {"config", row.name},
          {"path", row.path_name()},
          {"seconds", to_json(row.seconds)},
          {"time_of_fp16", to_json(row.to_fp16)},
          {"noise", row.noise},
          {"bytes", row.cost.bytes},
          {"flops", row.cost.flops},
          {"read_bandwidth_share", row.read_bandwidth_share},
          {"fma_peak_share", row.fma_peak_share},
          {"rounds", row.rounds}};
}

Json to_json(const Crossover& crossover) {
  Json json = {{"config", crossover.name}, {"tokens", nullptr}};  // null: it gains at all of them
  if (std::isfinite(crossover.tokens.value)) json["tokens"] = crossover.tokens.value;
  return json;
}

Json to_json(const MemoryRow& row) {
  return {{"config", row.configuration->name},
          {"weight_bytes", row.weight_bytes},
          {"linear_bytes", row.linear_bytes},
          {"bits_per_weight", row.bits_per_weight},
          {"kv_bytes_per_token", row.kv_bytes_per_token},
          {"7b_weight_bytes", row.big_weight_bytes},
          {"7b_kv_bytes_per_token", row.big_kv_bytes_per_token},
          {"7b_context_in_budget", row.context},
          {"7b_sequences_of_4096_in_budget", row.batch}};
}

Json to_json(const GpuRun& gpu) {
  return {{"date", gpu.date},
          {"compute_capability", gpu.compute_capability},
          {"multiprocessors", gpu.multiprocessors},
          {"l2_bytes", gpu.l2_bytes},
          {"cuda_runtime", gpu.cuda_runtime},
          {"cuda_driver", gpu.cuda_driver},
          {"quick", gpu.quick}};
}

Json to_json(const Circumstances& c) {
  Json json = {{"date", c.date},         {"cpu", c.cpu},
               {"load_average", c.load}, {"threads", c.threads},
               {"isa", isa_name(c.isa)}, {"isa_forced", c.isa_forced},
               {"model", c.model},       {"parameters", c.parameters},
               {"inputs", c.inputs},     {"quick", c.quick},
               {"seed", c.seed},         {"budget_gib", c.budget_gib},
               {"only", c.only},         {"mine", c.mine.used}};
  if (c.gpu) {
    json["device"] = c.gpu->device;
    json["times"] = to_json(*c.gpu);
  }
  return json;
}

Json roofline(const Results& results) {
  Json json = {{"read_bytes_per_second", results.speed.read_bytes_per_second},
               {"fma_flops_per_second", results.speed.fma_flops_per_second}};
  if (const auto& gpu = results.circumstances.gpu) {
    json["int8_flops_per_second"] = gpu->int8_flops_per_second;
    json["launch_seconds"] = gpu->launch_seconds;
  }
  return json;
}

Json to_json(const TableRow& row) {
  Json speed = Json::array();
  for (const SpeedRow* timed : row.speed) speed.push_back(to_json(*timed));
  Json yours = Json::array();
  for (const SpeedRow* timed : row.yours) yours.push_back(to_json(*timed));
  return {{"config", row.written->config},
          {"description", row.written->description},
          {"expected_benefit", row.written->benefit},
          {"main_risk", row.written->risk},
          {"quality", to_json(*row.quality)},
          {"speed", speed},
          {"speed_of_yours", yours},
          {"memory", to_json(*row.memory)}};
}

Json to_json(const JudgedClaim& judged, const Measurements& measurements) {
  const Claim& claim = *judged.claim;
  Json json = {{"id", claim.id},
               {"row", claim.row},
               {"cell", claim.cell},
               {"says", claim.says},
               {"measure", claim.measure},
               {"holds", claim.holds.text},
               {"verdict", outcome_name(judged.verdict.outcome)},
               {"reason", judged.verdict.reason},
               {"measured", nullptr}};
  const auto measured = measurements.find(claim.measure);
  if (measured == measurements.end()) return json;
  if (const auto* found = std::get_if<Measurement>(&measured->second)) {
    json["measured"] = to_json(found->interval);
    json["measured"]["margin"] = found->margin;
    json["measured"]["noise"] = found->noise;
    json["measured"]["unit"] = found->unit;
  }
  return json;
}

template <class Rows>
Json list(const Rows& rows) {
  Json json = Json::array();
  for (const auto& row : rows) json.push_back(to_json(row));
  return json;
}

}  // namespace

std::string to_json(const Results& results) {
  Json claims = Json::array();
  for (const JudgedClaim& judged : results.claims()) {
    claims.push_back(to_json(judged, results.measurements));
  }
  Json serving = Json::array();
  for (const ServingSweep& sweep : results.serving) serving.push_back(serving_json(sweep));
  const Json json = {{"schema", "quantization-lab.compare"},
                     {"schema_version", kJsonSchemaVersion},
                     {"version", QLAB_VERSION},
                     {"circumstances", to_json(results.circumstances)},
                     {"roofline", roofline(results)},
                     {"table", list(results.table())},
                     {"claims", claims},
                     {"quality", list(results.quality.rows)},
                     {"speed", list(results.speed.rows)},
                     {"crossovers", list(results.speed.crossovers)},
                     {"memory", list(results.memory)},
                     {"serving", serving}};
  return json.dump(1) + "\n";
}

}  // namespace qlab
