// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rounds in random order, and the file of their times.
#include "gpu/compare.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <thread>
#include <utility>

#include "common/random.h"
#include "gpu/gpu_run.h"
#include "gpu/operands.h"
#include "gpu/peak.h"
#include "support/cuda_replays.h"

namespace qlab::gpu {
namespace {

using test::Replays;

struct Pace {
  int rounds;
  std::chrono::milliseconds rest;  ///< of the card before each turn of a hot problem
};
constexpr Pace kQuick{21, std::chrono::milliseconds(20)}, kFull{41, std::chrono::milliseconds(40)};

/// Of one candidate, in the order of rounds.
struct Timed {
  CompareCandidate candidate;
  std::vector<double> seconds;
};
struct TimedProblem {
  std::string operation;
  std::vector<Timed> candidates;
};

std::unique_ptr<Replays> replays_of(const Contender& contender, std::size_t copies, Stream stream) {
  return std::make_unique<Replays>(stream, copies,
                                   [&](std::size_t copy) { contender.run(copy, stream); });
}

/// Each candidate once a round, each round in a fresh random order, after one that is not counted.
std::vector<Timed> timed(const CompareProblem& problem, const Pace& pace, Stream stream) {
  std::vector<std::unique_ptr<Replays>> replays;
  std::vector<Timed> result;
  for (const CompareCandidate& c : problem.candidates) {
    replays.push_back(replays_of(c.contender, c.copies, stream));
    result.push_back({c, {}});
  }
  Random random(1);
  std::vector<std::size_t> order(result.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (int round = -1; round < pace.rounds; ++round) {
    for (std::size_t i = order.size() - 1; i > 0; --i) {
      const auto other = random.below(static_cast<std::int64_t>(i) + 1);
      std::swap(order[i], order[static_cast<std::size_t>(other)]);
    }
    for (const std::size_t which : order) {
      if (problem.hot) std::this_thread::sleep_for(pace.rest);
      const double seconds = replays[which]->measure();
      if (round >= 0) result[which].seconds.push_back(seconds);
    }
  }
  return result;
}

/// Of the first copy and of the last.
void check(const CompareProblem& problem, Stream stream) {
  for (const CompareCandidate& c : problem.candidates) {
    if (!c.contender.right) continue;  // a peer's, whose output is another
    for (const std::size_t copy : {std::size_t{0}, c.copies - 1}) {
      c.contender.poison(copy, stream);
      c.contender.run(copy, stream);
      simt::check(cudaStreamSynchronize(stream), c.name.c_str());
      if (!c.contender.right(copy)) {
        throw WrongResult(problem.operation + ": MISMATCH of " + c.name + " (" + c.contender.name +
                          "); the time of a wrong result means nothing, and no file was written");
      }
    }
  }
}

double median_of(std::vector<double> seconds) {
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

void say(const TimedProblem& problem) {
  std::fprintf(stderr, "%s:", problem.operation.c_str());
  for (const Timed& t : problem.candidates) {
    std::fprintf(stderr, " %s %.2f us (%s)%s", t.candidate.name.c_str(), 1e6 * median_of(t.seconds),
                 t.candidate.contender.name.c_str(), &t == &problem.candidates.back() ? "\n" : ",");
  }
}

void write(std::FILE* file, const TimedProblem& problem) {
  std::fprintf(file, "\n  {\"operation\": \"%s\", \"candidates\": [", problem.operation.c_str());
  for (const Timed& t : problem.candidates) {
    const CompareCandidate& c = t.candidate;
    std::fprintf(file,
                 "%s\n   {\"name\": \"%s\", \"rung\": \"%s\", \"ours\": %s, \"bytes\": %lld, "
                 "\"flops\": %lld,\n    \"seconds\": [",
                 &t == &problem.candidates.front() ? "" : ",", c.name.c_str(),
                 c.contender.name.c_str(), c.contender.ours ? "true" : "false",
                 static_cast<long long>(c.cost.bytes), static_cast<long long>(c.cost.flops));
    for (std::size_t i = 0; i < t.seconds.size(); ++i) {
      std::fprintf(file, "%s%.7g", i == 0 ? "" : ", ", t.seconds[i]);
    }
    std::fprintf(file, "]}");
  }
  std::fprintf(file, "\n  ]}");
}

/// What the tensor cores do in this run, in operations a second.
struct Rates {
  double fp16, int8;                  ///< at most
  double fp16_product, int8_product;  ///< in the fastest large product, which a server's prefill is

  /// On what came after Hopper the loop is not all that its tensor cores do: a peer may show more.
  void learn_from_peers(const TimedProblem& problem) {
    for (const auto& [candidate, seconds] : problem.candidates) {
      if (candidate.contender.ours) continue;
      fp16 = std::max(fp16, static_cast<double>(candidate.cost.flops) / median_of(seconds));
    }
  }
};

/// Of the fastest kernel, ours or a peer's, that a ladder of `./lab bench` has at 4096 tokens in a
/// layer of 4096 by 4096.
double product_flops_per_second(const Ladder& ladder, const std::string& operation,
                                const Pace& pace, Stream stream) {
  const std::string name = operation + ", " + shape_text(4096, 4096, 4096);
  const auto entry = std::find_if(ladder.entries.begin(), ladder.entries.end(),
                                  [&](const Entry& e) { return e.name == name; });
  const Problem problem = entry->make();
  const CompareProblem product{
      name, true, {fastest(operation, problem.cost, problem.copies, problem.contenders, stream)}};
  const std::vector<Timed> times = timed(product, pace, stream);
  check(product, stream);
  return static_cast<double>(problem.cost.flops) / median_of(times.front().seconds);
}

Rates measured_rates(const Pace& pace, Stream stream) {
  const double fp16 = product_flops_per_second(gemm_ladder(), "fp16_gemm", pace, stream);
  const double int8 = product_flops_per_second(w8a8_ladder(), "w8a8_gemm", pace, stream);
  return {.fp16 = std::max(fp16, fp16_flops_per_second(stream)),
          .int8 = std::max(int8, int8_flops_per_second(stream)),
          .fp16_product = fp16,
          .int8_product = int8};
}

std::string unfinished(const std::string& path) { return path + ".part"; }

std::FILE* open_for_writing(const std::string& path) {
  std::FILE* const file = std::fopen(unfinished(path).c_str(), "w");
  if (file == nullptr) {
    throw simt::Error(path + ": cannot be written; name a file in a folder that you may write to");
  }
  return file;
}

void write(const std::string& path, const test::Gpu& gpu, const Rates& rates, bool quick,
           const std::vector<TimedProblem>& problems) {
  std::FILE* const file = open_for_writing(path);
  std::fprintf(file,
               "{\n \"schema\": \"quantization-lab.gpu_compare\",\n \"schema_version\": 1,\n"
               " \"circumstances\": {%s, \"quick\": %s},\n \"roofline\": "
               "{\"read_bytes_per_second\": %.6g, \"launch_seconds\": %.6g, "
               "\"fp16_flops_per_second\": %.6g, \"int8_flops_per_second\": %.6g, "
               "\"fp16_product_flops_per_second\": %.6g, "
               "\"int8_product_flops_per_second\": %.6g},\n \"problems\": [",
               circumstances_json(gpu).c_str(), quick ? "true" : "false", gpu.read_bytes_per_second,
               gpu.launch_seconds, rates.fp16, rates.int8, rates.fp16_product, rates.int8_product);
  for (const TimedProblem& problem : problems) {
    if (&problem != &problems.front()) std::fprintf(file, ",");
    write(file, problem);
  }
  std::fprintf(file, "\n ]\n}\n");
  const bool failed = std::ferror(file) != 0;
  if (std::fclose(file) != 0 || failed ||
      std::rename(unfinished(path).c_str(), path.c_str()) != 0) {
    std::remove(unfinished(path).c_str());
    throw simt::Error(path + ": cannot be written in full");
  }
}

}  // namespace

CompareCandidate fastest(const std::string& name, const Cost& cost, std::size_t copies,
                         const std::vector<Contender>& rungs, Stream stream) {
  const Contender* best = nullptr;
  double least = 0;
  for (const Contender& rung : rungs) {
    try {
      const auto replays = replays_of(rung, copies, stream);
      for (int i = 0; i < 3; ++i) replays->measure();
      const double seconds = replays->seconds().median;
      if (best == nullptr || seconds < least) {
        best = &rung;
        least = seconds;
      }
    } catch (const WrongGpu&) {  // others take part
    }
  }
  if (best == nullptr) throw simt::Error(name + " has no rung for this GPU");
  return {name, cost, copies, *best};
}

void run_compare(bool quick, const char* path) {
  test::Gpu gpu = measured_gpu();
  std::fclose(open_for_writing(path));  // before the time is spent
  std::remove(unfinished(path).c_str());
  const Stream stream = make_stream();
  const Pace& pace = quick ? kQuick : kFull;
  Rates rates = measured_rates(pace, stream);
  std::fprintf(stderr,
               "%s: reads %.0f GB/s; tensor cores %.0f TFLOP/s in FP16, %.0f in INT8, in products "
               "%.0f and %.0f\n",
               gpu.properties.name, 1e-9 * gpu.read_bytes_per_second, 1e-12 * rates.fp16,
               1e-12 * rates.int8, 1e-12 * rates.fp16_product, 1e-12 * rates.int8_product);
  std::vector<TimedProblem> problems;
  const auto time = [&](const CompareProblem& problem) {
    problems.push_back({problem.operation, timed(problem, pace, stream)});
    check(problem, stream);
    say(problems.back());
    rates.learn_from_peers(problems.back());
    // What holds the operands goes with them.
    for (Timed& t : problems.back().candidates) {
      t.candidate.contender.run = nullptr;
      t.candidate.contender.poison = nullptr;
      t.candidate.contender.right = nullptr;
    }
  };
  compare_layers(quick, stream, time);
  compare_attention(quick, stream, time);
  // The card may have been slower when it was asked first.
  gpu.read_bytes_per_second = std::max(gpu.read_bytes_per_second, read_bytes_per_second());
  write(path, gpu, rates, quick, problems);
}

}  // namespace qlab::gpu
