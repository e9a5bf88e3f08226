// SPDX-License-Identifier: Apache-2.0
/// \file
/// LlamaEngine: whatever the scheduler does, each request gets the tokens it would get alone.
#include "model/llama_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/small_model.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::vector<std::int32_t> prompt_of(const ServeRequest& request) {
  Random random(static_cast<std::uint64_t>(request.id));
  std::vector<std::int32_t> prompt(static_cast<std::size_t>(request.prompt_tokens));
  for (std::int32_t& token : prompt) token = static_cast<std::int32_t>(random.below(37));
  return prompt;
}

std::vector<ServeRequest> some_requests(Random& random) {
  std::vector<ServeRequest> requests;
  for (std::int64_t id = 1; id <= 12; ++id) {
    requests.push_back({id, 1e-9 * static_cast<double>(random.below(3)), 1 + random.below(14),
                        1 + random.below(20)});
  }
  return requests;
}

struct Case {
  const char* name;
  SchedulerConfig config;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class LlamaEngineCases : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(, LlamaEngineCases,
                         testing::Values(Case{"one_after_the_other", {4, 100, 1, 64}},
                                         Case{"batches", {4, 100, 12, 64}},
                                         Case{"evictions", {4, 10, 6, 64}},
                                         Case{"chunks", {4, 100, 12, 5, true}},
                                         Case{"chunks_and_evictions", {1, 34, 6, 3, true}}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(LlamaEngineCases, GivesEachRequestTheTokensItWouldGetAlone) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(2);
  const Machine machine{threads};
  const Checkpoint checkpoint = small_checkpoint(small_config(), random);
  const std::vector<ServeRequest> requests = some_requests(random);
  for (const Recipe& recipe :
       {Recipe{.weights = WeightFormat::kFp32, .kv = KvFormat::kFp32}, Recipe{},
        Recipe{.weights = WeightFormat::kInt8, .kv = KvFormat::kInt8}}) {
    const Llama model(checkpoint, recipe, machine);
    LlamaEngine engine(model, prompt_of, machine);
    const ServeRun run = serve(GetParam().config, requests, engine);
    std::int64_t evicted = 0;
    for (const ServedRequest& served : run.requests) {
      evicted += served.preemptions;
      const std::vector<std::int32_t> prompt = prompt_of(served.request);
      std::vector<std::int32_t> alone = prompt;
      for (const std::int32_t token :
           generate_greedy(model, prompt, served.request.output_tokens, machine)) {
        alone.push_back(token);
      }
      EXPECT_EQ(engine.tokens(served.request.id), alone) << "request " << served.request.id;
    }
    EXPECT_EQ(evicted > 0, std::string(GetParam().name).ends_with("evictions"));
  }
}

TEST(LlamaEngine, RefusesPromptsThatDoNotFit) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  const Machine machine{threads};
  const Llama model(small_checkpoint(small_config(), random), {}, machine);
  LlamaEngine engine(model, prompt_of, machine);
  EXPECT_THAT(
      [&] {
        engine.begin({1, 0, 30, 11});
      },
      ThrowsMessage<ContractError>(HasSubstr("reaches 41 tokens, and the model has 40")));
  LlamaEngine other(
      model, [](const ServeRequest&) { return std::vector<std::int32_t>{1}; }, machine);
  EXPECT_THAT(
      [&] {
        other.begin({7, 0, 2, 1});
      },
      ThrowsMessage<ContractError>(HasSubstr("request 7 says 2 tokens, its prompt has 1")));
}

TEST(LlamaEngine, RefusesABatchThatSharesACache) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  const Machine machine{threads};
  const Llama model(small_checkpoint(small_config(), random), {}, machine);
  KvCache cache = model.new_cache(4);
  const std::vector<std::int32_t> token = {1};
  const SequenceInput twice[] = {{token, &cache}, {token, &cache}};
  EXPECT_THAT(
      [&] { model.forward(twice, machine); },
      ThrowsMessage<ContractError>(HasSubstr("2 sequences of a batch have the same cache")));
  EXPECT_EQ(cache.length(0), 0);
}

}  // namespace
}  // namespace qlab::test
