// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sweeps, rows and points as objects.
#include "lab/json_serving.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace qlab {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Percentiles& p) { return {{"p50", p.p50}, {"p90", p.p90}, {"p99", p.p99}}; }

Json to_json(const ServingPoint& p) {
  return {{"requests_per_second", p.rate},
          {"utilisation", p.utilisation},
          {"ttft_seconds", to_json(p.ttft)},
          {"tpot_seconds", to_json(p.tpot)},
          {"itl_seconds", to_json(p.itl)},
          {"goodput", p.goodput},
          {"tokens_per_second", p.tokens_per_second},
          {"batch", p.batch},
          {"kv_used", p.kv_used},
          {"kv_peak", p.kv_peak},
          {"preemptions", p.preemptions}};
}

Json to_json(const ServingRow& row) {
  Json points = Json::array();
  for (const ServingPoint& point : row.points) points.push_back(to_json(point));
  Json json = {{"config", row.config},
               {"cache_tokens", row.cache_tokens},
               {"saturated_requests_per_second", row.saturated},
               {"saturated_to_first", nullptr},
               {"highest_rate", row.highest},
               {"points", points},
               {"why_not", row.why_not}};
  if (row.saturated_to_first) {
    const auto& [value, low, high] = *row.saturated_to_first;
    json["saturated_to_first"] = {{"value", value}, {"low", low}, {"high", high}};
  }
  return json;
}

/// JSON has no infinity: without a goal there is null.
Json goal(double seconds) { return std::isfinite(seconds) ? Json(seconds) : Json(nullptr); }

}  // namespace

Json serving_json(const ServingSweep& sweep) {
  Json rows = Json::array();
  for (const ServingRow& row : sweep.rows) rows.push_back(to_json(row));
  return {{"model", sweep.model},
          {"machine", sweep.machine},
          {"modelled", sweep.modelled},
          {"requests", sweep.requests},
          {"ttft_goal", goal(sweep.ttft_goal)},
          {"tpot_goal", goal(sweep.tpot_goal)},
          {"memory", sweep.memory},
          {"noise", sweep.noise},
          {"rows", rows}};
}

}  // namespace qlab
