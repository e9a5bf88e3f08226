// SPDX-License-Identifier: Apache-2.0
/// \file
/// The results of `lab bench` as one JSON object.
#include <nlohmann/json.hpp>

#include "lab/bench_results.h"

namespace qlab {
namespace {

using nlohmann::json;

json interval_json(const Interval& interval) {
  return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

json counts_json(const std::optional<Counts>& counts) {
  if (!counts) return nullptr;
  return {{"instructions", counts->instructions},
          {"cycles", counts->cycles},
          {"l1_misses", counts->l1_misses},
          {"llc_misses", counts->llc_misses}};
}

json row_json(const BenchRow& row) {
  return {{"rung", row.rung},
          {"path", row.yours ? "yours" : std::string(isa_name(row.path))},
          {"seconds", interval_json(row.seconds)},
          {"speedup", row.speedup ? interval_json(*row.speedup) : json(nullptr)},
          {"share", row.share},
          {"bound", row.bound()},
          {"measurement_error", row.share > kMostShare},
          {"bytes", row.cost.bytes},
          {"flops", row.cost.flops},
          {"flops_per_second", row.ops_per_second()},
          {"bytes_per_second", row.bytes_per_second()},
          {"rounds", row.rounds},
          {"timed_part", row.part},
          {"counters", counts_json(row.counts)}};
}

json table_json(const BenchTable& table) {
  json rows = json::array();
  for (const BenchRow& row : table.rows) rows.push_back(row_json(row));
  json object = {{"operation", table.operation},
                 {"format", table.label.empty() ? json(nullptr) : json(table.label)},
                 {table.K == 0 ? "context" : "M", table.M},
                 {"cold", table.cold},
                 {"ceiling_bytes_per_second", table.bytes_per_second},
                 {"rungs", rows},
                 {"notes", table.notes},
                 {"yours", nullptr}};
  if (table.N != 0) object["N"] = table.N;
  if (table.K != 0) object["K"] = table.K;
  if (table.aim) {
    object["yours"] = {{"state", table.aim->slow() ? "done_slow" : "done"},
                       {"rung", table.aim->rung},
                       {"speed", interval_json(table.aim->speed)}};
  }
  return object;
}

}  // namespace

std::string bench_json(const BenchResults& results) {
  json peaks = json::array(), tables = json::array();
  for (const Peak& peak : results.peaks) {
    peaks.push_back({{"products", peak.products == Products::kFloat ? "float" : "int8"},
                     {"level", peak.level},
                     {"instruction", peak.instruction},
                     {"ops_per_second", peak.ops_per_second},
                     {"ops_per_cycle", peak.ops_per_cycle},
                     {"doubt", peak.doubt}});
  }
  for (const BenchTable& table : results.tables) tables.push_back(table_json(table));
  const json object = {{"schema", "qlab.bench"},
                       {"version", 1},
                       {"lab", QLAB_VERSION},
                       {"date", results.date},
                       {"cpu", results.cpu},
                       {"threads", results.threads},
                       {"isa", isa_name(results.isa)},
                       {"load", results.load},
                       {"seed", results.seed},
                       {"read_bytes_per_second", results.memory_bytes_per_second},
                       {"peaks", peaks},
                       {"counters", results.counters.empty() ? "available" : results.counters},
                       {"remarks", results.remarks},
                       {"tables", tables}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace qlab
