// SPDX-License-Identifier: Apache-2.0
/// \file
/// lab_peers: times the lab's kernels and those of other libraries on the same operands, interleaved in one
/// run, beside ceilings measured in that run.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "lab/interleaved.h"
#include "model/input_error.h"
#include "peers/peer.h"
#include "support/roofline.h"

namespace qlab::peers {
namespace {

struct Options {
  std::vector<std::string> operations = {"f16", "w8a8", "w4", "attn"};
  std::vector<int> M = {1, 8, 32, 128, 512};
  int N = 4096, K = 4096, threads = 1, rounds = 11;
  std::string lab_library, ggml, csv;
  std::vector<std::string> libraries;
};

/// Ceilings of this run.
struct Limits {
  double read_bytes_per_second;
  std::vector<Peak> peaks;
};

void print_ceilings(const Limits& limits) {
  fmt::print("  read memory {:.1f} GB/s", limits.read_bytes_per_second * 1e-9);
  for (const Peak& peak : limits.peaks) {
    const char* const unit = peak.products == Products::kInt8 ? "int8" : "float";
    fmt::print(" · {} {} {:.0f}", unit, peak.level, peak.ops_per_second * 1e-9);
  }
  fmt::print("\n");
}

/// The fastest of the others that keeps as many bits: FP16 is not compared with BF16, which has 8 of its
/// 11. peers.size() when there is none.
std::size_t best_rival(const std::vector<Peer>& peers, const Times& times, const Peer& ours) {
  std::size_t best = peers.size();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (peers[i].ours || (ours.format == "f16" && peers[i].format == "bf16")) continue;
    if (best == peers.size() || median(times[i]) < median(times[best])) best = i;
  }
  return best;
}

class Comparison {
 public:
  Comparison(const Options& options, Limits limits)
      : options_(options), limits_(std::move(limits)) {
    if (options.csv.empty()) return;
    csv_.open(options.csv);
    if (!csv_) throw InputError(options.csv + ": cannot be written");
    csv_ << "op,peer,M,N,K,threads,ms,ms_low,ms_high,gops,gbps,share\n";
  }

  /// Times all peers of a problem and prints them, ours as ratios to the best of the others.
  void run(const std::string& operation, int M, double ops, const std::vector<Peer>& peers,
           bool cold) {
    std::vector<Candidate> candidates;
    for (const Peer& peer : peers) {
      const Cost cost{.bytes = static_cast<std::int64_t>(peer.bytes),
                      .flops = static_cast<std::int64_t>(ops)};
      candidates.push_back({peer.name, best_isa(), cost, peer.run, peer.check});
    }
    for (const Candidate& candidate : candidates) candidate.run();  // what they allocate, they have
    const Pace pace{options_.rounds, options_.rounds, 0, cold};
    const Times times = interleaved(candidates, pace, /*seed=*/1, [] { test::flush_caches(); });
    fmt::print("\n{}, M = {}{}\n", operation, M, cold ? ", caches emptied before each call" : "");
    for (std::size_t i = 0; i < peers.size(); ++i) {
      print_row(operation, M, ops, peers[i], median_interval(times[i], 1), cold);
      const std::size_t best = peers[i].ours ? best_rival(peers, times, peers[i]) : peers.size();
      if (best < peers.size()) {
        const Interval ratio = time_ratio(times[best], times[i], 1);
        fmt::print("  {:.2f}x [{:.2f}, {:.2f}] of {}", ratio.value, ratio.low, ratio.high,
                   peers[best].name);
      }
      fmt::print("\n");
    }
    std::fflush(stdout);
  }

 private:
  void print_row(const std::string& operation, int M, double ops, const Peer& peer,
                 const Interval& seconds, bool cold) {
    const Peak* const peak = ceiling_of(limits_.peaks, peer.products, best_isa());
    const double compute = peak == nullptr ? 0 : ops / peak->ops_per_second;
    const double read = cold ? peer.bytes / limits_.read_bytes_per_second : 0;
    const double share = std::max(compute, read) / seconds.value;
    fmt::print("  {:<34} {:>8.3f} ms ±{:>3.0f} % {:>7.1f} GOP/s {:>6.2f} GB/s {:>4.0f} % of {}",
               peer.name, seconds.value * 1e3, 50 * (seconds.high - seconds.low) / seconds.value,
               ops / seconds.value * 1e-9, peer.bytes / seconds.value * 1e-9, 100 * share,
               read > compute ? "read" : "peak");
    if (!csv_.is_open()) return;
    csv_ << fmt::format("{},{},{},{},{},{},{:.4f},{:.4f},{:.4f},{:.1f},{:.2f},{:.3f}\n", operation,
                        peer.name, M, options_.N, options_.K, options_.threads, seconds.value * 1e3,
                        seconds.low * 1e3, seconds.high * 1e3, ops / seconds.value * 1e-9,
                        peer.bytes / seconds.value * 1e-9, share);
  }

  const Options& options_;
  Limits limits_;
  std::ofstream csv_;
};

void compare_products(Comparison& comparison, const Options& options, const std::string& name,
                      Operation operation) {
  for (const int M : options.M) {
    const Problem problem(M, options.N, options.K, options.threads);
    std::vector<Peer> peers;
    add_openblas(peers, problem, operation);
    add_onednn(peers, problem, operation);
    add_ggml(peers, problem, operation);
    add_libraries(peers, problem, operation);
    comparison.run(name, M, 2.0 * M * options.N * options.K, peers, M <= 8);
  }
}

/// OpenMP's workers go on spinning for some 10 ms after a call, on the core that the next library's worker
/// needs. They shall stop after a tenth of a millisecond; OpenMP asks once, when it is loaded.
void calm_openmp(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "2000", 1);
  execv("/proc/self/exe", argv);  // on failure the run is as good as without
}

void run(const Options& options) {
  load_library(options.lab_library, /*ours=*/true);
  for (const std::string& file : options.libraries) load_library(file, /*ours=*/false);
  if (!options.ggml.empty()) load_ggml(options.ggml);
  ThreadPool threads(options.threads);
  fmt::print("The lab's kernels beside {}, N = {}, K = {}, {}, {} rounds\n", built_with(),
             options.N, options.K,
             options.threads == 1 ? "1 thread" : fmt::format("{} threads", options.threads),
             options.rounds);
  const Limits limits{test::read_bytes_per_second(threads), measure_peaks(threads)};
  print_ceilings(limits);
  Comparison comparison(options, limits);
  for (const std::string& name : options.operations) {
    if (name == "f16") compare_products(comparison, options, name, Operation::kFloat);
    if (name == "w8a8") compare_products(comparison, options, name, Operation::kInt8);
    if (name == "w4") compare_products(comparison, options, name, Operation::kInt4);
    if (name != "attn") continue;
    const Attention problem(options.threads);
    std::vector<Peer> peers;
    add_ggml_attention(peers, problem);
    add_library_attention(peers, problem);
    comparison.run(name, 1, 4.0 * problem.heads * problem.context * problem.head_dim, peers, true);
  }
  fmt::print(
      "\nA row: median, half the 95 % interval; the share of the least time that bytes and\n"
      "operations need. After ours: how many times the best peer's speed, round by round;\n"
      "FP16's peers are those that keep its 11 bits.\n");
}

}  // namespace
}  // namespace qlab::peers

int main(int argc, char** argv) {
  using namespace qlab;
  peers::calm_openmp(argv);
  peers::Options options;
  CLI::App app("Times the lab's kernels beside other libraries'.", "lab peers");
  app.add_option("--ops", options.operations, "f16, w8a8, w4, attn")
      ->delimiter(',')
      ->check(CLI::IsMember({"f16", "w8a8", "w4", "attn"}));
  app.add_option("--m", options.M, "rows of X")->delimiter(',')->check(CLI::Range(1, 65536));
  app.add_option("--n", options.N, "columns of Y")->check(CLI::Range(1, 1 << 20));
  app.add_option("--k", options.K, "the reduction; a multiple of 128")
      ->check(CLI::Range(128, 65536));
  app.add_option("--threads", options.threads, "of every library")->check(CLI::Range(1, 256));
  app.add_option("--rounds", options.rounds, "interleaved, in random order")
      ->check(CLI::Range(3, 1000));
  app.add_option("--ggml", options.ggml, "a folder with libggml-base.so and libggml-cpu*.so");
  app.add_option("--lab", options.libraries, "a library that exports peer_abi.h; may be repeated");
  app.add_option("--out", options.csv, "the rows as CSV");
  app.add_option("--ours", options.lab_library, "the lab's own library")
      ->default_str(QLAB_PEER_FILE);
  options.lab_library = QLAB_PEER_FILE;
  try {
    app.parse(argc, argv);
    if (options.K % peers::Problem::kGroup != 0) {
      throw InputError(
          fmt::format("--k {} is no multiple of 128, a group of 4-bit weights", options.K));
    }
    peers::run(options);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const InputError& error) {
    std::cerr << "lab peers: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "lab peers: " << error.what() << "\n";
    return 3;
  }
}
