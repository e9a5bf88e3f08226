// SPDX-License-Identifier: Apache-2.0
/// \file
/// Llama: embed, then per layer attention and feed-forward around a residual stream, then the head.
#include "model/llama.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "04_kv_cache/attention_decode.h"
#include "model/elementwise.h"
#include "model/rope.h"

namespace qlab {
namespace {

/// The matrices one below the other.
Matrix<float> stack(std::initializer_list<const Matrix<float>*> parts) {
  std::int64_t rows = 0;
  for (const Matrix<float>* part : parts) rows += part->rows();
  Matrix<float> all(rows, (*parts.begin())->cols());
  float* end = all.data();
  for (const Matrix<float>* part : parts) {
    end = std::copy_n(part->data(), part->rows() * part->cols(), end);
  }
  return all;
}

/// The format of embedding and lm_head.
WeightFormat table_format(WeightFormat weights) {
  const bool kept = weights == WeightFormat::kFp32 || weights == WeightFormat::kBf16;
  return kept ? weights : WeightFormat::kFp16;
}

/// Columns [first, first + count) of a matrix.
MatrixView<float> columns(Matrix<float>& m, std::int64_t first, std::int64_t count) {
  return {m.data() + first, m.rows(), count, m.cols()};
}

/// What was calibrated is for exactly the layers of this model, or for none.
template <class T>
void check_names(const char* what, const std::map<std::string, T, std::less<>>& calibrated,
                 const LlamaConfig& config) {
  if (calibrated.empty()) return;
  const std::vector<std::string> names = linear_names(config);
  for (const std::string& name : names) {
    QLAB_CHECK(calibrated.contains(name), "Llama: no ", what, " for ", name, "; it has ",
               calibrated.size(), ", the first for ", calibrated.begin()->first,
               "; calibrate this model");
  }
  for (const auto& [name, found] : calibrated) {
    QLAB_CHECK(std::ranges::find(names, name) != names.end(), "Llama: a ", what, " for ", name,
               ", which this model does not have; calibrate this model");
  }
}

}  // namespace

std::vector<std::string> linear_names(const LlamaConfig& config) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < config.n_layers; ++i) {
    const std::string block = "model.layers." + std::to_string(i);
    for (const char* layer :
         {".self_attn.qkv_proj", ".self_attn.o_proj", ".mlp.gate_up_proj", ".mlp.down_proj"}) {
      names.push_back(block + layer);
    }
  }
  return names;
}

Matrix<float> linear_weight(const Checkpoint& checkpoint, std::size_t index) {
  const LayerWeights& w = checkpoint.layers.at(index / 4);
  switch (index % 4) {
    case 0:
      return stack({&w.q_proj, &w.k_proj, &w.v_proj});
    case 1:
      return w.o_proj;
    case 2:
      return stack({&w.gate_proj, &w.up_proj});
    default:
      return w.down_proj;
  }
}

Llama::Layer::Layer(const Checkpoint& checkpoint, std::size_t index, const Recipe& recipe,
                    const Calibrated& calibrated, const Machine& machine)
    : input_norm(checkpoint.layers[index].input_norm),
      post_attention_norm(checkpoint.layers[index].post_attention_norm) {
  const std::vector<std::string> all = linear_names(checkpoint.config);
  names.assign(all.begin() + 4 * static_cast<std::ptrdiff_t>(index),
               all.begin() + 4 * static_cast<std::ptrdiff_t>(index + 1));
  const auto make = [&](std::size_t part) {
    if (!calibrated.int4.empty()) {
      return make_linear(calibrated.int4.at(names[part]), recipe.weights, machine);
    }
    LinearRecipe linear{recipe.weights, recipe.group_size, recipe.activations};
    if (!calibrated.absmax.empty()) linear.activations.absmax = calibrated.absmax.at(names[part]);
    return make_linear(linear_weight(checkpoint, 4 * index + part).view(), linear, machine);
  };
  qkv = make(0);
  o = make(1);
  gate_up = make(2);
  down = make(3);
}

Llama::Llama(const Checkpoint& checkpoint, const Recipe& recipe, const Machine& machine,
             const Calibrated& calibrated)
    : config_(checkpoint.config),
      recipe_(recipe),
      inv_freq_(rope_inv_freq(checkpoint.config)),
      norm_(checkpoint.norm) {
  check_names("threshold", calibrated.absmax, config_);
  check_names("rounded weight", calibrated.int4, config_);
  for (const auto& [name, threshold] : calibrated.absmax) {
    QLAB_CHECK(std::isfinite(threshold) && threshold >= 0, "Llama: the threshold for ", name,
               " is ", threshold, ", expected a finite number from 0 on");
  }
  const auto table = [&](const Matrix<float>& weight) {
    return make_linear(weight.view(), {.weights = table_format(recipe.weights)}, machine);
  };
  embed_ = table(checkpoint.embed_tokens);
  head_ = config_.tie_word_embeddings ? embed_ : table(checkpoint.lm_head);
  for (std::size_t i = 0; i < checkpoint.layers.size(); ++i) {
    layers_.emplace_back(checkpoint, i, recipe, calibrated, machine);
  }
}

KvCache Llama::new_cache(std::int64_t capacity) const {
  QLAB_CHECK(capacity <= config_.max_positions, "Llama: a cache of ", capacity,
             " tokens, but the model has ", config_.max_positions, " positions; ask for fewer");
  return {recipe_.kv, config_.n_layers, config_.n_kv_heads, config_.head_dim, capacity};
}

/// What one call works on, allocated once for all layers.
struct Llama::Buffers {
  /// For as many tokens as the table has positions.
  Buffers(const LlamaConfig& c, const RopeTable& rope_table)
      : rope(rope_table),
        x(tokens(), c.hidden_size),
        normed(tokens(), c.hidden_size),
        qkv(tokens(), (c.n_heads + 2 * c.n_kv_heads) * c.head_dim),
        attended(tokens(), c.n_heads * c.head_dim),
        gate_up(tokens(), 2 * c.intermediate_size) {}
  /// Of this call.
  std::int64_t tokens() const { return rope.cos.rows(); }

  const RopeTable& rope;
  Matrix<float> x;       // [tokens, hidden]  the residual stream
  Matrix<float> normed;  // [tokens, hidden]  input of a linear layer, then the output of o or down
  Matrix<float> qkv;     // [tokens, (n_heads + 2 · n_kv_heads) · head_dim]
  Matrix<float> attended;  // [tokens, n_heads · head_dim]
  Matrix<float> gate_up;   // [tokens, 2 · intermediate]
};

void Llama::attention(std::int64_t index, Buffers& b, std::span<const SequenceInput> batch,
                      const Machine& machine, const LinearObserver& observer) const {
  const Layer& layer = layers_[static_cast<std::size_t>(index)];
  rms_norm(b.x.view(), layer.input_norm, config_.rms_norm_eps, b.normed.view(), machine);
  if (observer) observer(layer.names[0], b.normed.view());
  layer.qkv->run(b.normed.view(), b.qkv.view(), machine);

  const std::int64_t q_cols = config_.n_heads * config_.head_dim;
  const std::int64_t kv_cols = config_.n_kv_heads * config_.head_dim;
  apply_rope(columns(b.qkv, 0, q_cols + kv_cols), b.rope, machine);
  std::int64_t first = 0;
  for (const auto& [tokens, cache] : batch) {
    attend(index, first, std::ssize(tokens), b, *cache, machine);
    first += std::ssize(tokens);
  }

  if (observer) observer(layer.names[1], b.attended.view());
  layer.o->run(b.attended.view(), b.normed.view(), machine);
  add(b.x.view(), b.normed.view(), machine);
}

/// Rows first … first + tokens belong to one sequence. A cache with a window is written and read a
/// window at a time, so that each token meets it as it would if tokens came one by one.
void Llama::attend(std::int64_t index, std::int64_t first, std::int64_t tokens, Buffers& b,
                   KvCache& cache, const Machine& machine) const {
  const std::int64_t q_cols = config_.n_heads * config_.head_dim;
  const std::int64_t kv_cols = config_.n_kv_heads * config_.head_dim;
  const std::int64_t step = cache.formats().window() ? kKvWindow : tokens;
  for (std::int64_t t = 0; t < tokens; t += step) {
    const std::int64_t count = std::min(step, tokens - t);
    const auto rows = [&](std::int64_t column, std::int64_t cols) {
      return columns(b.qkv, column, cols).rows_from(first + t, count);
    };
    cache.append(index, rows(q_cols, kv_cols), rows(q_cols + kv_cols, kv_cols));
    attention_decode(rows(0, q_cols), cache.layer(index),
                     b.attended.view().rows_from(first + t, count), machine);
  }
}

void Llama::feed_forward(std::int64_t index, Buffers& b, const Machine& machine,
                         const LinearObserver& observer) const {
  const Layer& layer = layers_[static_cast<std::size_t>(index)];
  rms_norm(b.x.view(), layer.post_attention_norm, config_.rms_norm_eps, b.normed.view(), machine);
  if (observer) observer(layer.names[2], b.normed.view());
  layer.gate_up->run(b.normed.view(), b.gate_up.view(), machine);
  swiglu(b.gate_up.view(), machine);
  const MatrixView<float> gated = columns(b.gate_up, 0, config_.intermediate_size);
  if (observer) observer(layer.names[3], gated);
  layer.down->run(gated, b.normed.view(), machine);
  add(b.x.view(), b.normed.view(), machine);
}

void Llama::check_call(std::span<const std::int32_t> tokens, const KvCache& cache) const {
  const KvView view = cache.layer(0);
  QLAB_CHECK(cache.formats() == recipe_.kv, "Llama: the cache holds ",
             kv_formats_name(cache.formats()), ", the recipe says ", kv_formats_name(recipe_.kv),
             "; take one from new_cache()");
  QLAB_CHECK(std::ssize(tokens) <= view.capacity - view.length, "Llama: ", tokens.size(),
             " tokens, but the cache has room for ", view.capacity - view.length, " of ",
             view.capacity, "; make a longer one");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    QLAB_CHECK(tokens[i] >= 0 && tokens[i] < config_.vocab_size, "Llama: token ", i, " is ",
               tokens[i], ", outside the vocabulary 0 … ", config_.vocab_size - 1);
  }
}

Matrix<float> Llama::forward(std::span<const std::int32_t> tokens, KvCache& cache,
                             const Machine& machine, const LinearObserver& observer) const {
  const SequenceInput one{tokens, &cache};
  return forward({&one, 1}, machine, observer);
}

Matrix<float> Llama::forward(std::span<const SequenceInput> batch, const Machine& machine,
                             const LinearObserver& observer) const {
  std::vector<std::int64_t> positions;
  std::vector<std::int32_t> all;
  for (const auto& [tokens, cache] : batch) {
    check_call(tokens, *cache);
    const auto shared = std::ranges::count(batch, cache, &SequenceInput::cache);
    QLAB_CHECK(shared == 1, "Llama: ", shared,
               " sequences of a batch have the same cache; each "
               "needs one of its own");
    all.insert(all.end(), tokens.begin(), tokens.end());
    for (std::int64_t t = 0; t < std::ssize(tokens); ++t) {
      positions.push_back(cache->length(0) + t);
    }
  }
  Matrix<float> logits(std::ssize(all), config_.vocab_size);
  if (all.empty()) return logits;

  const RopeTable rope(inv_freq_, positions);
  Buffers buffers(config_, rope);
  for (std::int64_t t = 0; t < std::ssize(all); ++t) {
    embed_->read_row(all[static_cast<std::size_t>(t)],
                     buffers.x.view().row(t, 0, config_.hidden_size));
  }
  for (std::int64_t i = 0; i < config_.n_layers; ++i) {
    attention(i, buffers, batch, machine, observer);
    feed_forward(i, buffers, machine, observer);
  }
  rms_norm(buffers.x.view(), norm_, config_.rms_norm_eps, buffers.normed.view(), machine);
  head_->run(buffers.normed.view(), logits.view(), machine);
  return logits;
}

std::int64_t Llama::linear_bytes() const {
  std::int64_t bytes = 0;
  for (const Layer& layer : layers_) {
    bytes += layer.qkv->bytes() + layer.o->bytes() + layer.gate_up->bytes() + layer.down->bytes();
  }
  return bytes;
}

std::int64_t Llama::linear_weights() const {
  const LlamaConfig& c = config_;
  const std::int64_t attention = 2 * (c.n_heads + c.n_kv_heads) * c.head_dim * c.hidden_size;
  return c.n_layers * (attention + 3 * c.intermediate_size * c.hidden_size);
}

std::int64_t Llama::weight_bytes() const {
  const std::int64_t gains = (2 * config_.n_layers + 1) * config_.hidden_size;
  const std::int64_t tables = embed_->bytes() + (head_ == embed_ ? 0 : head_->bytes());
  return linear_bytes() + tables + gains * static_cast<std::int64_t>(sizeof(float));
}

std::int32_t most_likely(const Matrix<float>& logits, std::int64_t row) {
  const float* begin = logits.view().row(row);
  return static_cast<std::int32_t>(std::max_element(begin, begin + logits.cols()) - begin);
}

std::vector<std::int32_t> generate_greedy(const Llama& model, std::span<const std::int32_t> prompt,
                                          std::int64_t new_tokens, const Machine& machine) {
  QLAB_CHECK(!prompt.empty() && new_tokens >= 0, "generate_greedy: a prompt of ", prompt.size(),
             " and ", new_tokens, " new tokens; give a prompt of at least one token");
  std::vector<std::int32_t> generated;
  KvCache cache = model.new_cache(std::ssize(prompt) + new_tokens);
  Matrix<float> logits;
  while (std::ssize(generated) < new_tokens) {
    const auto input = generated.empty() ? prompt : std::span(generated).last(1);
    logits = model.forward(input, cache, machine);
    generated.push_back(most_likely(logits, logits.rows() - 1));
  }
  return generated;
}

}  // namespace qlab
