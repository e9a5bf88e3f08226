// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs the configurations over the documents, then resamples documents for the intervals.
#include "lab/quality.h"

#include <fmt/format.h>

#include <numbers>
#include <optional>
#include <span>

namespace qlab {
namespace {

using Indices = std::span<const std::int64_t>;
constexpr std::int64_t kResamples = 2000;

/// The scores of one configuration, a document each.
struct Scores {
  std::vector<DocumentScore> text;
  std::vector<RecallScore> recall;
};

double bits_per_byte(const std::vector<DocumentScore>& scores, Indices documents) {
  double nats = 0;
  double bytes = 0;
  for (const std::int64_t i : documents) {
    const DocumentScore& score = scores[static_cast<std::size_t>(i)];
    nats += score.nats;
    bytes += static_cast<double>(score.positions);
  }
  return nats / bytes / std::numbers::ln2;
}

/// A sum over documents for each byte scored.
template <class Field>
double per_byte(const std::vector<DocumentScore>& scores, Indices documents, Field field) {
  double sum = 0;
  double bytes = 0;
  for (const std::int64_t i : documents) {
    const DocumentScore& score = scores[static_cast<std::size_t>(i)];
    sum += static_cast<double>(score.*field);
    bytes += static_cast<double>(score.positions);
  }
  return sum / bytes;
}

double recall(const std::vector<RecallScore>& scores, Indices documents) {
  double right = 0;
  double queries = 0;
  for (const std::int64_t i : documents) {
    right += static_cast<double>(scores[static_cast<std::size_t>(i)].right);
    queries += static_cast<double>(scores[static_cast<std::size_t>(i)].queries);
  }
  return right / queries;
}

QualityRow summarize(const Configuration& configuration, const Scores& scores,
                     const Scores& reference, std::uint64_t seed) {
  const auto over_text = [&](auto statistic) {
    return bootstrap(std::ssize(scores.text), seed, kResamples, statistic);
  };
  const auto over_recall = [&](auto statistic) {
    return bootstrap(std::ssize(scores.recall), seed, kResamples, statistic);
  };
  return {
      .configuration = &configuration,
      .bits_per_byte = over_text([&](Indices d) { return bits_per_byte(scores.text, d); }),
      .delta = over_text([&](Indices d) {
        return bits_per_byte(scores.text, d) - bits_per_byte(reference.text, d);
      }),
      .kl = over_text([&](Indices d) { return per_byte(scores.text, d, &DocumentScore::kl_nats); }),
      .flips =
          over_text([&](Indices d) { return per_byte(scores.text, d, &DocumentScore::flips); }),
      .recall = over_recall([&](Indices d) { return recall(scores.recall, d); }),
      .recall_delta = over_recall(
          [&](Indices d) { return recall(scores.recall, d) - recall(reference.recall, d); }),
  };
}

/// What claims may ask about two configurations, and about one.
void add_measurements(const std::vector<Scores>& all, std::uint64_t seed,
                      Measurements& measurements) {
  const auto add = [&](const std::string& name, std::int64_t units, const std::string& unit,
                       auto statistic) {
    measurements[name] =
        Measurement{.interval = bootstrap(units, seed, kResamples, statistic), .unit = unit};
  };
  for (std::size_t a = 0; a < all.size(); ++a) {
    const std::string& name = configurations()[a].name;
    const std::int64_t documents = std::ssize(all[a].text);
    add(fmt::format("flips({})", name), documents, "",
        [&](Indices d) { return per_byte(all[a].text, d, &DocumentScore::flips); });
    for (std::size_t b = 0; b < all.size(); ++b) {
      if (a == b) continue;
      const std::string& other = configurations()[b].name;
      add(fmt::format("bits_per_byte({}) - bits_per_byte({})", name, other), documents, "bits/byte",
          [&](Indices d) { return bits_per_byte(all[a].text, d) - bits_per_byte(all[b].text, d); });
      add(fmt::format("kl({}) - kl({})", name, other), documents, "nats/byte", [&](Indices d) {
        return per_byte(all[a].text, d, &DocumentScore::kl_nats) -
               per_byte(all[b].text, d, &DocumentScore::kl_nats);
      });
      add(fmt::format("recall({}) - recall({})", name, other), std::ssize(all[a].recall), "",
          [&](Indices d) { return recall(all[a].recall, d) - recall(all[b].recall, d); });
    }
  }
}

double tokens_of(const Evaluation& evaluation) {
  double tokens = 0;
  for (const Document& document : evaluation.text) {
    tokens += static_cast<double>(document.tokens.size());
  }
  for (const RecallDocument& document : evaluation.recall) {
    tokens += static_cast<double>(document.text.tokens.size());
  }
  return tokens;
}

}  // namespace

Evaluation make_evaluation(bool quick, std::uint64_t seed) {
  constexpr std::int64_t kNames = 40;  // as in training
  const std::filesystem::path text = std::filesystem::path(QLAB_SOURCE_DIR) / "model/evaluation";
  if (quick) return {read_documents(text, 256, 16), make_recall_documents(4, kNames, 640, seed)};
  return {read_documents(text, 1024, 32), make_recall_documents(8, kNames, 1024, seed)};
}

double quality_work(const Evaluation& evaluation) {
  return tokens_of(evaluation) * static_cast<double>(configurations().size());
}

Quality measure_quality(const Checkpoint& checkpoint, const Evaluation& evaluation,
                        std::uint64_t seed, const Machine& machine, Progress& progress,
                        Measurements& measurements) {
  Checkpoint planted = checkpoint;
  plant_outliers(planted, kOutlierFactor, kOutlierChannels);

  std::vector<Scores> all;
  std::vector<Matrix<float>> reference;  // FP16's logits of every text document
  double done = 0;
  for (const Configuration& configuration : configurations()) {
    const Llama model(configuration.outliers ? planted : checkpoint, configuration.recipe, machine);
    Scores scores;
    for (std::size_t i = 0; i < evaluation.text.size(); ++i) {
      progress.show(done, fmt::format("quality of {}", configuration.name));
      const Document& document = evaluation.text[i];
      Matrix<float> logits = document_logits(model, document, machine);
      if (all.empty()) reference.push_back(std::move(logits));
      scores.text.push_back(
          score_document(document, all.empty() ? reference[i] : logits, &reference[i]));
      done += static_cast<double>(document.tokens.size());
    }
    for (const RecallDocument& document : evaluation.recall) {
      progress.show(done, fmt::format("recall of {}", configuration.name));
      scores.recall.push_back(
          score_recall(document, document_logits(model, document.text, machine)));
      done += static_cast<double>(document.text.tokens.size());
    }
    all.push_back(std::move(scores));
  }

  Quality quality{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    quality.rows.push_back(summarize(configurations()[i], all[i], all[0], seed));
  }
  for (const DocumentScore& score : all[0].text) quality.text_bytes += score.positions;
  for (const RecallScore& score : all[0].recall) quality.recall_queries += score.queries;
  add_measurements(all, seed, measurements);
  return quality;
}

}  // namespace qlab
