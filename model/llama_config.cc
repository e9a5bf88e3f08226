// SPDX-License-Identifier: Apache-2.0
/// \file
/// LlamaConfig: reads config.json key by key and refuses what the forward pass would get wrong.
#include "model/llama_config.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "model/strict_json.h"

namespace qlab {
namespace {

using Json = nlohmann::json;

/// The keys of one JSON object, with messages that name file and key. A null is a key left out.
class Keys {
 public:
  Keys(const Json& object, const std::filesystem::path& file) : object_(object), file_(file) {}

  /// The value, or null.
  const Json& operator[](const char* key) const {
    static const Json kNull;
    const auto found = object_.find(key);
    return found == object_.end() ? kNull : *found;
  }

  std::int64_t size(const char* key, std::int64_t largest) const {
    const Json& value = (*this)[key];
    const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 &&
                      value.get<std::uint64_t>() <= static_cast<std::uint64_t>(largest);
    if (!fits) wrong(key, "an integer in 1 … " + std::to_string(largest));
    return value.get<std::int64_t>();
  }
  std::int64_t size(const char* key, std::int64_t largest, std::int64_t otherwise) const {
    return (*this)[key].is_null() ? otherwise : size(key, largest);
  }

  double positive(const char* key) const {
    const Json& value = (*this)[key];
    if (!value.is_number() || !(value.get<double>() > 0)) wrong(key, "a number above 0");
    return value.get<double>();
  }
  double positive(const char* key, double otherwise) const {
    return (*this)[key].is_null() ? otherwise : positive(key);
  }

  bool flag(const char* key) const {
    const Json& value = (*this)[key];
    if (!value.is_null() && !value.is_boolean()) wrong(key, "true or false");
    return value.is_boolean() && value.get<bool>();
  }

  [[noreturn]] void wrong(const char* key, const std::string& expected) const {
    const Json& value = (*this)[key];
    fail_input(file_, key, value.is_null() ? " is missing" : " is " + shown(value), ", expected ",
               expected);
  }
  [[noreturn]] void unsupported(const char* key, const char* needed) const {
    fail_input(file_, key, " is ", shown((*this)[key]), ", which the lab does not do; it needs ",
               needed);
  }

 private:
  /// Scalars as they stand; an object could fill a screen.
  static std::string shown(const Json& value) {
    if (value.is_string()) return printable(value.get_ref<const std::string&>());
    return value.is_structured() ? std::string("an ") + value.type_name() : value.dump();
  }

  const Json& object_;
  const std::filesystem::path& file_;
};

void check_is_llama(const Keys& keys) {
  if (keys["model_type"] != "llama") keys.wrong("model_type", "\"llama\"");
  const Json& architectures = keys["architectures"];
  if (architectures.is_null()) return;
  for (const Json& architecture : architectures) {
    if (architecture == "LlamaForCausalLM") return;
  }
  keys.wrong("architectures", "a list with \"LlamaForCausalLM\"");
}

/// Each of these changes the function, so a model that has one would run and be wrong.
void check_features(const Keys& keys) {
  for (const char* bias : {"attention_bias", "mlp_bias"}) {
    if (keys.flag(bias)) keys.unsupported(bias, "linear layers without biases");
  }
  const Json& activation = keys["hidden_act"];
  if (!activation.is_null() && activation != "silu") keys.unsupported("hidden_act", "\"silu\"");
  if (!keys["quantization_config"].is_null()) {
    keys.unsupported("quantization_config", "a checkpoint in F16, BF16 or F32 to quantize itself");
  }
  if (!keys["sliding_window"].is_null()) keys.unsupported("sliding_window", "full attention");
  if (keys.positive("partial_rotary_factor", 1) != 1) {
    keys.unsupported("partial_rotary_factor", "rotations of whole heads");
  }
}

/// Fills rope_theta and rope_scaling. Before Transformers 5: {"rope_theta": t, "rope_scaling": …},
/// with "type" for "rope_type" in its first year; since: {"rope_parameters": {"rope_theta": t, …}}.
void read_rope(const Keys& keys, const std::filesystem::path& file, LlamaConfig& config) {
  constexpr double kDefaultTheta = 10000;
  config.rope_theta = keys.positive("rope_theta", kDefaultTheta);
  const char* key = keys["rope_scaling"].is_null() ? "rope_parameters" : "rope_scaling";
  if (keys[key].is_null()) return;
  if (!keys[key].is_object()) keys.wrong(key, "an object or null");

  const Keys rope(keys[key], file);
  config.rope_theta = rope.positive("rope_theta", config.rope_theta);
  if (rope.positive("partial_rotary_factor", 1) != 1) {
    rope.unsupported("partial_rotary_factor", "rotations of whole heads");
  }
  const char* type = rope["rope_type"].is_null() ? "type" : "rope_type";
  if (rope[type].is_null() || rope[type] == "default") return;
  if (rope[type] != "llama3") rope.unsupported(type, "\"default\" or \"llama3\"");

  const RopeScaling scaling{
      .factor = rope.positive("factor"),
      .low_freq_factor = rope.positive("low_freq_factor"),
      .high_freq_factor = rope.positive("high_freq_factor"),
      .original_max_position_embeddings = rope.positive("original_max_position_embeddings")};
  if (!(scaling.high_freq_factor > scaling.low_freq_factor)) {
    rope.wrong("high_freq_factor", "more than low_freq_factor");
  }
  config.rope_scaling = scaling;
}

}  // namespace

LlamaConfig read_llama_config(const std::filesystem::path& file) {
  const Json json = read_json_object(file);
  const Keys keys(json, file);
  check_is_llama(keys);
  check_features(keys);

  // Far above any model there is, and low enough that no product of two sides overflows.
  constexpr std::int64_t kWidest = 1 << 20;
  constexpr std::int64_t kLongest = 1 << 27;
  LlamaConfig config{};
  config.vocab_size = keys.size("vocab_size", kLongest);
  config.hidden_size = keys.size("hidden_size", kWidest);
  config.intermediate_size = keys.size("intermediate_size", kWidest);
  config.n_layers = keys.size("num_hidden_layers", kWidest);
  config.n_heads = keys.size("num_attention_heads", kWidest);
  config.n_kv_heads = keys.size("num_key_value_heads", kWidest, config.n_heads);
  config.head_dim = keys.size("head_dim", kWidest, config.hidden_size / config.n_heads);
  config.max_positions = keys.size("max_position_embeddings", kLongest);
  config.rms_norm_eps = keys.positive("rms_norm_eps", 1e-6);
  config.tie_word_embeddings = keys.flag("tie_word_embeddings");
  read_rope(keys, file, config);

  if (config.n_heads % config.n_kv_heads != 0) {
    fail_input(file, "num_key_value_heads is ", config.n_kv_heads, ", which does not divide the ",
               config.n_heads, " of num_attention_heads; the config is damaged");
  }
  if (keys["head_dim"].is_null() && config.hidden_size % config.n_heads != 0) {
    fail_input(file, "num_attention_heads is ", config.n_heads, ", which does not divide the ",
               config.hidden_size, " of hidden_size; add head_dim or mend the config");
  }
  if (config.head_dim % 2 != 0) {
    fail_input(file, "head_dim is ", config.head_dim,
               ", expected an even number: rotations turn its halves against each other");
  }
  return config;
}

}  // namespace qlab
