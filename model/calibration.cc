// SPDX-License-Identifier: Apache-2.0
/// \file
/// Observes inputs, calibrates them layer by layer on all threads, and smooths a checkpoint.
#include "model/calibration.h"

#include <algorithm>

#include "02_int8_calibration/smoothquant.h"

namespace qlab {
namespace {

void smooth_consumers(const LayerInput& input, std::vector<float>& gain,
                      std::initializer_list<Matrix<float>*> weights, double alpha) {
  std::vector<float> weight_absmax(gain.size());
  std::vector<MatrixView<float>> consumers;
  for (Matrix<float>* weight : weights) {
    raise_column_absmax(weight->view(), weight_absmax);
    consumers.push_back(weight->view());
  }
  fold_smoothing(smoothing_factors(input.channel_absmax, weight_absmax, alpha), gain, consumers);
}

}  // namespace

const LayerInput& input_of(std::span<const LayerInput> inputs, std::string_view name) {
  const auto found = std::ranges::find(inputs, name, &LayerInput::name);
  QLAB_CHECK(found != inputs.end(), "calibration: nothing was observed of ", name,
             "; observe this model");
  return *found;
}

std::vector<LayerInput> observe_inputs(const Llama& model, std::span<const Document> documents,
                                       const Machine& machine) {
  QLAB_CHECK(!documents.empty(), "observe_inputs: no document; calibration needs at least one");
  std::vector<LayerInput> inputs;
  for (const std::string& name : linear_names(model.config())) inputs.push_back({name, {}, {}});
  const LinearObserver keep = [&](std::string_view name, MatrixView<const float> x) {
    LayerInput& input = *std::ranges::find(inputs, name, &LayerInput::name);
    input.channel_absmax.resize(static_cast<std::size_t>(x.cols()));
    raise_column_absmax(x, input.channel_absmax);
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      input.samples.insert(input.samples.end(), x.row(t), x.row(t) + x.cols());
    }
  };
  for (const Document& document : documents) {
    KvCache cache = model.new_cache(std::ssize(document.tokens));
    model.forward(document.tokens, cache, machine, keep);
  }
  return inputs;
}

Thresholds calibrate_layers(std::span<const LayerInput> inputs, Calibrator calibrator,
                            double percentile, const Machine& machine) {
  std::vector<float> found(inputs.size());
  machine.threads.run(std::ssize(inputs), [&](std::int64_t i) {
    const auto layer = static_cast<std::size_t>(i);
    found[layer] = calibrate(inputs[layer].samples, calibrator, percentile);
  });
  Thresholds thresholds;
  for (std::size_t i = 0; i < inputs.size(); ++i) thresholds[inputs[i].name] = found[i];
  return thresholds;
}

void smooth_checkpoint(Checkpoint& checkpoint, std::span<const LayerInput> inputs, double alpha) {
  const std::vector<std::string> names = linear_names(checkpoint.config);
  for (std::size_t i = 0; i < checkpoint.layers.size(); ++i) {
    LayerWeights& w = checkpoint.layers[i];
    smooth_consumers(input_of(inputs, names[4 * i]), w.input_norm,
                     {&w.q_proj, &w.k_proj, &w.v_proj}, alpha);
    smooth_consumers(input_of(inputs, names[4 * i + 2]), w.post_attention_norm,
                     {&w.gate_proj, &w.up_proj}, alpha);
  }
}

}  // namespace qlab
