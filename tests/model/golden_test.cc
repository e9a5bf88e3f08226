// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tiny model against Transformers: logits of golden.json, and its greedy continuation. The suite
/// has a small letter so that `ctest -R golden` finds it; with -V it prints the differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/double_llama.h"
#include "model/llama.h"

namespace qlab::test {
namespace {

const std::filesystem::path kTinyLm = std::filesystem::path(QLAB_SOURCE_DIR) / "model/tiny_lm";
constexpr Recipe kRuler{.weights = WeightFormat::kFp32, .kv = KvFormat::kFp32};
constexpr double kPrinted = 0.5e-6;  // golden.json holds six decimals

/// Read once: the exact logits and the bound take most of the time of these tests.
struct Golden {
  Golden()
      : checkpoint(load_checkpoint(kTinyLm)),
        json(nlohmann::json::parse(std::ifstream(kTinyLm / "golden.json"))),
        prompt(json["prompt"]) {
    DoubleLlama reference(checkpoint);
    exact = reference.logits(prompt);
    bound = reference.bound(prompt, exact, {});
  }
  static const Golden& get() {
    static const Golden golden;
    return golden;
  }

  Checkpoint checkpoint;
  nlohmann::json json;
  std::vector<std::int32_t> prompt;
  Matrix<double> exact;  // [prompt, vocab] computed in double
  double bound;          // distance from it that FP32 roundings explain
};

/// The largest distance from Transformers' logits, at the positions that golden.json holds.
template <class T>
double from_transformers(const Matrix<T>& logits) {
  const nlohmann::json& json = Golden::get().json;
  double largest = 0;
  for (std::size_t i = 0; i < json["positions"].size(); ++i) {
    for (std::int64_t v = 0; v < logits.cols(); ++v) {
      const double theirs = json["logits"][i][static_cast<std::size_t>(v)];
      const double ours = logits(json["positions"][i], v);
      if (!(std::abs(ours - theirs) <= largest)) largest = std::abs(ours - theirs);
    }
  }
  return largest;
}

Matrix<float> prefill(const Checkpoint& checkpoint, const Machine& machine) {
  const Golden& golden = Golden::get();
  const Llama model(checkpoint, kRuler, machine);
  KvCache cache = model.new_cache(std::ssize(golden.prompt));
  return model.forward(golden.prompt, cache, machine);
}

TEST(golden, AgreesWithTransformersWithinTheRoundingsOfFp32) {
  const Golden& golden = Golden::get();
  ThreadPool threads(2);
  const Matrix<float> logits = prefill(golden.checkpoint, {threads});

  const double ours = largest_difference(logits, golden.exact);
  const double theirs = from_transformers(golden.exact);
  const double between = from_transformers(logits);
  std::cout << "largest difference of a logit: lab - Transformers " << between << ", lab - double "
            << ours << ", Transformers - double " << theirs << "; bound of FP32 roundings "
            << golden.bound << "\n";
  RecordProperty("lab_minus_transformers", std::to_string(between));
  RecordProperty("bound", std::to_string(golden.bound));
  EXPECT_TRUE(ours <= golden.bound) << ours << " > " << golden.bound;
  EXPECT_TRUE(theirs <= golden.bound + kPrinted) << theirs << " > " << golden.bound;
  EXPECT_TRUE(between <= 2 * golden.bound + kPrinted) << between << " > 2 · " << golden.bound;
}

TEST(golden, HoldsOnEveryLevelOfInstructionsAndOneThread) {
  const Golden& golden = Golden::get();
  ThreadPool threads(1);
  for (const Isa isa : kAllIsas) {
    if (isa > best_isa()) break;
    const double ours =
        largest_difference(prefill(golden.checkpoint, {threads, isa}), golden.exact);
    EXPECT_TRUE(ours <= golden.bound) << isa_name(isa) << ": " << ours << " > " << golden.bound;
  }
}

TEST(golden, ContinuesGreedilyAsTransformersDoes) {
  const Golden& golden = Golden::get();
  ThreadPool threads(2);
  const Machine machine{threads};
  const auto whole = golden.json["next_bytes"].get<std::string>();  // the prompt stands before it
  ASSERT_EQ(whole.size(), golden.prompt.size() + 24);

  std::string text(golden.prompt.begin(), golden.prompt.end());
  for (const std::int32_t token :
       generate_greedy({golden.checkpoint, kRuler, machine}, golden.prompt, 24, machine)) {
    text += static_cast<char>(token);
  }
  EXPECT_EQ(text, whole);
}

TEST(golden, DecodesTokenByTokenWhatPrefillComputesAtOnce) {
  const Golden& golden = Golden::get();
  ThreadPool threads(2);
  const Machine machine{threads};
  const Llama model(golden.checkpoint, kRuler, machine);
  KvCache cache = model.new_cache(std::ssize(golden.prompt));
  Matrix<float> logits(std::ssize(golden.prompt), model.config().vocab_size);
  for (std::int64_t t = 0; t < logits.rows(); ++t) {
    const auto token = std::span(golden.prompt).subspan(static_cast<std::size_t>(t), 1);
    const Matrix<float> row = model.forward(token, cache, machine);
    std::copy_n(row.data(), row.cols(), logits.view().row(t));
  }
  const double ours = largest_difference(logits, golden.exact);
  EXPECT_TRUE(ours <= golden.bound) << ours << " > " << golden.bound;
}

// The bound would be worthless if a wrong model stayed inside it.
TEST(golden, HasABoundThatSmallMistakesBreak) {
  ThreadPool threads(2);
  const Machine machine{threads};
  const Golden& golden = Golden::get();
  const auto distance = [&](auto mistake) {
    Checkpoint wrong = load_checkpoint(kTinyLm);
    mistake(wrong);
    return largest_difference(prefill(wrong, machine), golden.exact);
  };
  EXPECT_GT(distance([](Checkpoint& c) { c.config.rms_norm_eps = 1e-6; }), golden.bound);
  EXPECT_GT(distance([](Checkpoint& c) { c.config.rope_theta = 10010; }), golden.bound);
  EXPECT_GT(distance([](Checkpoint& c) { c.layers[5].down_proj(0, 767) = 0; }), golden.bound);
}

TEST(golden, KeepsItsBitsWhenOutliersArePlanted) {
  const Golden& golden = Golden::get();
  ThreadPool threads(2);
  Checkpoint planted = load_checkpoint(kTinyLm);
  plant_outliers(planted, 64, 4);
  const Matrix<float> with = prefill(planted, {threads});
  const Matrix<float> without = prefill(golden.checkpoint, {threads});
  EXPECT_EQ(std::memcmp(with.data(), without.data(), with.bytes()), 0);
}

}  // namespace
}  // namespace qlab::test
