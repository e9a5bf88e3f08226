// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs the configurations over the documents, then resamples documents for the intervals.
#include "lab/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <numbers>
#include <utility>

namespace qlab {
namespace {

using Indices = std::span<const std::int64_t>;
constexpr std::int64_t kResamples = 2000;
constexpr std::int64_t kWindow = 1024;  // bytes of text at once
constexpr std::int64_t kWindows = 12;   // that are evaluated
constexpr std::int64_t kReserved = 24;  // of which calibration sees none

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

/// Σ over documents of one of their sums by context.
template <class Score, class Field>
double sum_at(const std::vector<Score>& scores, Indices documents, Field field, std::size_t part) {
  double sum = 0;
  for (const std::int64_t i : documents) {
    sum += static_cast<double>((scores[static_cast<std::size_t>(i)].*field)[part]);
  }
  return sum;
}

/// Whether every document has something in this part: a resample must not be empty.
template <class Score, class Field>
bool scored_at(const std::vector<Score>& scores, Field field, std::size_t part) {
  return std::ranges::all_of(scores, [&](const Score& s) { return (s.*field)[part] > 0; });
}

/// Bits a byte more than the reference, of one part of the contexts.
double loss_at(const Scores& scores, const Scores& reference, Indices d, std::size_t part) {
  const auto bits = [&](const std::vector<DocumentScore>& of) {
    return sum_at(of, d, &DocumentScore::nats_by_context, part) /
           sum_at(of, d, &DocumentScore::positions_by_context, part) / std::numbers::ln2;
  };
  return bits(scores.text) - bits(reference.text);
}

void add_by_context(const Scores& scores, const Scores& reference, std::uint64_t seed,
                    QualityRow& row) {
  for (std::size_t part = 0; part < kContextParts; ++part) {
    if (scored_at(scores.text, &DocumentScore::positions_by_context, part)) {
      const auto bits = [&](const std::vector<DocumentScore>& of, Indices d) {
        return sum_at(of, d, &DocumentScore::nats_by_context, part) /
               sum_at(of, d, &DocumentScore::positions_by_context, part) / std::numbers::ln2;
      };
      row.delta_by_context[part] =
          bootstrap(std::ssize(scores.text), seed, kResamples,
                    [&](Indices d) { return bits(scores.text, d) - bits(reference.text, d); });
    }
    if (scored_at(scores.recall, &RecallScore::queries_by_context, part)) {
      row.recall_by_context[part] =
          bootstrap(std::ssize(scores.recall), seed, kResamples, [&](Indices d) {
            return sum_at(scores.recall, d, &RecallScore::right_by_context, part) /
                   sum_at(scores.recall, d, &RecallScore::queries_by_context, part);
          });
    }
  }
}

QualityRow summarize(const Configuration& configuration, const Scores& scores,
                     const Scores& reference, std::uint64_t seed) {
  const auto over_text = [&](auto statistic) {
    return bootstrap(std::ssize(scores.text), seed, kResamples, statistic);
  };
  const auto over_recall = [&](auto statistic) {
    return bootstrap(std::ssize(scores.recall), seed, kResamples, statistic);
  };
  QualityRow row = {
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
      .delta_by_context = {},
      .recall_by_context = {},
  };
  add_by_context(scores, reference, seed, row);
  return row;
}

/// How much more a configuration loses behind the longest contexts than behind the shortest.
void add_loss_at_length(const std::string& name, const Scores& scores, const Scores& reference,
                        std::uint64_t seed, Measurements& measurements) {
  constexpr std::size_t kLast = kContextParts - 1;
  const std::string measure =
      fmt::format("loss({0}, context {1}-{2}) - loss({0}, context 1-{3})", name,
                  kContextEdges[kLast - 1] + 1, kContextEdges[kLast], kContextEdges[0]);
  if (!scored_at(scores.text, &DocumentScore::positions_by_context, kLast)) {
    measurements[measure] = NotMeasured{
        fmt::format("no window of text is longer than {} bytes", kContextEdges[kLast - 1])};
    return;
  }
  const auto more = [&](Indices d) {
    return loss_at(scores, reference, d, kLast) - loss_at(scores, reference, d, 0);
  };
  measurements[measure] = Measurement{
      .interval = bootstrap(std::ssize(scores.text), seed, kResamples, more), .unit = "bits/byte"};
}

/// What claims may ask about two configurations, and about one.
void add_measurements(std::span<const Configuration> configurations, const std::vector<Scores>& all,
                      std::uint64_t seed, Measurements& measurements) {
  const auto add = [&](const std::string& name, std::int64_t units, const std::string& unit,
                       auto statistic) {
    measurements[name] =
        Measurement{.interval = bootstrap(units, seed, kResamples, statistic), .unit = unit};
  };
  for (std::size_t a = 0; a < all.size(); ++a) {
    const std::string& name = configurations[a].name;
    add(fmt::format("flips({})", name), std::ssize(all[a].text), "",
        [&](Indices d) { return per_byte(all[a].text, d, &DocumentScore::flips); });
    if (a != 0) add_loss_at_length(name, all[a], all[0], seed, measurements);
    for (std::size_t b = 0; b < all.size(); ++b) {
      if (a == b) continue;
      const std::string& other = configurations[b].name;
      // Details saw the first documents only: pairs are made of what both saw.
      const std::int64_t texts = std::min(std::ssize(all[a].text), std::ssize(all[b].text));
      const std::int64_t recalls = std::min(std::ssize(all[a].recall), std::ssize(all[b].recall));
      add(fmt::format("bits_per_byte({}) - bits_per_byte({})", name, other), texts, "bits/byte",
          [&](Indices d) { return bits_per_byte(all[a].text, d) - bits_per_byte(all[b].text, d); });
      add(fmt::format("kl({}) - kl({})", name, other), texts, "nats/byte", [&](Indices d) {
        return per_byte(all[a].text, d, &DocumentScore::kl_nats) -
               per_byte(all[b].text, d, &DocumentScore::kl_nats);
      });
      add(fmt::format("recall({}) - recall({})", name, other), recalls, "",
          [&](Indices d) { return recall(all[a].recall, d) - recall(all[b].recall, d); });
    }
  }
}

/// The documents that a configuration is judged on.
std::span<const Document> texts_for(const Configuration& configuration, const Evaluation& e) {
  const std::span<const Document> all = e.text;
  return configuration.part == Part::kMain ? all
                                           : all.first(static_cast<std::size_t>(e.detail_text));
}
std::span<const RecallDocument> recall_for(const Configuration& configuration,
                                           const Evaluation& e) {
  const std::span<const RecallDocument> all = e.recall;
  return configuration.part == Part::kMain ? all
                                           : all.first(static_cast<std::size_t>(e.detail_recall));
}

const std::filesystem::path kText = std::filesystem::path(QLAB_SOURCE_DIR) / "model/evaluation";

}  // namespace

std::vector<Document> calibration_text(std::int64_t window, std::int64_t count) {
  QLAB_CHECK(window >= 1 && window <= kWindow && count >= 1, "calibration_text: ", count,
             " windows of ", window, " bytes; ask for at least one of 1 … ", kWindow);
  // Those of a quick run lie within the first ones of each file.
  std::vector<Document> documents = read_documents(kText, kWindow, kReserved + count);
  documents.erase(documents.begin(), documents.begin() + kReserved);
  for (Document& d : documents) d.tokens.resize(static_cast<std::size_t>(window));
  return documents;
}

Evaluation make_evaluation(bool quick, std::uint64_t seed) {
  constexpr std::int64_t kNames = 40;  // as in training
  Evaluation e = quick ? Evaluation{.text = read_documents(kText, 256, 16),
                                    .recall = make_recall_documents(4, kNames, 640, seed),
                                    .detail_text = 16,
                                    .detail_recall = 4,
                                    .calibration = {}}
                       : Evaluation{.text = read_documents(kText, kWindow, kWindows),
                                    .recall = make_recall_documents(6, kNames, kWindow, seed),
                                    .detail_text = 8,
                                    .detail_recall = 2,
                                    .calibration = {}};
  e.calibration.texts[CalibrationSet::kSameText] = calibration_text(256, 4);
  e.calibration.texts[CalibrationSet::kTooSmall] = calibration_text(8, 1);
  std::vector<Document>& digits = e.calibration.texts[CalibrationSet::kOtherDomain];
  for (RecallDocument& document : make_recall_documents(2, kNames, 512, seed + 1)) {
    digits.push_back(std::move(document.text));
  }
  return e;
}

double quality_work(const Evaluation& evaluation, std::span<const Configuration> configurations) {
  std::size_t tokens = 0;
  for (const Configuration& configuration : configurations) {
    for (const Document& d : texts_for(configuration, evaluation)) tokens += d.tokens.size();
    for (const RecallDocument& d : recall_for(configuration, evaluation)) {
      tokens += d.text.tokens.size();
    }
  }
  return static_cast<double>(tokens);
}

Quality measure_quality(const Checkpoint& checkpoint, const Evaluation& evaluation,
                        std::span<const Configuration> configurations, std::uint64_t seed,
                        const Machine& machine, Progress& progress, Measurements& measurements) {
  Variants variants(checkpoint, evaluation.calibration, machine);
  std::vector<Scores> all;
  std::vector<Matrix<float>> reference;  // FP16's logits of every text document
  double done = 0;
  for (const Configuration& configuration : configurations) {
    progress.show(done, fmt::format("quality of {}", configuration.name));
    const Llama model = variants.model(configuration);
    Scores scores;
    for (const Document& document : texts_for(configuration, evaluation)) {
      progress.show(done, fmt::format("quality of {}", configuration.name));
      Matrix<float> logits = document_logits(model, document, machine);
      if (all.empty()) reference.push_back(std::move(logits));
      const std::size_t i = scores.text.size();
      scores.text.push_back(
          score_document(document, all.empty() ? reference[i] : logits, &reference[i]));
      done += static_cast<double>(document.tokens.size());
    }
    for (const RecallDocument& document : recall_for(configuration, evaluation)) {
      progress.show(done, fmt::format("recall of {}", configuration.name));
      scores.recall.push_back(
          score_recall(document, document_logits(model, document.text, machine)));
      done += static_cast<double>(document.text.tokens.size());
    }
    all.push_back(std::move(scores));
  }

  Quality quality{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    quality.rows.push_back(summarize(configurations[i], all[i], all[0], seed));
  }
  for (const DocumentScore& score : all[0].text) quality.text_bytes += score.positions;
  for (const RecallScore& score : all[0].recall) quality.recall_queries += score.queries;
  add_measurements(configurations, all, seed, measurements);
  return quality;
}

}  // namespace qlab
