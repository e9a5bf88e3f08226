// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the operations at the layer shapes of a 7B model, interleaved, as ratios to FP16 and to
/// this machine's read bandwidth and multiply-add peak.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/contract.h"
#include "common/isa.h"
#include "common/statistics.h"
#include "lab/interleaved.h"
#include "lab/mine.h"
#include "lab/terminal.h"
#include "lab/verdict.h"

namespace qlab {

struct SpeedRow {
  std::string operation;  ///< "attention projection 4096×4096, M = 1", "decode attention, …",
                          ///< "batched attention, …"
  std::string name;       ///< of the configuration, with " on scalar" for a forced fallback
  bool yours = false;     ///< the learner's kernel, whose path is none of ours
  Isa path;
  Cost cost;
  Interval seconds;
  Interval to_fp16;   ///< time / FP16's time, round by round
  std::string plain;  ///< the plain form of this format: "int8" of "int8_llm"; empty for itself
  std::optional<Interval> to_plain;  ///< time / its time
  double noise;                      ///< twice what FP16 differed from itself, relative
  double read_bandwidth_share;       ///< bytes a second / read bandwidth of this run
  double fma_peak_share;             ///< operations a second / FMA peak of this run
  std::int64_t rounds;
  bool peer = false;      ///< another library's kernel, beside ours
  std::string rung = {};  ///< "v3_tiles", of a GPU's kernel; empty on the CPU

  /// "yours", the rung on a GPU, or the name of the level.
  std::string_view path_name() const {
    return yours ? "yours" : rung.empty() ? isa_name(path) : rung;
  }
};

/// From how many tokens on a format gains nothing over FP16 any more, in the first layer: the smallest M
/// that was timed and is not kGain faster. Infinity when it gains at all of them.
struct Crossover {
  std::string name;
  Interval tokens;
};

/// Less than this is no gain.
inline constexpr double kGain = 0.02;

struct Speed {
  double read_bytes_per_second, fma_flops_per_second;  ///< measured in this run
  std::vector<SpeedRow> rows;
  std::vector<Crossover> crossovers;
  std::vector<std::string> about = {};  ///< sentences: why a learner's kernel has no row, what a
                                        ///< GPU's rows are
};

/// What is timed.
struct SpeedPlan {
  struct Layer {
    std::string name;
    std::int64_t N, K;
    std::vector<std::int64_t> tokens;  ///< M of each call, rising
  };
  /// Decode attention of a batch.
  struct Batch {
    std::int64_t sequences, context;
  };
  std::vector<Layer> layers;  ///< claims are about the first
  std::int64_t n_heads, n_kv_heads, head_dim, context;
  std::vector<Batch> batches;
  std::int64_t batch_kv_heads = 8;  ///< as Llama 3 8B, so that 65,536 tokens fit a small machine
  std::string only;                 ///< a family: only its formats beside FP16; empty: all
  Pace pace;       ///< cold only up to M = 16: more rows read weights that the cache may well hold
  double seconds;  ///< that all of it takes, about: its share of the progress line
  Mine mine = {};  ///< timed beside ours, each at the shapes that it takes
};

/// A projection of a 7B model at M = 1, 2, 4, 8, 16, 64 and 256, its MLP at 1, 16 and 256, and its
/// attention over 4096 tokens; `quick`: the projection at four of them, and fewer rounds. `only`: a
/// family, as in choose_configurations; "kv" adds contexts of 1k to 32k and batches of 1 to 64.
SpeedPlan speed_plan(bool quick, std::string_view only = "");

/// Of every format that was timed in the layer but FP16 and the portable paths. The interval of M is
/// that of the ratios, widened by their noise.
std::vector<Crossover> crossovers(const Speed& speed, const SpeedPlan::Layer& layer);

/// "8x1024" of a row of batched attention: sequences and context.
std::string batch_of(const SpeedRow& row);

/// Adds what claims may ask about times; of linear layers, about the first one.
void add_speed_measurements(const Speed& speed, const std::string& first_layer,
                            Measurements& measurements);

/// Times every operation and adds the measurements that claims name. `done` is where the progress
/// line stands, `unit` what a second of work counts on it.
Speed measure_speed(const SpeedPlan& plan, std::uint64_t seed, const Machine& machine,
                    Progress& progress, double done, double unit, Measurements& measurements);

}  // namespace qlab
