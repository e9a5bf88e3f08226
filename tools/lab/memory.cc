// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sizes: read off the loaded model, computed for the 7B one.
#include "lab/memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "03_int4_weight_only/int4_panels.h"

namespace qlab {
namespace {

/// Rows and columns of the linear layers of one block.
std::vector<std::pair<std::int64_t, std::int64_t>> block_layers(const LlamaConfig& c) {
  const std::int64_t q = c.n_heads * c.head_dim;
  const std::int64_t kv = c.n_kv_heads * c.head_dim;
  return {{q, c.hidden_size},
          {kv, c.hidden_size},
          {kv, c.hidden_size},
          {c.hidden_size, q},
          {c.intermediate_size, c.hidden_size},
          {c.intermediate_size, c.hidden_size},
          {c.hidden_size, c.intermediate_size}};
}

/// Whether another configuration stores the very same bytes: only activations, or values, differ.
bool stores_as_another(const Configuration& c) {
  return c.outliers || c.smoothing || c.fixed || c.method != Int4Method::kNearest ||
         c.recipe.activations.granularity == Granularity::kPerTensor ||
         c.recipe.kv.k != c.recipe.kv.v;  // of interest for its quality alone
}

void add_exact(Measurements& measurements, const std::string& name, double value) {
  measurements[name] = Measurement{{value, value, value}};
}

}  // namespace

LlamaConfig llama2_7b() {
  return {.vocab_size = 32000,
          .hidden_size = 4096,
          .intermediate_size = 11008,
          .n_layers = 32,
          .n_heads = 32,
          .n_kv_heads = 32,
          .head_dim = 128,
          .max_positions = 4096,
          .rope_theta = 10000,
          .rms_norm_eps = 1e-5,
          .tie_word_embeddings = false,
          .rope_scaling = std::nullopt};
}

/// Elements of a matrix in panels, with their padding.
template <class T>
std::int64_t panel_elements(std::int64_t N, std::int64_t K) {
  return panel_count(N) * kPanelColumns *
         ((K + kPanelDepth<T> - 1) / kPanelDepth<T> * kPanelDepth<T>);
}

std::int64_t linear_layer_bytes(const Recipe& recipe, std::int64_t N, std::int64_t K) {
  switch (recipe.weights) {
    case WeightFormat::kFp32:
      return 4 * N * K;
    case WeightFormat::kFp16:
    case WeightFormat::kBf16:
      return 2 * panel_elements<bf16_t>(N, K);
    case WeightFormat::kInt8: {
      const Int8Activations& a = recipe.activations;
      // LLM.int8() keeps rows, and perhaps a copy in FP16; panels have a scale and a sum a row.
      if (a.outliers_from) return N * K + 4 * N + (a.outliers_from_codes ? 0 : 2 * N * K);
      return panel_elements<std::int8_t>(N, K) + 8 * panel_count(N) * kPanelColumns;
    }
    case WeightFormat::kW4A8:
    case WeightFormat::kInt4:
      return panel_count(N) * int4_panel_bytes(K, recipe.group_size);
  }
  return 0;
}

std::int64_t model_weight_bytes(const Recipe& recipe, const LlamaConfig& c) {
  std::int64_t block = 0;
  for (const auto& [N, K] : block_layers(c)) block += linear_layer_bytes(recipe, N, K);
  const std::int64_t table =
      (recipe.weights == WeightFormat::kFp32 ? 4 : 2) * c.vocab_size * c.hidden_size;
  const std::int64_t norms = 4 * (2 * c.n_layers + 1) * c.hidden_size;
  return c.n_layers * block + (c.tie_word_embeddings ? 1 : 2) * table + norms;
}

std::vector<MemoryRow> measure_memory(const Checkpoint& checkpoint,
                                      std::span<const Configuration> configurations,
                                      double budget_gib, const Machine& machine,
                                      Measurements& measurements) {
  const LlamaConfig big = llama2_7b();
  const LlamaConfig& small = checkpoint.config;
  const auto budget = static_cast<std::int64_t>(budget_gib * 0x1p30);
  std::vector<MemoryRow> rows;
  for (const Configuration& configuration : configurations) {
    if (stores_as_another(configuration)) continue;
    const Recipe& recipe = configuration.recipe;
    const Llama model(checkpoint, recipe, machine);
    MemoryRow row{.configuration = &configuration,
                  .weight_bytes = model.weight_bytes(),
                  .linear_bytes = model.linear_bytes(),
                  .bits_per_weight = 8.0 * static_cast<double>(model.linear_bytes()) /
                                     static_cast<double>(model.linear_weights()),
                  .kv_bytes_per_token = kv_bytes_per_token(recipe.kv, small.n_layers,
                                                           small.n_kv_heads, small.head_dim),
                  .big_weight_bytes = model_weight_bytes(recipe, big),
                  .big_kv_bytes_per_token =
                      kv_bytes_per_token(recipe.kv, big.n_layers, big.n_kv_heads, big.head_dim),
                  .context = 0,
                  .batch = 0};
    const std::int64_t fixed =
        kv_fixed_bytes(recipe.kv, big.n_layers, big.n_kv_heads, big.head_dim);
    const std::int64_t left = std::max<std::int64_t>(0, budget - row.big_weight_bytes);
    row.context = std::max<std::int64_t>(0, left - fixed) / row.big_kv_bytes_per_token;
    row.batch = left / (kBatchContext * row.big_kv_bytes_per_token + fixed);
    rows.push_back(row);
  }
  const MemoryRow& fp16 = rows[0];
  for (const MemoryRow& row : rows) {
    const std::string& name = row.configuration->name;
    const auto ratio = [](std::int64_t a, std::int64_t b) {
      return static_cast<double>(a) / static_cast<double>(b);
    };
    add_exact(measurements, fmt::format("weight_bits({})", name), row.bits_per_weight);
    add_exact(measurements, fmt::format("linear_bytes({}) / linear_bytes(fp16)", name),
              ratio(row.linear_bytes, fp16.linear_bytes));
    add_exact(measurements, fmt::format("linear_bytes(fp16) / linear_bytes({})", name),
              ratio(fp16.linear_bytes, row.linear_bytes));
    add_exact(measurements, fmt::format("kv_bytes({}) / kv_bytes(fp16)", name),
              ratio(row.kv_bytes_per_token, fp16.kv_bytes_per_token));
    const std::string context = fmt::format("context({}) / context(fp16)", name);
    if (fp16.context > 0) {
      add_exact(measurements, context, ratio(row.context, fp16.context));
    } else {
      measurements[context] = NotMeasured{
          fmt::format("{} GiB hold no 7B model in FP16; give --budget more", budget_gib)};
    }
  }
  return rows;
}

}  // namespace qlab
