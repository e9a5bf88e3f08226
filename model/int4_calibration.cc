// SPDX-License-Identifier: Apache-2.0
/// \file
/// GPTQ and AWQ on the layers of a checkpoint.
#include <algorithm>
#include <utility>

#include "03_int4_weight_only/awq.h"
#include "model/calibration.h"

namespace qlab {
namespace {

constexpr std::int64_t kMostTokens = 512;  // that AWQ looks at, as its authors do

/// The samples as tokens: [tokens, K].
MatrixView<const float> tokens_of(const LayerInput& input) {
  const std::int64_t K = std::ssize(input.channel_absmax);
  return {input.samples.data(), std::ssize(input.samples) / K, K, K};
}

/// Evenly spread rows of X, at most kMostTokens.
Matrix<float> some_tokens(MatrixView<const float> X) {
  Matrix<float> some(std::min(X.rows(), kMostTokens), X.cols());
  for (std::int64_t t = 0; t < some.rows(); ++t) {
    std::copy_n(X.row(t * X.rows() / some.rows()), X.cols(), some.view().row(t));
  }
  return some;
}

std::vector<float> reciprocals(std::span<const float> scale) {
  std::vector<float> result(scale.begin(), scale.end());
  for (float& s : result) s = 1 / s;
  return result;
}

/// Column k times factor[k].
void scale_columns(MatrixView<float> m, std::span<const float> factor) {
  for (std::int64_t r = 0; r < m.rows(); ++r) {
    for (std::int64_t k = 0; k < m.cols(); ++k) m(r, k) *= factor[static_cast<std::size_t>(k)];
  }
}

/// Finds the scales of layers that share an input X, scales their columns up and X down. Returns what
/// must be done to whatever produces X: channel k times the result's element k.
std::vector<float> scale_consumers(std::initializer_list<Matrix<float>*> weights, Matrix<float>& X,
                                   std::int64_t group_size, const Machine& machine) {
  std::vector<MatrixView<const float>> consumers;
  for (const Matrix<float>* weight : weights) consumers.push_back(weight->view());
  const std::vector<float> scale = awq_scales(consumers, X.view(), group_size, machine).scale;
  for (Matrix<float>* weight : weights) scale_columns(weight->view(), scale);
  std::vector<float> down = reciprocals(scale);
  scale_columns(X.view(), down);
  return down;
}

void fold_into_gain(std::vector<float>& gain, std::span<const float> factor) {
  for (std::size_t k = 0; k < gain.size(); ++k) gain[k] *= factor[k];
}

}  // namespace

Int4Layers gptq_layers(const Checkpoint& checkpoint, std::span<const LayerInput> inputs,
                       const GptqOptions& options, const Machine& machine) {
  const std::vector<std::string> names = linear_names(checkpoint.config);
  Int4Layers layers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const MatrixView<const float> X = tokens_of(input_of(inputs, names[i]));
    Hessian hessian(X.cols());
    hessian.add(X, machine);
    const Matrix<float> weight = linear_weight(checkpoint, i);
    layers.emplace(names[i], quantize_int4_gptq(weight.view(), hessian.value().view(), options,
                                                names[i].c_str(), machine)
                                 .weights);
  }
  return layers;
}

void awq_checkpoint(Checkpoint& checkpoint, std::span<const LayerInput> inputs,
                    const AwqOptions& options, const Machine& machine) {
  const std::vector<std::string> names = linear_names(checkpoint.config);
  for (std::size_t i = 0; i < checkpoint.layers.size(); ++i) {
    LayerWeights& w = checkpoint.layers[i];
    const auto tokens = [&](std::size_t part) {
      return some_tokens(tokens_of(input_of(inputs, names[4 * i + part])));
    };
    const auto clip = [&](std::initializer_list<Matrix<float>*> weights, const Matrix<float>& X) {
      if (!options.clip) return;
      for (Matrix<float>* weight : weights) {
        awq_clip(weight->view(), X.view(), options.group_size, machine);
      }
    };

    Matrix<float> attention = tokens(0);
    fold_into_gain(w.input_norm, scale_consumers({&w.q_proj, &w.k_proj, &w.v_proj}, attention,
                                                 options.group_size, machine));
    clip({&w.v_proj}, attention);
    clip({&w.o_proj}, tokens(1));

    // down_proj reads gate · up, in which up is linear: a row of up_proj is a channel of its input.
    // Its rows change before its columns are searched, which looks at its rounded rows.
    Matrix<float> gated = tokens(3);
    const std::vector<float> of_up =
        scale_consumers({&w.down_proj}, gated, options.group_size, machine);
    for (std::int64_t k = 0; k < w.up_proj.rows(); ++k) {
      for (float& value : w.up_proj.view().row(k, 0, w.up_proj.cols())) {
        value *= of_up[static_cast<std::size_t>(k)];
      }
    }
    clip({&w.down_proj}, gated);
    Matrix<float> mlp = tokens(2);
    fold_into_gain(w.post_attention_norm,
                   scale_consumers({&w.gate_proj, &w.up_proj}, mlp, options.group_size, machine));
    clip({&w.gate_proj, &w.up_proj}, mlp);
  }
}

}  // namespace qlab
