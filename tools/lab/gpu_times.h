// SPDX-License-Identifier: Apache-2.0
/// \file
/// The file of `lab_gpu --compare`: what the kernels of the table took on a GPU, round by round. It
/// is judged wherever it is read; no GPU is needed for that. docs/compare_json.md describes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/contract.h"

namespace qlab {

/// The GPU, and what it reached in the same run.
struct GpuRun {
  std::string file;  ///< as it was named
  std::string date, device, compute_capability;
  std::int64_t multiprocessors, l2_bytes;
  std::int64_t cuda_runtime, cuda_driver;  ///< 13000 is 13.0
  bool quick;
  double read_bytes_per_second, launch_seconds;
  double fp16_flops_per_second, int8_flops_per_second;  ///< of the tensor cores, reading nothing
  /// Of the fastest product of 4096 tokens in a layer of 4096 by 4096, ours or a peer's.
  double fp16_product_flops_per_second, int8_product_flops_per_second;
};

/// One implementation of a problem.
struct GpuCandidate {
  std::string name;  ///< of the configuration: "int8", "int8 on scalar"; of a peer "cuBLASLt fp16"
  std::string rung;  ///< "v3_persistent"
  bool ours;
  Cost cost;
  std::vector<double> seconds;  ///< [rounds], in their order
};

struct GpuProblem {
  std::string operation;                 ///< as `lab compare` names it on the CPU
  std::vector<GpuCandidate> candidates;  ///< FP16, FP16 again, the others
};

struct GpuTimes {
  GpuRun run;
  std::vector<GpuProblem> problems;
};

/// What SpeedRow::operation may be on a GPU, in parts. `kind` is "linear", "decode" or "batched".
struct GpuOperation {
  std::string kind;
  std::string layer;        ///< "attention projection", of a linear one
  std::int64_t tokens = 0;  /// M, of a linear one
};

/// \throws InputError for a name that none of ours has
GpuOperation parse_gpu_operation(const std::string& operation);

/// A median may pass a limit of its run by so much; more is an error of the measurement.
inline constexpr double kOverRoofline = 1.05;

/// Fewer rounds than this say too little.
inline constexpr std::size_t kLeastGpuRounds = 21;

/// \throws InputError when the file is cut off, is another one, lacks a figure, has times that
///         cannot be (not above 0, of different rounds, faster than the roofline of their run), or
///         a problem that `lab compare` does not know.
GpuTimes read_gpu_times(const std::filesystem::path& file);

}  // namespace qlab
