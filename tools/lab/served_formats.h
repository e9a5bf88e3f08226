// SPDX-License-Identifier: Apache-2.0
/// \file
/// What can be served, and what on: formats of the table, models by their sides, devices by what was
/// measured on them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "05_serving/cost_model.h"
#include "model/llama.h"

namespace qlab {

/// A configuration of the table, and how it is served.
struct ServedConfiguration {
  std::string name;  ///< "int4_g128", "int4_g128 unfused", "fp16 chunked"
  Recipe recipe;
  bool unfused = false;  ///< no kernel reads the codes: each step unpacks all weights to FP16 first
  bool chunked = false;  ///< prompts are prefilled in chunks beside the decodes
};

/// The configuration of this name, with " unfused" or " chunked" behind it or not.
/// \throws InputError  no configuration has it, or it is one that only evaluation knows (outliers,
///                     scales fixed ahead of time, other methods than rounding to nearest)
ServedConfiguration served_configuration(std::string_view name);

/// How the cost model sees a recipe. \throws InputError for one that it has no terms for
ServedFormat served_format(const std::string& name, const Recipe& recipe, const LlamaConfig& model);

/// The sides of a model, by its name: "7b" (Llama 2), "8b", "70b" (Llama 3).
struct NamedModel {
  std::string_view id, name;
  LlamaConfig config;
};
const std::vector<NamedModel>& named_models();

ServedModel served_model(const LlamaConfig& config);

/// A device, from the files of benches that ran on it.
struct MeasuredDevice {
  std::string name;  ///< "NVIDIA H200"
  std::string date;  ///< of the newest file
  std::vector<std::string> files;
  ServedDevice served;
};

/// The fastest read, and the fastest FP16 and INT8 products, whoever's kernel, that files of `folder`
/// have for a device with `name` in its own ("h200"): what benches of exercises and `lab_gpu
/// --compare` wrote. One launch a step is its overhead.
/// \throws InputError  no file is about it, one cannot be read, or a figure is in none of them
MeasuredDevice measured_device(const std::filesystem::path& folder, std::string_view name);

}  // namespace qlab
