// SPDX-License-Identifier: Apache-2.0
/// \file
/// Calibration of a model: what flows into its linear layers on sample documents, the fixed scales and
/// the smoothing that follow from it, and the file that keeps the scales.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "02_int8_calibration/calibrate.h"
#include "03_int4_weight_only/gptq.h"
#include "common/isa.h"
#include "model/checkpoint.h"
#include "model/evaluate.h"
#include "model/llama.h"

namespace qlab {

/// What calibration saw of the input of one linear layer.
struct LayerInput {
  std::string name;                   ///< one of linear_names
  std::vector<float> samples;         ///< every value of every token
  std::vector<float> channel_absmax;  ///< [K] the largest magnitude of each input channel
};

/// Of layer `name`. \throws ContractError when nothing was observed of it.
const LayerInput& input_of(std::span<const LayerInput> inputs, std::string_view name);

/// Runs the model over the documents and keeps what flows into its linear layers, in their order.
/// \throws ContractError without a document, or for one that does not fit the model.
std::vector<LayerInput> observe_inputs(const Llama& model, std::span<const Document> documents,
                                       const Machine& machine);

/// A threshold for each layer. \throws ContractError as calibrate() does.
Thresholds calibrate_layers(std::span<const LayerInput> inputs, Calibrator calibrator,
                            double percentile, const Machine& machine);

/// SmoothQuant on a checkpoint: in every block, the factors of its two norms' outputs are folded into
/// gains and into q, k, v or gate, up, which share that input. o_proj and down_proj stay as they are:
/// no norm stands before them. The FP32 function is changed by rounding only.
/// \param inputs  observed on this checkpoint
/// \param alpha   0 … 1: how much of the difficulty goes to the weights
/// \throws ContractError when the inputs are not this checkpoint's.
void smooth_checkpoint(Checkpoint& checkpoint, std::span<const LayerInput> inputs, double alpha);

/// GPTQ on every layer, each with the Hessian of its own inputs. The inputs are those of the model in
/// FP16, not of one whose earlier layers are rounded already.
/// \throws ContractError when the inputs are not this checkpoint's, or as quantize_int4_gptq does.
Int4Layers gptq_layers(const Checkpoint& checkpoint, std::span<const LayerInput> inputs,
                       const GptqOptions& options, const Machine& machine);

/// What AWQ does to a checkpoint.
struct AwqOptions {
  std::int64_t group_size = 128;
  bool clip = true;  ///< also search how far each group's range can shrink
};

/// AWQ on a checkpoint, to be rounded to nearest afterwards: scales of q, k, v and of gate, up are
/// folded into the norms before them, those of down_proj into the rows of up_proj; o_proj keeps its
/// own (under grouped queries v_proj has fewer rows). Then weights are clipped, but for q and k, whose
/// products are too sensitive. The FP32 function changes by the clipping only.
/// \throws ContractError as smooth_checkpoint does.
void awq_checkpoint(Checkpoint& checkpoint, std::span<const LayerInput> inputs,
                    const AwqOptions& options, const Machine& machine);

/// Fixed scales as a file: {"schema", "schema_version", "calibrator", "thresholds": {layer: number}}.
std::string thresholds_to_json(const Thresholds& thresholds, const std::string& calibrator);

/// Reads such a file for a model.
/// \throws InputError naming the file and the layer: one that the file lacks, one that the model does
///         not have, a threshold that is no finite number from 0 on; or that it is no such file.
Thresholds read_thresholds(const std::filesystem::path& file, const LlamaConfig& config);

}  // namespace qlab
