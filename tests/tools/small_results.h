// SPDX-License-Identifier: Apache-2.0
/// \file
/// A run of `lab compare` on problems so small that it takes a second or two.
#pragma once

#include <filesystem>
#include <vector>

#include "lab/results.h"
#include "lab/timed_problems.h"

namespace qlab::test {

inline const std::filesystem::path kSource = QLAB_SOURCE_DIR;

/// The lab's model, cut off behind its first block: what is measured has names and bytes, not quality,
/// and ctest runs every test below in a process of its own.
inline Checkpoint first_block() {
  Checkpoint checkpoint = load_checkpoint(kSource / "model/tiny_lm");
  checkpoint.layers.resize(1);
  checkpoint.config.n_layers = 1;
  return checkpoint;
}

/// A 7B model on paper with few requests, and the cut-off one by the clock.
inline std::vector<ServingSweep> small_sweeps(const Checkpoint& checkpoint,
                                              const Machine& machine) {
  ServingPlan big = big_serving_plan(/*quick=*/true), tiny = tiny_serving_plan();
  big.requests = 60;
  tiny.requests = 4;
  const MeasuredDevice device = measured_device(kSource / "plan/measured", "h200");
  return {modelled_sweep(big, named_models().front(), device),
          real_sweep(tiny, checkpoint, "one block", 2, machine, [](double, const auto&) {})};
}

/// One small run, shared by the tests below.
inline const Results& small_results() {
  static const Results results = [] {
    static ThreadPool threads(2);
    const Machine machine{threads, best_isa()};
    const Checkpoint checkpoint = first_block();
    const std::vector<Document> text = read_documents(kSource / "model/evaluation", 32, 3);
    Evaluation evaluation{.text = text,
                          .recall = make_recall_documents(2, 4, 60, 1),
                          .detail_text = 2,
                          .detail_recall = 1,
                          .calibration = {}};
    for (const CalibrationSet set :
         {CalibrationSet::kSameText, CalibrationSet::kOtherDomain, CalibrationSet::kTooSmall}) {
      evaluation.calibration.texts[set] = text;
    }
    const SpeedPlan plan{.layers = {{"small layer", 128, 64, {1, 4, 16, 256}}},
                         .n_heads = 2,
                         .n_kv_heads = 2,
                         .head_dim = 32,
                         .context = 1024,
                         .batches = {{2, 1024}},
                         .batch_kv_heads = 1,
                         .only = "",
                         .pace = {.min_rounds = 2, .max_rounds = 2, .seconds = 0, .cold = false},
                         .seconds = 1};
    const Terminal terminal;
    Progress progress(terminal, 1e9);
    Results r{};
    r.plan = read_plan(kSource / "plan/quantization_comparison_plan.md");
    r.circumstances.date = "2026-01-31T10:15:02Z";
    r.quality = measure_quality(checkpoint, evaluation, configurations(), 1, machine, progress,
                                r.measurements);
    r.speed = measure_speed(plan, 1, machine, progress, 0, 1, r.measurements);
    r.memory = measure_memory(checkpoint, configurations(), 24, machine, r.measurements);
    for (ServingSweep& sweep : small_sweeps(checkpoint, machine)) {
      add_serving_measurements(sweep, r.measurements);
      r.serving.push_back(std::move(sweep));
    }
    return r;
  }();
  return results;
}

}  // namespace qlab::test
