// SPDX-License-Identifier: Apache-2.0
/// \file
/// `./lab bench --device cuda`: the ladders of the GPU, each rung beside its peer and a plain read.
///
/// All contenders of a problem take turns, so that a card that changes its clock changes it for all
/// of them, and rest before each where tensor cores are what they use: those lower the clock. A time is one launch within a CUDA graph of two
/// milliseconds, whose launches go round copies of the weights that no L2 holds. A wrong result has
/// no time.
#include "gpu/bench.h"

#include <cuda_profiler_api.h>
#include <nvtx3/nvToolsExt.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "gpu/gpu_run.h"
#include "gpu/ladder.h"
#include "support/cuda_replays.h"

namespace qlab::gpu {
namespace {

using test::Gpu;
using test::Replays;
using test::Seconds;

constexpr int kRounds = 21;

/// Before a replay. A hundred operations a byte are beyond what waits for memory, and draw power.
std::chrono::milliseconds rest_for(const Cost& cost) {
  return std::chrono::milliseconds(cost.flops > 100 * cost.bytes ? 40 : 4);
}

struct Row {
  std::string operation, shape, name;
  bool ours;
  Cost cost;
  Seconds seconds;
};

class Bench {
 public:
  Bench(const Gpu& gpu, Stream stream) : gpu_(gpu), stream_(stream) {}

  void run(const Problem& problem) {
    std::printf("\n%s, %s\n", problem.operation.c_str(), problem.shape.c_str());
    std::vector<std::unique_ptr<Replays>> replays;
    for (const Contender& contender : problem.contenders) {
      try {
        replays.push_back(std::make_unique<Replays>(
            stream_, problem.copies, [&](std::size_t copy) { contender.run(copy, stream_); }));
      } catch (const WrongGpu& error) {
        std::printf("  %-16s not here: %s\n", contender.name.c_str(), error.what());
        replays.push_back(nullptr);
      }
    }
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& replay : replays) {
        if (replay == nullptr) continue;
        std::this_thread::sleep_for(rest_for(problem.cost));
        replay->measure();
      }
    }
    std::vector<Row> rows;
    for (std::size_t i = 0; i < replays.size(); ++i) {
      const Contender& contender = problem.contenders[i];
      if (replays[i] == nullptr) continue;
      if (!is_right(problem, contender)) {
        std::printf("  %-16s MISMATCH: no time for a wrong result\n", contender.name.c_str());
        all_right_ = false;
        continue;
      }
      rows.push_back({problem.operation, problem.shape, contender.name, contender.ours,
                      problem.cost, replays[i]->seconds()});
    }
    for (const Row& row : rows) print(row, rows);
    std::fflush(stdout);
    rows_.insert(rows_.end(), rows.begin(), rows.end());
  }

  void once(const Problem& problem) {
    for (const Contender& contender : problem.contenders) {
      const std::string name = problem.operation + " | " + problem.shape + " | " + contender.name;
      simt::check(cudaProfilerStart(), "profiler");
      nvtxRangePushA(name.c_str());
      contender.run(0, stream_);
      simt::check(cudaStreamSynchronize(stream_), contender.name.c_str());
      nvtxRangePop();
      simt::check(cudaProfilerStop(), "profiler");
    }
  }

  void write_json(const char* path) const;
  bool all_right() const { return all_right_; }

 private:
  /// Of the first copy and of the last.
  bool is_right(const Problem& problem, const Contender& contender) const {
    if (!contender.right) return true;
    for (const std::size_t copy : {std::size_t{0}, problem.copies - 1}) {
      contender.poison(copy, stream_);
      contender.run(copy, stream_);
      simt::check(cudaStreamSynchronize(stream_), contender.name.c_str());
      if (!contender.right(copy)) return false;
    }
    return true;
  }

  /// The fastest peer of a row's problem, or null.
  static const Row* peer_of(const Row& row, const std::vector<Row>& rows) {
    const Row* best = nullptr;
    for (const Row& other : rows) {
      const bool same = other.operation == row.operation && other.shape == row.shape;
      if (!same || other.ours || other.name == "read") continue;
      if (best == nullptr || other.seconds.median < best->seconds.median) best = &other;
    }
    return best;
  }

  void print(const Row& row, const std::vector<Row>& rows) const {
    const double s = row.seconds.median;
    std::printf("  %-16s %10.2f us ±%2.0f %% %7.0f GB/s %4.0f %% of read %8.1f TFLOP/s",
                row.name.c_str(), 1e6 * s, 50 * (row.seconds.high - row.seconds.low) / s,
                1e-9 * static_cast<double>(row.cost.bytes) / s,
                100 * static_cast<double>(row.cost.bytes) / s / gpu_.read_bytes_per_second,
                1e-12 * static_cast<double>(row.cost.flops) / s);
    const Row* const peer = peer_of(row, rows);
    if (row.ours && peer != nullptr) {
      std::printf("  %.2fx %s", peer->seconds.median / s, peer->name.c_str());
    }
    std::printf("\n");
  }

  const Gpu& gpu_;
  Stream stream_;
  std::vector<Row> rows_;
  bool all_right_ = true;
};

void Bench::write_json(const char* path) const {
  std::FILE* const file = std::fopen(path, "w");
  if (file == nullptr) throw simt::Error(std::string(path) + ": cannot be written");
  std::fprintf(file,
               "{\n \"schema\": \"quantization-lab.gpu_bench\",\n \"schema_version\": 1,\n"
               " \"circumstances\": {%s},\n \"roofline\": "
               "{\"read_bytes_per_second\": %.6g, \"launch_seconds\": %.6g},\n \"table\": [",
               circumstances_json(gpu_).c_str(), gpu_.read_bytes_per_second, gpu_.launch_seconds);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Row& r = rows_[i];
    const Row* const peer = peer_of(r, rows_);
    const double s = r.seconds.median, bytes = static_cast<double>(r.cost.bytes);
    std::fprintf(file,
                 "%s\n  {\"operation\": \"%s\", \"shape\": \"%s\", \"path\": \"%s\", \"ours\": %s, "
                 "\"seconds\": %.6g, \"seconds_low\": %.6g, \"seconds_high\": %.6g, "
                 "\"bytes_per_second\": %.6g, \"flops_per_second\": %.6g, "
                 "\"of_read_bandwidth\": %.4f",
                 i == 0 ? "" : ",", r.operation.c_str(), r.shape.c_str(), r.name.c_str(),
                 r.ours ? "true" : "false", s, r.seconds.low, r.seconds.high, bytes / s,
                 static_cast<double>(r.cost.flops) / s, bytes / s / gpu_.read_bytes_per_second);
    if (r.ours && peer != nullptr) {
      std::fprintf(file, ", \"times_peer\": %.4f", peer->seconds.median / s);
    }
    std::fprintf(file, "}");
  }
  std::fprintf(file, "\n ]\n}\n");
  std::fclose(file);
}

bool asked_for(const std::string& name, const std::vector<std::string>& parts) {
  if (parts.empty()) return true;
  for (const std::string& part : parts) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

int run_bench(const BenchOptions& options) {
  const Gpu gpu = measured_gpu();
  std::printf("%s: reads %.0f GB/s\n", gpu.properties.name, 1e-9 * gpu.read_bytes_per_second);
  Bench bench(gpu, make_stream());
  bool found = false;
  for (const Ladder& ladder : ladders()) {
    for (const Entry& entry : ladder.entries) {
      if (!asked_for(entry.name, options.only)) continue;
      found = true;
      const Problem problem = entry.make();
      if (options.once) {
        bench.once(problem);
      } else {
        bench.run(problem);
      }
    }
  }
  if (!found) throw simt::Error("what you name is part of no operation and shape");
  if (options.json != nullptr) bench.write_json(options.json);
  return bench.all_right() ? 0 : 1;
}

}  // namespace qlab::gpu
