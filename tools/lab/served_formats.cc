// SPDX-License-Identifier: Apache-2.0
/// \file
/// Recipes and models as the cost model sees them.
#include "lab/served_formats.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/configurations.h"
#include "lab/memory.h"
#include "model/input_error.h"

namespace qlab {
namespace {

/// Removes `word` from the end of the text, if it is there.
bool take_word(std::string_view& text, std::string_view word) {
  if (!text.ends_with(word)) return false;
  text.remove_suffix(word.size());
  return true;
}

LlamaConfig llama3(std::int64_t layers, std::int64_t hidden, std::int64_t intermediate,
                   std::int64_t heads) {
  return {.vocab_size = 128256,
          .hidden_size = hidden,
          .intermediate_size = intermediate,
          .n_layers = layers,
          .n_heads = heads,
          .n_kv_heads = 8,
          .head_dim = 128,
          .max_positions = 8192,
          .rope_theta = 500000,
          .rms_norm_eps = 1e-5,
          .tie_word_embeddings = false,
          .rope_scaling = std::nullopt};
}

}  // namespace

ServedConfiguration served_configuration(std::string_view name) {
  ServedConfiguration served{.name = std::string(name), .recipe = {}};
  std::string_view plain = name;
  for (int i = 0; i < 2; ++i) {  // in either order
    served.unfused |= take_word(plain, " unfused");
    served.chunked |= take_word(plain, " chunked");
  }
  std::string known;
  for (const Configuration& c : configurations()) {
    if (c.outliers || c.smoothing || c.fixed || c.method != Int4Method::kNearest) continue;
    if (c.name == plain) {
      served.recipe = c.recipe;
      return served;
    }
    known += (known.empty() ? "" : ", ") + c.name;
  }
  throw InputError(fmt::format(
      "no format that can be served is named {}; there are {}, each also with \" unfused\" or "
      "\" chunked\" behind it",
      printable(plain), known));
}

ServedFormat served_format(const std::string& name, const Recipe& recipe,
                           const LlamaConfig& model) {
  constexpr int kWholeRow = 1 << 17;  // one scale a row
  const auto group = static_cast<int>(std::min<std::int64_t>(recipe.group_size, kWholeRow));
  ServedFormat format{.weights = {.bits = 16, .group_size = 0},
                      .kv_bytes_per_token = kv_bytes_per_token(recipe.kv, model.n_layers,
                                                               model.n_kv_heads, model.head_dim),
                      .arithmetic = Arithmetic::kFp16};
  const bool fp32 = recipe.weights == WeightFormat::kFp32;
  if (fp32 || recipe.activations.outliers_from) {
    throw InputError(fmt::format("the cost model has no terms for {}; leave it out", name));
  }
  switch (recipe.weights) {
    case WeightFormat::kInt8:
      format.weights = {.bits = 8, .group_size = kWholeRow};
      format.arithmetic = Arithmetic::kInt8;
      break;
    case WeightFormat::kW4A8:
      format.weights = {.bits = 4, .group_size = group};
      format.arithmetic = Arithmetic::kInt8;
      break;
    case WeightFormat::kInt4:
      format.weights = {.bits = 4, .group_size = group};
      break;
    default:
      break;
  }
  return format;
}

const std::vector<NamedModel>& named_models() {
  static const std::vector<NamedModel> all = {{"7b", "Llama 2 7B", llama2_7b()},
                                              {"8b", "Llama 3 8B", llama3(32, 4096, 14336, 32)},
                                              {"70b", "Llama 3 70B", llama3(80, 8192, 28672, 64)}};
  return all;
}

ServedModel served_model(const LlamaConfig& c) {
  return {.n_layers = c.n_layers,
          .hidden = c.hidden_size,
          .intermediate = c.intermediate_size,
          .n_heads = c.n_heads,
          .n_kv_heads = c.n_kv_heads,
          .head_dim = c.head_dim,
          .vocab = c.vocab_size};
}

}  // namespace qlab
