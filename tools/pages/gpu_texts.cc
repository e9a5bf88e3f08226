// SPDX-License-Identifier: Apache-2.0
/// \file
/// Blocks of a GPU's ladders: what `./lab bench --device cuda` timed, and what the profiler counted.
#include <fmt/format.h>

#include <utility>

#include "model/input_error.h"
#include "pages/block_texts.h"

namespace qlab {
namespace {

using Json = nlohmann::json;

struct Rungs {
  std::string device;
  std::vector<Json> rows;
};

/// Of one problem: the argument names a file and "bf16_gemm, M = 16, N = 4096, K = 4096".
Rungs rungs_of(const Docs& docs, const std::string& argument) {
  const std::size_t space = argument.find(' ');
  const std::string file = argument.substr(0, space);
  const std::string problem = space == std::string::npos ? "" : argument.substr(space + 1);
  Rungs rungs{docs.measured.at(file, "circumstances.device").get<std::string>(), {}};
  for (const Json& row : docs.measured.at(file, "table")) {
    const auto name = row.at("operation").get<std::string>() + ", " + row.value("shape", "");
    if (name == problem) rungs.rows.push_back(row);
  }
  if (rungs.rows.empty()) {
    throw InputError(fmt::format("plan/measured/{}.json has no row of '{}'", file, problem));
  }
  return rungs;
}

/// "4.92", "40.4", "1431": three digits, more where a number has them before the point.
std::string three_digits(double value) {
  return fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0);
}

/// "87", "93 k", "33.6 M".
std::string count(double value) {
  if (value >= 1e6) return three_digits(value / 1e6) + " M";
  if (value >= 1e3) return fmt::format("{:.0f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

/// What keeps a kernel from being faster, where a unit is near its limit.
std::string bound(const Json& row) {
  const double memory = row.value("dram_percent", 0.0), tensor = row.value("tensor_percent", 0.0);
  if (memory < 60 && tensor < 60) return "neither";
  return memory > tensor ? "memory" : "tensor cores";
}

}  // namespace

std::string ladder_block(const BlockPlace& place, const std::string& argument) {
  const auto [device, rows] = rungs_of(place.docs, argument);
  const bool integers = rows.front().at("operation").get<std::string>().starts_with("w8a8");
  bool peers = false;
  for (const Json& row : rows) peers = peers || row.contains("times_peer");
  std::string text = fmt::format(
      "| {} | µs | of the read bandwidth | {} |{}\n| --- | --- | --- | --- |{}\n", device,
      integers ? "TOP/s" : "TFLOP/s", peers ? " of the peer's speed |" : "", peers ? " --- |" : "");
  for (const Json& row : rows) {
    text += fmt::format("| {} | {} | {} | {} |", row.at("path").get<std::string>(),
                        three_digits(1e6 * row.at("seconds").get<double>()),
                        percent(row.at("of_read_bandwidth").get<double>()),
                        three_digits(1e-12 * row.at("flops_per_second").get<double>()));
    if (peers) {
      text += row.contains("times_peer")
                  ? fmt::format(" {:.2f} |", row.at("times_peer").get<double>())
                  : " |";
    }
    text += "\n";
  }
  return text;
}

std::string counters_block(const BlockPlace& place, const std::string& argument) {
  const auto [device, rows] = rungs_of(place.docs, argument);
  std::string text = fmt::format(
      "| {} | read | memory busy | sectors a load | bank conflicts | tensor cores busy | bound by "
      "|\n| --- | --- | --- | --- | --- | --- | --- |\n",
      device);
  for (const Json& row : rows) {
    const double sectors = row.value("sectors_a_request", 0.0);
    text += fmt::format(
        "| {} | {} MB | {:.0f} % | {} | {} | {:.0f} % | {} |\n", row.at("path").get<std::string>(),
        three_digits(1e-6 * row.at("dram_read_bytes").get<double>()),
        row.value("dram_percent", 0.0), sectors > 0 ? fmt::format("{:.0f}", sectors) : "none",
        count(row.value("bank_conflicts", 0.0)), row.value("tensor_percent", 0.0), bound(row));
  }
  return text;
}

}  // namespace qlab
