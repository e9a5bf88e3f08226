// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scores: the log-softmax in double, so that a small difference of two models is theirs.
#include "model/evaluate.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "common/contract.h"

namespace qlab {
namespace {

/// ln softmax of one row of logits. Subtracting the largest first: e^x would overflow at 710.
std::vector<double> log_softmax(const Matrix<float>& logits, std::int64_t row) {
  const std::span<const float> x = logits.view().row(row, 0, logits.cols());
  const double largest = *std::ranges::max_element(x);
  double sum = 0;
  for (const float value : x) sum += std::exp(value - largest);
  const double log_sum = largest + std::log(sum);
  QLAB_CHECK(std::isfinite(log_sum), "score: the logits of position ", row,
             " are not finite; a value of the model has overflowed");
  std::vector<double> result(x.begin(), x.end());
  for (double& value : result) value -= log_sum;
  return result;
}

/// Σ p · (ln p - ln q). The sum is never negative; its rounding may be.
double kl_divergence(const std::vector<double>& log_p, const std::vector<double>& log_q) {
  double sum = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    sum += std::exp(log_p[i]) * (log_p[i] - log_q[i]);
  }
  return sum < 0 ? 0 : sum;
}

void check_logits(const char* operand, const Document& document, const Matrix<float>& logits) {
  QLAB_CHECK(logits.rows() == std::ssize(document.tokens), "score: ", operand, " have ",
             logits.rows(), " rows, ", document.name, " has ", document.tokens.size(), " tokens");
  for (const std::int32_t token : document.tokens) {
    QLAB_CHECK(token >= 0 && token < logits.cols(), "score: token ", token, " of ", document.name,
               " is outside the ", logits.cols(), " columns of ", operand);
  }
}

}  // namespace

Matrix<float> document_logits(const Llama& model, const Document& document,
                              const Machine& machine) {
  KvCache cache = model.new_cache(std::ssize(document.tokens));
  return model.forward(document.tokens, cache, machine);
}

std::size_t context_part(std::int64_t context) {
  std::size_t part = 0;
  while (part + 1 < kContextParts && context > kContextEdges[part]) ++part;
  return part;
}

DocumentScore score_document(const Document& document, const Matrix<float>& logits,
                             const Matrix<float>* reference) {
  check_logits("logits", document, logits);
  if (reference != nullptr) check_logits("logits of the reference", document, *reference);
  DocumentScore score;
  for (std::int64_t t = 0; t + 1 < logits.rows(); ++t) {
    const auto next = static_cast<std::size_t>(document.tokens[static_cast<std::size_t>(t + 1)]);
    const std::vector<double> log_q = log_softmax(logits, t);
    const std::size_t part = context_part(t + 1);
    score.nats -= log_q[next];
    score.nats_by_context[part] -= log_q[next];
    ++score.positions;
    ++score.positions_by_context[part];
    if (reference != nullptr) {
      score.kl_nats += kl_divergence(log_softmax(*reference, t), log_q);
      score.flips += most_likely(logits, t) != most_likely(*reference, t);
    }
  }
  return score;
}

RecallScore score_recall(const RecallDocument& document, const Matrix<float>& logits) {
  check_logits("logits", document.text, logits);
  RecallScore score;
  for (const std::int64_t answer : document.answers) {
    bool right = true;
    for (std::int64_t t = answer; t < answer + 4; ++t) {
      right &= most_likely(logits, t - 1) == document.text.tokens[static_cast<std::size_t>(t)];
    }
    const std::size_t part = context_part(answer);
    ++score.queries;
    ++score.queries_by_context[part];
    score.right += right;
    score.right_by_context[part] += right;
  }
  return score;
}

}  // namespace qlab
