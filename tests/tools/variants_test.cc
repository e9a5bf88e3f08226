// SPDX-License-Identifier: Apache-2.0
/// \file
/// The configurations of a run and the models behind them: which ones a family has, what planting and
/// smoothing do to the lab's model, and on what fixed scales are fixed.
#include "lab/variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "02_int8_calibration/smoothquant.h"

namespace qlab::test {
namespace {

const std::filesystem::path kSource = QLAB_SOURCE_DIR;

std::vector<std::string> names(std::string_view family, bool details) {
  std::vector<std::string> chosen;
  for (const Configuration& c : choose_configurations(family, details)) chosen.push_back(c.name);
  return chosen;
}

TEST(Configurations, AFamilyIsTheBaselineAndWhatQuantizesTheSame) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("kv", false), (Names{"fp16", "kv_int8", "kv_fp8", "int4_g128 + kv_int8"}));
  EXPECT_THAT(names("kv", true), testing::IsSupersetOf({"kv_int2", "kv_kivi2", "kv_k_int2"}));
  EXPECT_THAT(names("kv", true), testing::Not(testing::Contains("int4_g128")));
  EXPECT_EQ(names("int4", false), (Names{"fp16", "int4_g128", "int4_g32", "int4_g128 + kv_int8"}));
  EXPECT_THAT(names("int8", true), testing::Contains("int8_static_smooth_outliers"));
}

TEST(Configurations, DetailsAreLeftOutWhenNotAskedFor) {
  EXPECT_EQ(names("", true).size(), configurations().size());
  EXPECT_THAT(names("", false), testing::Not(testing::Contains("int8_static")));
  EXPECT_THAT(names("", false), testing::Contains("int8_smooth_outliers"));
}

TEST(Configurations, HaveNamesOfTheirOwn) {
  std::vector<std::string> all = names("", true);
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

class VariantsOfTheModel : public testing::Test {
 protected:
  Matrix<float> logits(const Configuration& c) {
    return document_logits(variants_.model(c), text_[0], machine_);
  }
  double nats(const Configuration& c) { return score_document(text_[0], logits(c), nullptr).nats; }
  static const Configuration& named(const std::string& name) {
    return *std::ranges::find(configurations(), name, &Configuration::name);
  }

  ThreadPool threads_{2};
  Machine machine_{threads_, best_isa()};
  Checkpoint checkpoint_ = load_checkpoint(kSource / "model/tiny_lm");
  std::vector<Document> text_ = read_documents(kSource / "model/evaluation", 32, 2);
  CalibrationSource source_{.texts = {{CalibrationSet::kSameText, text_}}, .file = {}};
  Variants variants_{checkpoint_, source_, machine_};
};

TEST_F(VariantsOfTheModel, PlantingChangesInputsAndNotTheFunction) {
  const Recipe ruler{.weights = WeightFormat::kFp32, .kv = KvFormat::kFp32};
  const Matrix<float> plain = logits({.name = "plain", .recipe = ruler, .what = ""});
  const Matrix<float> planted =
      logits({.name = "planted", .recipe = ruler, .outliers = true, .what = ""});
  EXPECT_EQ(std::memcmp(plain.data(), planted.data(), plain.bytes()), 0);  // a power of two
  const std::vector<float> before =
      variants_.inputs(false, {}, CalibrationSet::kSameText)[0].channel_absmax;
  const std::vector<float> after =
      variants_.inputs(true, {}, CalibrationSet::kSameText)[0].channel_absmax;
  std::int64_t grown = 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    grown += before[k] > 0 && after[k] == kOutlierFactor * before[k];
  }
  EXPECT_EQ(grown, kOutlierChannels);
}

TEST_F(VariantsOfTheModel, SmoothingBalancesPlantedInputsAndTheirWeights) {
  Checkpoint planted = checkpoint_;
  plant_outliers(planted, kOutlierFactor, kOutlierChannels);
  const LayerWeights& w = planted.layers[0];
  std::vector<float> weight(w.input_norm.size());
  for (const Matrix<float>* consumer : {&w.q_proj, &w.k_proj, &w.v_proj}) {
    raise_column_absmax(consumer->view(), weight);
  }
  const std::vector<float> before =
      variants_.inputs(true, {}, CalibrationSet::kSameText)[0].channel_absmax;
  const std::vector<float> after =
      variants_.inputs(true, 0.5, CalibrationSet::kSameText)[0].channel_absmax;
  for (std::size_t k = 0; k < before.size(); ++k) {
    // The first block's norm reads the embedding, so only the gain has changed: the factor, the
    // quotient and the product round, each by 2⁻²⁴; two powers in double do not count.
    const double balanced = std::sqrt(double{before[k]} * weight[k]);
    EXPECT_NEAR(after[k], balanced, 4 * 0x1p-24 * balanced) << k;
  }
}

TEST_F(VariantsOfTheModel, ScalesAreFixedOnTheSetOrTheFileThatIsNamed) {
  EXPECT_THROW(nats(named("int8_static_digits")), std::out_of_range) << "a set that was not given";
  for (const std::string& name : linear_names(checkpoint_.config)) source_.file[name] = 1e-3F;
  // A thousandth clips nearly everything, so the text costs what chance would: 32 bytes of 8 bits are
  // 177 nats, and a model that reads costs a third.
  EXPECT_GT(nats(scales_of_a_file()), 1.5 * nats(named("int8_static")));
}

}  // namespace
}  // namespace qlab::test
