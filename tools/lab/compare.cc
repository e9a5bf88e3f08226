// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab compare`: loads, measures, judges, prints, writes.
#include "lab/compare.h"

#include <fmt/format.h>

#include "lab/compare_serving.h"
#include "lab/gpu_speed.h"
#include "lab/html_report.h"
#include "lab/output_file.h"
#include "lab/results.h"

namespace qlab {
namespace {

const std::filesystem::path kSource = QLAB_SOURCE_DIR;

/// FNV-1a over weights and documents: two runs with equal hashes measured the same inputs.
class Hash {
 public:
  void add(const void* data, std::size_t bytes) {
    const auto* byte = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < bytes; ++i) value_ = (value_ ^ byte[i]) * 0x100000001B3;
  }
  void add(const Document& document) {
    add(document.tokens.data(), document.tokens.size() * sizeof(std::int32_t));
  }
  std::string text() const { return fmt::format("fnv1a:{:016x}", value_); }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325;
};

std::string hash_inputs(const Checkpoint& checkpoint, const Evaluation& evaluation) {
  Hash hash;
  hash.add(checkpoint.embed_tokens.data(), checkpoint.embed_tokens.bytes());
  for (const LayerWeights& layer : checkpoint.layers) {
    for (const Matrix<float>* weight : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj,
                                        &layer.gate_proj, &layer.up_proj, &layer.down_proj}) {
      hash.add(weight->data(), weight->bytes());
    }
  }
  for (const Document& document : evaluation.text) hash.add(document);
  for (const RecallDocument& document : evaluation.recall) hash.add(document.text);
  return hash.text();
}

std::int64_t parameters_of(const Checkpoint& checkpoint) {
  const LlamaConfig& c = checkpoint.config;
  const std::int64_t tables = (c.tie_word_embeddings ? 1 : 2) * c.vocab_size * c.hidden_size;
  std::int64_t block = 2 * c.hidden_size;
  const LayerWeights& layer = checkpoint.layers.front();
  for (const Matrix<float>* weight : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj,
                                      &layer.gate_proj, &layer.up_proj, &layer.down_proj}) {
    block += weight->rows() * weight->cols();
  }
  return tables + c.n_layers * block + c.hidden_size;
}

}  // namespace

int run_compare(const CompareOptions& options, const Terminal& terminal) {
  std::optional<OutputFile> json, html;
  if (options.json) json.emplace(*options.json);
  if (options.html) html.emplace(*options.html);
  std::optional<GpuTimes> gpu;
  if (options.device != "cpu") gpu = read_gpu_times(options.device);
  const double load = load_average();  // before we add to it
  const Plan plan = read_plan(kSource / "plan/quantization_comparison_plan.md");
  const bool own_model = options.model.empty();
  const Checkpoint checkpoint =
      load_checkpoint(own_model ? kSource / "model/tiny_lm" : options.model);
  Evaluation evaluation = make_evaluation(options.quick, options.seed);
  // Details take time that a quick run of everything does not have.
  std::vector<Configuration> chosen =
      choose_configurations(options.only, !options.quick || !options.only.empty());
  if (!options.calibration.empty()) {
    evaluation.calibration.file = read_thresholds(options.calibration, checkpoint.config);
    chosen.push_back(scales_of_a_file());
  }

  ThreadPool threads(options.threads);
  const Machine machine{threads, options.isa};
  // Quality is about numbers, not about time: a forced slow path must not make it take minutes.
  const Machine fastest{threads, best_isa()};
  Measurements measurements;
  // The progress line counts seconds of the speed section as so many tokens of the quality section.
  const double quality_tokens = quality_work(evaluation, chosen);
  const double tokens_per_second = quality_tokens / (options.quick ? 10 : 60);
  SpeedPlan timed = speed_plan(options.quick, options.only);
  timed.mine = options.mine;
  if (gpu) timed.seconds = 0;
  const double behind_speed = quality_tokens + tokens_per_second * timed.seconds;
  const double serving_tokens = tokens_per_second * serving_seconds(options, gpu);
  Progress progress(terminal, behind_speed + serving_tokens);
  Quality quality = measure_quality(checkpoint, evaluation, chosen, options.seed, fastest, progress,
                                    measurements);
  Speed speed = gpu ? judge_gpu_times(*gpu, plan, options.only, options.seed, measurements)
                    : measure_speed(timed, options.seed, machine, progress, quality_tokens,
                                    tokens_per_second, measurements);
  std::vector<MemoryRow> memory =
      measure_memory(checkpoint, chosen, options.budget_gib, fastest, measurements);
  std::vector<ServingSweep> serving = measure_serving(
      options, plan, checkpoint, machine, gpu,
      [&](double share, const std::string& what) {
        progress.show(behind_speed + share * serving_tokens, what);
      },
      measurements);
  progress.clear();

  const Results results{
      .circumstances = {.date = utc_now(),
                        .cpu = cpu_name(),
                        .load = load,
                        .threads = options.threads,
                        .isa = options.isa,
                        .isa_forced = options.isa < best_isa(),
                        .model = own_model ? "the lab's tiny model" : options.model.string(),
                        .parameters = parameters_of(checkpoint),
                        .inputs = hash_inputs(checkpoint, evaluation),
                        .quick = options.quick,
                        .seed = options.seed,
                        .budget_gib = options.budget_gib,
                        .only = options.only,
                        .mine = options.mine_use,
                        .gpu = gpu ? std::optional(gpu->run) : std::nullopt},
      .plan = plan,
      .quality = std::move(quality),
      .speed = std::move(speed),
      .memory = std::move(memory),
      .serving = std::move(serving),
      .measurements = std::move(measurements)};
  fmt::print("{}", report(results, terminal));
  if (json) json->commit(to_json(results));
  if (html) html->commit(html_report(results));

  return options.strict && !all_held(results) ? 4 : 0;
}

}  // namespace qlab
