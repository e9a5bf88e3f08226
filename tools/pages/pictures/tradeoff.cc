// SPDX-License-Identifier: Apache-2.0
/// \file
/// The picture of tradeoff: what a roofline predicts of claims about times, and what was measured.
#include "05_serving/tradeoff.h"

#include <vector>

#include "04_kv_cache/kv_budget.h"
#include "lab/svg_chart.h"
#include "pages/pictures/lab05.h"

namespace qlab {
namespace {

struct Timed {
  FormatWork work;
  KernelPath path = KernelPath::kMadeForIt;
};

/// Claims about one ratio of two times.
struct Ratio {
  const char *claim, *label;
  Timed above, below;
};

/// Ratios of one kind, which have one mark.
struct Kind {
  const char* name;
  std::vector<Ratio> ratios;
};

constexpr KvModel kHeads{.n_layers = 1, .n_heads = 32, .n_kv_heads = 32, .head_dim = 128};
constexpr Arithmetic kFp16 = Arithmetic::kFp16, kInt8 = Arithmetic::kInt8;

/// A linear layer of 4096 columns, of which fewer rows are timed where M is large.
Timed product(std::int64_t M, int bits, int group, Arithmetic arithmetic) {
  return {linear_work({M, M == 1 ? 4096 : 384, 4096}, {bits, group}, arithmetic)};
}

Timed attention(const KvStorage& storage) {
  constexpr std::int64_t kTokens = 4096;
  return {attention_work({kHeads.n_heads, kHeads.n_kv_heads, kHeads.head_dim, kTokens},
                         kv_bytes_of_sequence_ref(kHeads, storage, kTokens) / kTokens)};
}

Timed unpacked_first(const Timed& timed) { return {timed.work, KernelPath::kUnpackFirst}; }

/// The operations whose times `./lab compare` relates, on the sides that it times. C43 has plain INT8
/// twice: the four FP16 columns of LLM.int8() are too few to count.
std::vector<Kind> kinds() {
  const Timed fp16 = product(1, 16, 0, kFp16), fp16_256 = product(256, 16, 0, kFp16);
  const Timed int8 = product(1, 8, 0, kInt8), int8_256 = product(256, 8, 0, kInt8);
  const Timed int4 = product(1, 4, 128, kFp16), int4_256 = product(256, 4, 128, kFp16);
  const Timed w4a8 = product(1, 4, 128, kInt8), w4a8_256 = product(256, 4, 128, kInt8);
  const Timed kv_fp16 = attention({.bits = 16}), kv_int8 = attention({.bits = 8, .group_bytes = 2});
  const Timed kv_int4 = attention({.bits = 4, .group_size = 32, .group_bytes = 4});
  return {
      {"linear layer, M = 1",
       {{"C10", "C10, C33", int8, fp16},
        {"C18", "C18, C19", int4, fp16},
        {"C43", "C43", int8, int8},
        {"C51", "C51", w4a8, int4}}},
      {"linear layer, M = 256",
       {{"C08", "C08", int8_256, fp16_256},
        {"C31", "C31", int4_256, fp16_256},
        {"C50", "C50", w4a8_256, fp16_256}}},
      {"decode attention", {{"C26", "C26", kv_int8, kv_fp16}, {"C53", "C53", kv_int4, kv_fp16}}},
      {"without its kernel",
       {{"C22", "C22", unpacked_first(int4), fp16},
        {"C30", "C30", unpacked_first(kv_int8), kv_fp16},
        {"C44", "C44", unpacked_first(int8), fp16}}}};
}

/// The two numbers that `./lab compare` measures, and the INT8 peak counted from one of them: a 512-bit
/// VNNI instruction does 64 multiply-adds, where the FP32 one that was timed does 8.
ServedDevice reference_machine(const Measured& measured) {
  const double fma = measured.number("roofline.fma_flops_per_second");
  return {.fp16_flops = fma,
          .int8_flops = 8 * fma,
          .bytes_per_second = measured.number("roofline.read_bytes_per_second"),
          .step_overhead_seconds = 0};
}

}  // namespace

std::string picture_of_tradeoff(const Measured& measured) {
  const ServedDevice device = reference_machine(measured);
  ChartPanel panel{.x = {.label = "predicted from bandwidth and peak", .log = true},
                   .y = {.label = "measured", .log = true, .low = 0.1},
                   .lines = {{.name = "as predicted", .x = {0.1, 4}, .y = {0.1, 4}}}};
  for (const Kind& kind : kinds()) {
    ChartPoints points{.name = kind.name, .points = {}};
    for (const Ratio& ratio : kind.ratios) {
      points.points.push_back({.x = predict_ratio(ratio.above.work, ratio.above.path, device) /
                                    predict_ratio(ratio.below.work, ratio.below.path, device),
                               .y = measured.number(ratio.claim),
                               .label = ratio.label});
    }
    panel.points.push_back(std::move(points));
  }
  panel.height = 360;
  return svg_chart({.title = "Ratios of times, predicted and measured",
                    .subtitle = "12 ratios of 14 claims on the reference CPU",
                    .description = "Points near the diagonal are predicted well. Farthest above it "
                                   "lies C22, INT4 without its "
                                   "kernel, then C53, attention over an INT4 cache.",
                    .panels = {panel}});
}

}  // namespace qlab
