// SPDX-License-Identifier: Apache-2.0
/// \file
/// Llama: the forward pass of a Llama-architecture model, weights and cache in a chosen precision.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "04_kv_cache/kv_cache.h"
#include "common/isa.h"
#include "common/matrix.h"
#include "model/checkpoint.h"
#include "model/linear.h"

namespace qlab {

/// A threshold for the input of each linear layer inside the blocks, by its name (linear_names).
using Thresholds = std::map<std::string, float, std::less<>>;

/// The weights of each of these layers, rounded ahead of time.
using Int4Layers = std::map<std::string, Int4Matrix, std::less<>>;

/// What calibration found out before the model is built. Empty parts: found by the model itself.
struct Calibrated {
  Thresholds absmax = {};  ///< of kInt8: fixed scales of activations; empty: found in each call
  Int4Layers int4 = {};    ///< of kInt4 and kW4A8; empty: rounded to nearest
};

/// Which precision goes where. Embedding and lm_head stay in 16 bits (BF16 with kBf16, else FP16; with
/// kFp32 in FP32), as in the checkpoints that engines load. Norms and what flows between the linear
/// layers are FP32. kFp32 for both is the ruler: nothing is rounded on purpose.
struct Recipe {
  WeightFormat weights = WeightFormat::kFp16;
  std::int64_t group_size = 128;     ///< of kInt4 and kW4A8, along K
  Int8Activations activations = {};  ///< of kInt8; absmax is set layer by layer, from thresholds
  KvFormats kv = KvFormat::kFp16;
};

/// The linear layers inside the blocks as the model runs them, in order, four a block. Layers that read
/// the same input are one, named as engines name them: "model.layers.0.self_attn.qkv_proj",
/// "….self_attn.o_proj", "….mlp.gate_up_proj", "….mlp.down_proj".
std::vector<std::string> linear_names(const LlamaConfig& config);

/// The weight [N, K] of the layer linear_names()[index]: parts that read one input, below each other.
Matrix<float> linear_weight(const Checkpoint& checkpoint, std::size_t index);

/// Sees the input [tokens, K] of each linear layer inside the blocks before it is rounded.
using LinearObserver = std::function<void(std::string_view name, MatrixView<const float> input)>;

/// What one sequence of a batch computes in a call: tokens behind those that its cache holds.
struct SequenceInput {
  std::span<const std::int32_t> tokens;
  KvCache* cache;
};

/// A model, ready to run by one recipe.
class Llama {
 public:
  /// \throws ContractError naming the first layer that a part of `calibrated` lacks, or a name in it
  ///         that is no layer's, and the first weight that a format cannot hold.
  Llama(const Checkpoint& checkpoint, const Recipe& recipe, const Machine& machine,
        const Calibrated& calibrated = {});

  /// Its sides.
  const LlamaConfig& config() const { return config_; }

  /// An empty cache for one sequence. \throws ContractError beyond config().max_positions.
  KvCache new_cache(std::int64_t capacity) const;

  /// Appends the tokens to the cache and returns the logits of each: [tokens, vocab]. All tokens of
  /// a prompt at once is prefill; one token is decode. Both read keys and values as the cache stores
  /// them, those of the tokens at hand too.
  /// \throws ContractError for a token outside the vocabulary, a cache too short or of another format
  ///         (the cache is untouched), or a value that a format cannot hold (the cache is then spoilt).
  Matrix<float> forward(std::span<const std::int32_t> tokens, KvCache& cache,
                        const Machine& machine, const LinearObserver& observer = {}) const;

  /// The same for several sequences, each with a cache of its own: rows of the first, then of the
  /// second, … The linear layers read their weights once for all rows; attention goes sequence by
  /// sequence. Prompts and single tokens may share a call.
  Matrix<float> forward(std::span<const SequenceInput> batch, const Machine& machine,
                        const LinearObserver& observer = {}) const;

  /// Bytes of all weights as stored, scales and zero points included.
  std::int64_t weight_bytes() const;
  /// The same for the linear layers inside the blocks only, which a recipe quantizes.
  std::int64_t linear_bytes() const;
  /// Number of weights in those layers.
  std::int64_t linear_weights() const;

 private:
  /// Layers that read the same input are stacked into one, as engines do: the input is rounded once.
  struct Layer {
    Layer(const Checkpoint& checkpoint, std::size_t index, const Recipe& recipe,
          const Calibrated& calibrated, const Machine& machine);
    std::vector<float> input_norm, post_attention_norm;  // [hidden]
    std::unique_ptr<Linear> qkv;      // [(n_heads + 2 · n_kv_heads) · head_dim, hidden]
    std::unique_ptr<Linear> o;        // [hidden, n_heads · head_dim]
    std::unique_ptr<Linear> gate_up;  // [2 · intermediate, hidden]
    std::unique_ptr<Linear> down;     // [hidden, intermediate]
    std::vector<std::string> names;   // of the four, in this order
  };
  struct Buffers;

  void check_call(std::span<const std::int32_t> tokens, const KvCache& cache) const;
  void attention(std::int64_t layer, Buffers& buffers, std::span<const SequenceInput> batch,
                 const Machine& machine, const LinearObserver& observer) const;
  void attend(std::int64_t layer, std::int64_t first, std::int64_t tokens, Buffers& buffers,
              KvCache& cache, const Machine& machine) const;
  void feed_forward(std::int64_t layer, Buffers& buffers, const Machine& machine,
                    const LinearObserver& observer) const;

  LlamaConfig config_;
  Recipe recipe_;
  std::vector<float> inv_freq_;          // [head_dim / 2]
  std::shared_ptr<const Linear> embed_;  // [vocab, hidden]
  std::shared_ptr<const Linear> head_;   // [vocab, hidden]; the same object when they are tied
  std::vector<Layer> layers_;
  std::vector<float> norm_;  // [hidden]
};

/// The most likely token of a row of logits (ties: the lowest).
std::int32_t most_likely(const Matrix<float>& logits, std::int64_t row);

/// The most likely next tokens after a prompt, one after the other (ties: the lowest). The prompt is
/// not repeated in the result.
/// \throws ContractError for an empty prompt or more positions than the model has.
std::vector<std::int32_t> generate_greedy(const Llama& model, std::span<const std::int32_t> prompt,
                                          std::int64_t new_tokens, const Machine& machine);

}  // namespace qlab
