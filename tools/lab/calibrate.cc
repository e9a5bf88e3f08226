// SPDX-License-Identifier: Apache-2.0
/// \file
/// Observes the model in FP16 on the text, chooses thresholds, writes them.
#include "lab/calibrate.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/output_file.h"
#include "lab/quality.h"
#include "model/calibration.h"
#include "model/input_error.h"

namespace qlab {
namespace {

const std::filesystem::path kSource = QLAB_SOURCE_DIR;
constexpr std::int64_t kWindow = 256;  // bytes that the model sees at once

/// `bytes` of text in windows, the last one shorter if need be.
std::vector<Document> documents_of(const CalibrateOptions& options) {
  const std::int64_t window = std::min(kWindow, options.bytes);
  const std::int64_t count = (options.bytes + window - 1) / window;
  std::vector<Document> documents = options.text.empty()
                                        ? calibration_text(window, count)
                                        : read_documents(options.text, window, count);
  if (std::ssize(documents) < count) {
    fail_input(options.text.empty() ? kSource / "model/evaluation" : options.text, "has only ",
               std::ssize(documents) * window, " bytes in whole windows of ", window,
               "; ask for fewer --bytes or give more text");
  }
  documents.back().tokens.resize(static_cast<std::size_t>(options.bytes - (count - 1) * window));
  return documents;
}

std::string name_of(const CalibrateOptions& options) {
  const std::string name(calibrator_name(options.calibrator));
  if (options.calibrator != Calibrator::kPercentile) return name;
  return fmt::format("{} {}", name, options.percentile);
}

}  // namespace

int run_calibrate(const CalibrateOptions& options, const Terminal& terminal) {
  if (std::filesystem::exists(options.file) && !options.force) {
    fail_input(options.file, "is there already; give another name, or --force to replace it");
  }
  OutputFile file(options.file);
  const Checkpoint checkpoint =
      load_checkpoint(options.model.empty() ? kSource / "model/tiny_lm" : options.model);
  const std::vector<Document> documents = documents_of(options);

  ThreadPool threads(options.threads);
  const Machine machine{threads};
  const std::vector<LayerInput> inputs =
      observe_inputs(Llama(checkpoint, {}, machine), documents, machine);
  const Thresholds thresholds =
      calibrate_layers(inputs, options.calibrator, options.percentile, machine);

  std::string text =
      fmt::format("{} on {} bytes: the scale of a layer's input is threshold / 127\n",
                  name_of(options), options.bytes);
  text += terminal.styled(Style::kDim, fmt::format("  {:<40}{:>12}{:>12}{:>10}\n", "layer",
                                                   "largest", "threshold", "clipped"));
  for (const LayerInput& input : inputs) {
    const float threshold = thresholds.at(input.name);
    const auto clipped =
        std::ranges::count_if(input.samples, [&](float x) { return std::abs(x) > threshold; });
    text += fmt::format("  {:<40}{:>12.4g}{:>12.4g}{:>10}\n", input.name,
                        std::ranges::max(input.channel_absmax), threshold,
                        fmt::format("{:.3f} %", 100.0 * static_cast<double>(clipped) /
                                                    static_cast<double>(input.samples.size())));
  }
  file.commit(thresholds_to_json(thresholds, name_of(options)));
  fmt::print(
      "{}",
      terminal.plain(text + fmt::format("Measure it: ./lab compare --only int8 --calibration {}\n",
                                        options.file.string())));
  return 0;
}

}  // namespace qlab
