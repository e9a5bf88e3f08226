// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of attention_decode_split on a GPU: FP16, INT8 and FP8 caches, with one split and with as
/// many as choose_splits says, beside a plain read of as many bytes. Times are replays of CUDA
/// graphs whose launches go round so many caches that none is in the L2; all of a shape take turns.
/// A wrong result is no time: samples of each are compared. The table goes to stderr, JSON to
/// stdout:
///
///     build/cuda/exercises/kv_cuda_bench > plan/measured/<machine>.json
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "04_kv_cache/kv_caches.h"
#include "support/cuda_bench.h"
#include "support/cuda_replays.h"

namespace qlab::test {
namespace {

constexpr int kRounds = 21;

class Bench {
 public:
  Bench(const Gpu& gpu, cudaStream_t stream) : gpu_(gpu), stream_(stream) {
    std::fprintf(stderr, "%s: reads %.0f GB/s\n\n%-6s %7s %-6s %7s %10s %7s %7s\n",
                 gpu.properties.name, 1e-9 * gpu.read_bytes_per_second, "batch", "context",
                 "format", "splits", "us", "GB/s", "/ read");
  }

  /// All formats of one shape take turns, with some rest before each replay.
  void shape(int batch, int context) {
    struct Run {
      const char* format;
      int splits;  // 0: a plain read
      Caches* caches;
      std::unique_ptr<Replays> replays;
    };
    const int processors = gpu_.properties.multiProcessorCount;
    const int chosen = choose_splits(batch, kKvHeads, context, processors);
    std::vector<std::unique_ptr<Caches>> caches;
    std::vector<Run> runs;
    for (const auto& [format, name] : {std::pair{KvDeviceFormat::kFp16, "fp16"},
                                       {KvDeviceFormat::kInt8, "int8"},
                                       {KvDeviceFormat::kFp8E4m3, "fp8"}}) {
      caches.push_back(std::make_unique<Caches>(format, batch, context, chosen));
      Caches* const c = caches.back().get();
      for (const int splits : {0, 1, chosen}) {
        if (splits == 1 && chosen == 1) continue;
        const auto call = [=, this](std::size_t copy) {
          if (splits > 0) return c->attend(copy, splits, stream_);
          c->read(copy, static_cast<unsigned>(8 * processors), stream_);
        };
        runs.push_back({name, splits, c, std::make_unique<Replays>(stream_, c->copies(), call)});
      }
    }
    for (int round = 0; round < kRounds; ++round) {
      for (Run& run : runs) {
        std::this_thread::sleep_for(std::chrono::milliseconds(40));
        run.replays->measure();
      }
    }
    for (Run& run : runs) {
      run.caches->poison(stream_);
      run.replays->replay();
      add(run.format, run.splits, batch, context, *run.caches, run.replays->seconds());
    }
  }

  void print() const {
    // The row's time over that of the same shape in that format (null: its own) with as many splits
    // (negative: its own).
    const auto over = [this](const GpuRow& row, const char* format, int splits) {
      const std::size_t i = static_cast<std::size_t>(&row - rows_.data());
      for (std::size_t j = 0; j < rows_.size(); ++j) {
        const bool same = rows_[j].M == row.M && rows_[j].K == row.K;
        const bool wanted =
            splits < 0 ? told_[j].splits == told_[i].splits : told_[j].splits == splits;
        if (same && wanted && told_[j].format == (format != nullptr ? format : told_[i].format)) {
          return row.net_seconds / rows_[j].net_seconds;
        }
      }
      return 0.0;
    };
    print_json("kv_cuda_bench", gpu_, rows_,
               {{"time_over_read", [=](const GpuRow& r) { return over(r, nullptr, 0); }},
                {"time_over_one_split", [=](const GpuRow& r) { return over(r, nullptr, 1); }},
                {"time_over_fp16", [=](const GpuRow& r) { return over(r, "fp16", -1); }}});
  }
  bool all_right() const { return all_right_; }

 private:
  struct Told {
    std::string format;
    int splits;
  };

  void add(const char* format, int splits, int batch, int context, Caches& caches,
           const Seconds& seconds) {
    std::fprintf(stderr, "%-6d %7d %-6s %7d ", batch, context, format, splits);
    // Every graph ends with its last copy.
    if (splits > 0 && !caches.is_right(caches.copies() - 1)) {
      std::fprintf(stderr, "no time for a wrong result\n");
      all_right_ = false;
      return;
    }
    if (splits == 0) read_seconds_ = seconds.median;
    const Cost cost = caches.cost();
    rows_.push_back(
        {splits == 0 ? "read" : "attention_decode_split",
         std::string(format) + (splits == 0 ? "" : ", " + std::to_string(splits) + " splits"),
         batch, kHeads * kHeadDim, context, cost, seconds, seconds.median});
    told_.push_back({format, splits});
    std::fprintf(stderr, "%10.2f %7.0f %7.2f\n", 1e6 * seconds.median,
                 1e-9 * static_cast<double>(cost.bytes) / seconds.median,
                 seconds.median / read_seconds_);
  }

  const Gpu& gpu_;
  cudaStream_t stream_;
  std::vector<GpuRow> rows_;
  std::vector<Told> told_;  // of each row
  double read_seconds_ = 0;
  bool all_right_ = true;
};

int run() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr,
                 "kv_cuda_bench: there is no GPU here; run it where nvidia-smi lists one\n");
    return 1;
  }
  Gpu gpu;
  {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, 0), "device");
    Flush flush(static_cast<std::size_t>(properties.l2CacheSize));
    gpu = measure_gpu(flush);
  }
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "stream");  // waits for the default stream, which fills memory
  Bench bench(gpu, stream);
  for (const auto& [batch, context] :
       {std::pair{1, 4096}, {1, 32768}, {16, 8192}, {64, 4096}, {64, 16384}}) {
    bench.shape(batch, context);
  }
  bench.print();
  return bench.all_right() ? 0 : 1;
}

}  // namespace
}  // namespace qlab::test

int main() {
  try {
    return qlab::test::run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kv_cuda_bench: %s\n", e.what());
    return 1;
  }
}
