// SPDX-License-Identifier: Apache-2.0
/// \file
/// Llama: small models of every shape against DoubleLlama, in every recipe; rotations by hand.
#include "model/llama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <ostream>
#include <string>
#include <vector>

#include "model/double_llama.h"
#include "model/rope.h"
#include "model/small_model.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr Recipe kRuler{.weights = WeightFormat::kFp32, .kv = KvFormat::kFp32};
const std::vector<std::int32_t> kTokens = {3, 36, 0, 17, 17, 5, 29, 1, 36, 11, 8, 22, 30};

Matrix<float> prefill(const Llama& model, std::span<const std::int32_t> tokens,
                      const Machine& machine) {
  KvCache cache = model.new_cache(std::ssize(tokens));
  return model.forward(tokens, cache, machine);
}

struct Shape {
  const char* name;
  void (*change)(LlamaConfig&);
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

constexpr Shape kShapes[] = {
    {"grouped_queries", [](LlamaConfig&) {}},
    {"a_kv_head_a_query_head", [](LlamaConfig& c) { c.n_kv_heads = 6; }},
    {"one_kv_head", [](LlamaConfig& c) { c.n_kv_heads = 1; }},
    {"one_head_of_two", [](LlamaConfig& c) { c.n_heads = c.n_kv_heads = 1, c.head_dim = 2; }},
    {"tied_tables", [](LlamaConfig& c) { c.tie_word_embeddings = true; }},
    {"narrow_feed_forward", [](LlamaConfig& c) { c.intermediate_size = 1; }},
    {"large_epsilon", [](LlamaConfig& c) { c.rms_norm_eps = 0.5; }},
    // Of five rotations: kept, between, between, slowed, slowed.
    {"stretched_rotations",
     [](LlamaConfig& c) {
       c.rope_scaling = RopeScaling{8, 0.1, 0.8, 10};
     }},
};

class LlamaShapes : public testing::TestWithParam<Shape> {};

INSTANTIATE_TEST_SUITE_P(, LlamaShapes, testing::ValuesIn(kShapes),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(LlamaShapes, StaysWithinTheRoundingsOfFp32) {
  const TestSeed seed;
  Random random(seed);
  LlamaConfig config = small_config();
  GetParam().change(config);
  const Checkpoint checkpoint = small_checkpoint(config, random);
  DoubleLlama reference(checkpoint);
  const Matrix<double> exact = reference.logits(kTokens);
  const double bound = reference.bound(kTokens, exact, {});
  ThreadPool threads(2);
  const Machine machine{threads};
  const double off =
      largest_difference(prefill({checkpoint, kRuler, machine}, kTokens, machine), exact);
  EXPECT_TRUE(off <= bound) << off << " > " << bound;
}

/// What each recipe rounds; weights are replaced in the reference by those that are stored.
struct RecipeCase {
  const char* name;
  Recipe recipe;
  Roundings roundings;
};
void PrintTo(const RecipeCase& c, std::ostream* out) { *out << c.name; }

const RecipeCase kRecipes[] = {
    {"fp16", {.weights = WeightFormat::kFp16, .kv = KvFormat::kFp16}, {kToFp16, kToFp16, kToFp16}},
    {"bf16", {.weights = WeightFormat::kBf16, .kv = KvFormat::kFp16}, {kToBf16, kToBf16, kToFp16}},
    {"int8", {.weights = WeightFormat::kInt8, .kv = KvFormat::kFp16}, {kToInt8, kToFp16, kToFp16}},
    {"int4_groups_of_16",
     {.weights = WeightFormat::kInt4, .group_size = 16, .kv = KvFormat::kFp16},
     {kToFp16, kToFp16, kToFp16}},
    {"kv_int8",
     {.weights = WeightFormat::kFp32, .kv = KvFormat::kInt8},
     {{}, {}, kToInt8Fp16Scale}},
    {"kv_fp8", {.weights = WeightFormat::kFp32, .kv = KvFormat::kFp8E4m3}, {{}, {}, kToFp8E4m3}},
};

/// The checkpoint as a recipe stores it.
void store(Checkpoint& checkpoint, const Recipe& recipe, const Machine& machine) {
  for (LayerWeights& layer : checkpoint.layers) {
    for (const auto member : {&LayerWeights::q_proj, &LayerWeights::k_proj, &LayerWeights::v_proj,
                              &LayerWeights::o_proj, &LayerWeights::gate_proj,
                              &LayerWeights::up_proj, &LayerWeights::down_proj}) {
      Matrix<float>& weight = layer.*member;
      const auto linear = make_linear(
          weight.view(), {.weights = recipe.weights, .group_size = recipe.group_size}, machine);
      for (std::int64_t n = 0; n < weight.rows(); ++n) {
        linear->read_row(n, weight.view().row(n, 0, weight.cols()));
      }
    }
  }
}

class LlamaRecipes : public testing::TestWithParam<RecipeCase> {};

INSTANTIATE_TEST_SUITE_P(, LlamaRecipes, testing::ValuesIn(kRecipes),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(LlamaRecipes, StaysWithinItsRoundingsAndMakesThem) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(2);
  const Machine machine{threads};
  Checkpoint checkpoint = small_checkpoint(small_config(), random);
  const Llama model(checkpoint, GetParam().recipe, machine);
  store(checkpoint, GetParam().recipe, machine);
  DoubleLlama reference(checkpoint);
  const Matrix<double> exact = reference.logits(kTokens);
  const double bound = reference.bound(kTokens, exact, GetParam().roundings);
  const double off = largest_difference(prefill(model, kTokens, machine), exact);
  EXPECT_TRUE(off <= bound) << off << " > " << bound;
  // A recipe that computed in FP32 after all would be nearer than FP32's own bound.
  EXPECT_GT(off, reference.bound(kTokens, exact, {}));
}

TEST_P(LlamaRecipes, DecodesTokenByTokenNearThePrefill) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(2);
  const Machine machine{threads};
  Checkpoint checkpoint = small_checkpoint(small_config(), random);
  const Llama model(checkpoint, GetParam().recipe, machine);
  store(checkpoint, GetParam().recipe, machine);
  KvCache cache = model.new_cache(std::ssize(kTokens));
  Matrix<float> logits(std::ssize(kTokens), model.config().vocab_size);
  std::int64_t done = 0;
  for (const std::int64_t count : {3, 1, 1, 6, 2}) {  // uneven pieces, since any must do
    const auto piece =
        std::span(kTokens).subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(count));
    const Matrix<float> rows = model.forward(piece, cache, machine);
    std::copy_n(rows.data(), rows.rows() * rows.cols(), logits.view().row(done));
    done += count;
  }
  DoubleLlama reference(checkpoint);
  const Matrix<double> exact = reference.logits(kTokens);
  const double bound = reference.bound(kTokens, exact, GetParam().roundings);
  const double off = largest_difference(logits, exact);
  EXPECT_TRUE(off <= bound) << off << " > " << bound;
}

TEST_P(LlamaRecipes, GivesTheSameBitsOnEveryNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  const Checkpoint checkpoint = small_checkpoint(small_config(), random);
  ThreadPool one(1);
  ThreadPool three(3);
  const Matrix<float> a = prefill({checkpoint, GetParam().recipe, {one}}, kTokens, {one});
  const Matrix<float> b = prefill({checkpoint, GetParam().recipe, {three}}, kTokens, {three});
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0);
}

TEST(Llama, CountsItsBytes) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  LlamaConfig config = small_config();
  const std::int64_t linear = 3 * (44 * 60 + 2 * 44 * 20 + 60 * 44 + 3 * 44 * 58);
  const std::int64_t table = 37 * 44;
  const std::int64_t gains = 4 * 7 * 44;
  const Llama untied(small_checkpoint(config, random), {}, {threads});
  EXPECT_EQ(untied.linear_weights(), linear);
  // In panels of 32 rows, K padded to 32: 44, 58 and 60 become 64; 20 rows of k and v become 32.
  const std::int64_t packed = 3 * (5 * 64 * 64 + 2 * 32 * 64);
  EXPECT_EQ(untied.linear_bytes(), 2 * packed);
  EXPECT_EQ(untied.weight_bytes(), 2 * packed + 2 * 2 * 64 * 64 + gains);
  config.tie_word_embeddings = true;
  const Llama tied(small_checkpoint(config, random), kRuler, {threads});
  EXPECT_EQ(tied.linear_bytes(), 4 * linear);
  EXPECT_EQ(tied.weight_bytes(), 4 * linear + 4 * table + gains);
}

TEST(Llama, GeneratesTheMostLikelyTokens) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  const Machine machine{threads};
  const Llama model(small_checkpoint(small_config(), random), kRuler, machine);
  std::vector<std::int32_t> text = kTokens;
  for (int i = 0; i < 5; ++i) {  // without a cache: the whole text again for every token
    const Matrix<float> logits = prefill(model, text, machine);
    const auto last = logits.view().row(logits.rows() - 1, 0, logits.cols());
    text.push_back(static_cast<std::int32_t>(std::ranges::max_element(last) - last.begin()));
  }
  const std::vector<std::int32_t> expected(text.end() - 5, text.end());
  EXPECT_EQ(generate_greedy(model, kTokens, 5, machine), expected);
  EXPECT_TRUE(generate_greedy(model, kTokens, 0, machine).empty());
}

TEST(Llama, GivesTiesToTheLowestToken) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  Checkpoint checkpoint = small_checkpoint(small_config(), random);
  std::memset(checkpoint.lm_head.data(), 0, checkpoint.lm_head.bytes());  // all logits are 0
  const Llama model(checkpoint, kRuler, {threads});
  EXPECT_EQ(generate_greedy(model, kTokens, 2, {threads}), (std::vector<std::int32_t>{0, 0}));
}

TEST(Llama, RefusesACallThatDoesNotFit) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  const Machine machine{threads};
  const Llama model(small_checkpoint(small_config(), random), kRuler, machine);
  KvCache cache = model.new_cache(4);
  const auto forward = [&](const std::vector<std::int32_t>& tokens) {
    return [&, tokens] { model.forward(tokens, cache, machine); };
  };
  EXPECT_THAT(forward({1, 37}), ThrowsMessage<ContractError>(HasSubstr("token 1 is 37")));
  EXPECT_THAT(forward({-1}), ThrowsMessage<ContractError>(HasSubstr("token 0 is -1")));
  EXPECT_THAT(forward({1, 2, 3, 4, 5}), ThrowsMessage<ContractError>(HasSubstr("room for 4 of 4")));
  EXPECT_EQ(cache.length(0), 0);
  forward({1, 2})();
  EXPECT_THAT(forward({1, 2, 3}), ThrowsMessage<ContractError>(HasSubstr("room for 2 of 4")));
  EXPECT_EQ(cache.length(0), 2);
  EXPECT_EQ(model.forward({}, cache, machine).rows(), 0);
  EXPECT_THAT([&] { model.new_cache(41); },
              ThrowsMessage<ContractError>(HasSubstr("40 positions")));
  EXPECT_THAT([&] { generate_greedy(model, {}, 1, machine); },
              ThrowsMessage<ContractError>(HasSubstr("at least one token")));

  KvCache other(KvFormat::kInt8, 3, 2, 10, 4);
  EXPECT_THAT(
      [&] { model.forward(kTokens, other, machine); },
      ThrowsMessage<ContractError>(HasSubstr("the cache holds int8, the recipe says fp32")));
}

TEST(Rope, StretchesSlowRotationsOnly) {
  // theta^(-2i/8) = 1, 10⁻¹, 10⁻², 10⁻³, and 200π positions: 100, 10, 1 and 0.1 turns. More than 4
  // turns are kept, less than ½ slowed by 8; 1 turn is kept to (1 - ½) / (4 - ½) = 1/7, so it is
  // 10⁻² · (1/7 + 6/7 · 1/8) = 10⁻² / 4.
  LlamaConfig config = small_config();
  config.head_dim = 8;
  config.rope_theta = 10000;
  config.rope_scaling = RopeScaling{8, 0.5, 4, 200 * std::numbers::pi};
  const std::vector<float> inv_freq = rope_inv_freq(config);
  const double expected[] = {1, 1e-1, 2.5e-3, 1.25e-4};
  ASSERT_EQ(inv_freq.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    // A power, its reciprocal and the stretch, of 2⁻²⁴ each, doubled.
    EXPECT_NEAR(inv_freq[i], expected[i], 6 * 0x1p-24 * expected[i]) << i;
  }
}

TEST(Rope, TurnsTheHalvesOfAHeadAgainstEachOther) {
  // Position 2 at a quarter turn a position is half a turn: both halves change sign. The second pair
  // turns by π/4 a position: a quarter turn, (x, y) → (-y, x).
  ThreadPool threads(1);
  const auto quarter = static_cast<float>(std::numbers::pi / 2);
  const RopeTable table({quarter, quarter / 2}, std::vector<std::int64_t>{2});
  Matrix<float> heads(1, 8);
  const float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
  std::copy_n(values, 8, heads.data());
  apply_rope(heads.view(), table, {threads});
  // π in FP32 is off by up to 2⁻²³, and the values it turns reach 8; the sums round as much again.
  const float expected[] = {-1, -4, -3, 2, -5, -8, -7, 6};
  for (std::int64_t i = 0; i < 8; ++i) EXPECT_NEAR(heads(0, i), expected[i], 2 * 8 * 0x1p-23) << i;
  EXPECT_THROW(apply_rope(Matrix<float>(1, 6).view(), table, {threads}), ContractError);
}

}  // namespace
}  // namespace qlab::test
