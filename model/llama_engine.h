// SPDX-License-Identifier: Apache-2.0
/// \file
/// LlamaEngine: serves requests with a model on this machine, and tells how long each step took.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "05_serving/serve.h"
#include "model/llama.h"

namespace qlab {

/// The tokens of a request's prompt, as many as it says.
using PromptOf = std::function<std::vector<std::int32_t>(const ServeRequest&)>;

/// One forward pass a step, for all sequences of it: decodes and prefills share the linear layers.
/// Every sequence has a cache of its own, of the length it may reach; the scheduler's blocks are
/// counted, not allocated.
class LlamaEngine : public ServeEngine {
 public:
  /// All must outlive it.
  LlamaEngine(const Llama& model, PromptOf prompt_of, const Machine& machine)
      : model_(model), prompt_of_(std::move(prompt_of)), machine_(machine) {}

  /// \throws ContractError  the prompt has another length than the request says, or the model has
  ///                        fewer positions than the request needs
  void begin(const ServeRequest& request) override;
  double run(const StepPlan& plan) override;
  void end(std::int64_t id) override;

  /// Prompt and what was generated, of a request that has begun.
  const std::vector<std::int32_t>& tokens(std::int64_t id) const {
    return sequences_.at(id).tokens;
  }

 private:
  struct Sequence {
    std::vector<std::int32_t> tokens;  ///< prompt and output
    std::int64_t most;                 ///< of them
    std::optional<KvCache> cache;      ///< while it runs
  };

  SequenceInput input_of(const StepWork& work);

  const Llama& model_;
  PromptOf prompt_of_;
  const Machine& machine_;
  std::map<std::int64_t, Sequence> sequences_;
};

}  // namespace qlab
