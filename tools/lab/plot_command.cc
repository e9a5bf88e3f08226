// SPDX-License-Identifier: Apache-2.0
/// \file
/// Measures what a picture shows, and writes it.
#include "lab/plot_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/output_file.h"
#include "lab/packing_picture.h"
#include "lab/plot.h"
#include "lab/quality.h"
#include "model/input_error.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

const LayerInput& asked_for(const std::vector<LayerInput>& inputs, const std::string& layer) {
  const auto found = std::ranges::find(inputs, layer, &LayerInput::name);
  if (found == inputs.end()) {
    throw InputError(fmt::format("--layer {}: the model has no such layer; its layers are {} … {}",
                                 printable(layer), inputs.front().name, inputs.back().name));
  }
  return *found;
}

CalibrationPlotData observe(const PlotOptions& options, const Machine& machine) {
  const Checkpoint checkpoint = load_checkpoint(
      options.model.empty() ? fs::path(QLAB_SOURCE_DIR) / "model/tiny_lm" : options.model);
  const CalibrationSource source{.texts = {{CalibrationSet::kSameText, calibration_text(256, 4)}},
                                 .file = {}};
  Variants variants(checkpoint, source, machine);
  const auto seen = [&](bool outliers, std::optional<double> smoothing) -> const LayerInput& {
    return asked_for(variants.inputs(outliers, smoothing, CalibrationSet::kSameText),
                     options.layer);
  };
  CalibrationPlotData data{.layer = options.layer,
                           .samples = seen(false, {}).samples,
                           .channel_absmax = seen(false, {}).channel_absmax,
                           .channel_absmax_outliers = seen(true, {}).channel_absmax,
                           .channel_absmax_smoothed = {}};
  data.channel_absmax_smoothed = seen(true, 0.5).channel_absmax;
  if (std::ranges::max(data.channel_absmax) == 0) {
    throw InputError(fmt::format("--layer {}: all that flows into it is 0; choose another layer",
                                 options.layer));
  }
  return data;
}

/// Recall of the lab's model in a cache format, over the documents of `lab compare`.
RecallPoint recall_of(const Checkpoint& checkpoint, KvFormats formats,
                      const std::vector<RecallDocument>& documents, std::uint64_t seed,
                      const Machine& machine) {
  const Llama model(checkpoint, {.kv = formats}, machine);
  std::vector<RecallScore> scores;
  for (const RecallDocument& document : documents) {
    scores.push_back(score_recall(document, document_logits(model, document.text, machine)));
  }
  const Interval recall =
      bootstrap(std::ssize(scores), seed, 2000, [&](std::span<const std::int64_t> chosen) {
        double right = 0, queries = 0;
        for (const std::int64_t i : chosen) {
          right += static_cast<double>(scores[static_cast<std::size_t>(i)].right);
          queries += static_cast<double>(scores[static_cast<std::size_t>(i)].queries);
        }
        return right / queries;
      });
  return {kv_bits(formats, checkpoint.config.head_dim), recall.value, recall.low, recall.high};
}

std::vector<std::pair<std::string, std::string>> recall_pictures(const PlotOptions& options,
                                                                 const Machine& machine) {
  using enum KvFormat;
  constexpr std::uint64_t kSeed = 1;  // that of `lab compare`
  const Checkpoint checkpoint = load_checkpoint(
      options.model.empty() ? fs::path(QLAB_SOURCE_DIR) / "model/tiny_lm" : options.model);
  const auto documents = make_evaluation(/*quick=*/false, kSeed).recall;
  const auto points = [&](std::initializer_list<KvFormat> formats) {
    std::vector<RecallPoint> all;
    for (const KvFormat format : formats) {
      all.push_back(recall_of(checkpoint, format, documents, kSeed, machine));
    }
    return all;
  };
  return recall_plot(points({kInt2, kInt4Head, kInt4, kInt8, kFp16}),
                     points({kKivi2, kKivi4, kFp16}));
}

}  // namespace

int run_plot(const PlotOptions& options, const Terminal& terminal) {
  const fs::path folder = options.out.empty() ? fs::path(QLAB_BUILD_DIR) / "plots" : options.out;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_input(folder, "is no folder and cannot be made one: ", error.message());

  ThreadPool threads(options.threads);
  const Machine machine{threads, best_isa()};
  const auto pictures = options.packing  ? packing_pictures()
                        : options.recall ? recall_pictures(options, machine)
                                         : calibration_plots(observe(options, machine));
  for (const auto& [name, svg] : pictures) {
    const fs::path file = folder / name;
    if (!options.out.empty() && !options.force && fs::exists(file)) {
      fail_input(file, "is there already; give another --out, or --force to replace it");
    }
    OutputFile(file).commit(svg);
    fmt::print("{}\n", terminal.plain(file.string()));
  }
  return 0;
}

}  // namespace qlab
