// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab serve-bench`: requests at rising rates, or from a trace, served in formats of the table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lab/terminal.h"

namespace qlab {

struct ServeBenchOptions {
  std::string on = "here";  ///< "here": by the clock; or a device with files in plan/measured
  std::string model;        ///< of a device: "7b", "8b", "70b"; empty: 7b
  std::vector<std::string> formats;  ///< configurations; empty: those of `lab compare`
  std::vector<double> rates;         ///< requests a second; empty: shares of what is possible
  std::optional<std::int64_t> requests;
  std::filesystem::path trace;                ///< instead of rates; empty: none
  std::optional<std::uint64_t> memory_bytes;  ///< for weights and cache
  std::optional<double> ttft_ms, tpot_ms;     ///< goals
  std::uint64_t seed = 1;
  int threads = 1;
  std::optional<std::filesystem::path> json;
};

/// Prints a table a format. Returns the exit code, 0.
/// \throws InputError  a format, device, model or trace that cannot be used; an option that belongs
///                     to the other way of serving
int run_serve_bench(const ServeBenchOptions& options, const Terminal& terminal);

}  // namespace qlab
