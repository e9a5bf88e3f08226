// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a kivi cache is read as: scores, outputs, single elements, and how far they are off.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "04_kv_cache/kivi_checks.h"

namespace qlab::test {

/// Every token of a cache as the learner's scores or outputs read it: channel by channel with a
/// one-hot q, token by token with a one-hot p. All other terms are 0.
inline Matrix<float> keys_as_read(const KiviCache& cache) {
  Matrix<float> out(cache.length, cache.shape.head_dim);
  std::vector<float> scores(static_cast<std::size_t>(cache.length));
  for (std::int64_t d = 0; d < out.cols(); ++d) {
    std::vector<float> q(static_cast<std::size_t>(out.cols()));
    q[static_cast<std::size_t>(d)] = 1;
    std::fill(scores.begin(), scores.end(), std::nanf(""));
    exercise::kivi_scores(q, cache, scores);
    for (std::int64_t t = 0; t < out.rows(); ++t) out(t, d) = scores[static_cast<std::size_t>(t)];
  }
  return out;
}

inline Matrix<float> values_as_read(const KiviCache& cache) {
  Matrix<float> out(cache.length, cache.shape.head_dim);
  for (std::int64_t t = 0; t < out.rows(); ++t) {
    std::vector<float> p(static_cast<std::size_t>(cache.length));
    p[static_cast<std::size_t>(t)] = 1;
    exercise::kivi_output(p, cache, out.view().row(t, 0, out.cols()));
  }
  return out;
}

inline std::string token_place(const char* what, std::int64_t t, std::int64_t d) {
  return std::string(what) + " of token " + std::to_string(t) + ", channel " + std::to_string(d) +
         ", as it is read";
}

/// Judges what one-hot vectors read against the numbers that should be there. A product with 1 and
/// the sum with the minimum: one rounding, and none where both have few bits.
inline void judge_readings(const std::string& name, const KiviCache& cache,
                           MatrixView<const double> K, MatrixView<const double> V) {
  judge({.name = name, .place = [](auto t, auto d) { return token_place("the key", t, d); }},
        keys_as_read(cache).view(), K, relative(K, 0x1p-24));
  judge({.name = name, .place = [](auto t, auto d) { return token_place("the value", t, d); }},
        values_as_read(cache).view(), V, relative(V, 0x1p-24));
}

/// Judges scores of a cache, an input here: as the oracle would fill it.
inline void check_scores(const std::string& name, const KiviCache& cache, std::span<const float> q,
                         bool exact) {
  const std::int64_t T = cache.length, D = cache.shape.head_dim;
  Guarded<float> got(1, T);
  Matrix<double> expected(1, T), abs_sum(1, T);
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t d = 0; d < D; ++d) {
      const KiviReading key = kivi_key_ref(cache, t, d);
      const double factor = q[static_cast<std::size_t>(d)];
      expected(0, t) += factor * (key.steps + key.min);
      abs_sum(0, t) += std::fabs(factor * key.steps) + std::fabs(factor * key.min);
    }
  }
  exercise::kivi_scores(q, cache, got.view().row(0, 0, T));
  const std::int64_t coded = cache.coded_keys(), group = cache.shape.group;
  const auto place = [=](auto, std::int64_t t) {
    std::string text = "the score of token " + std::to_string(t);
    if (t >= coded) return text + ", in the window";
    return text + ", in block " + std::to_string(t / group) + " (tokens " +
           std::to_string(t / group * group) + " … " +
           std::to_string(t / group * group + group - 1) + ")";
  };
  // 2 · D terms. Folded, q · scale · code rounds twice; unfolded, scale · code + min once, and the
  // product: both are 2⁻²³ of the terms.
  judge({.name = name + ": " + shape_text(cache.shape, T), .place = place}, got, expected.view(),
        exact ? exactly() : dot_product(abs_sum.view(), 2 * D, 0x1p-23));
}

/// Judges the output of a cache.
inline void check_output(const std::string& name, const KiviCache& cache,
                         std::span<const float> p) {
  const std::int64_t T = cache.length, D = cache.shape.head_dim;
  Guarded<float> got(1, D);
  Matrix<double> expected(1, D), abs_sum(1, D);
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t d = 0; d < D; ++d) {
      const KiviReading value = kivi_value_ref(cache, t, d);
      const double factor = p[static_cast<std::size_t>(t)];
      expected(0, d) += factor * (value.steps + value.min);
      abs_sum(0, d) += std::fabs(factor * value.steps) + std::fabs(factor * value.min);
    }
  }
  exercise::kivi_output(p, cache, got.view().row(0, 0, D));
  judge({.name = name + ": " + shape_text(cache.shape, T),
         .place = [](auto, auto d) { return "the output of channel " + std::to_string(d); }},
        got, expected.view(),
        dot_product(abs_sum.view(), 2 * std::max<std::int64_t>(T, 1), 0x1p-23));
}

/// Judges what was coded before against what stands there now.
inline void check_unchanged(const std::string& name, const KiviCache& before,
                            const KiviCache& now) {
  std::vector<Answer> answers;
  const auto compare = [&](const char* kind, std::int64_t tokens, const KiviTensor& x,
                           const KiviTensor& old, auto read) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t d = 0; d < now.shape.head_dim; ++d) {
        const std::string of = kind + std::to_string(t) + ", channel " + std::to_string(d) +
                               ", when token " + std::to_string(before.length) + " has come";
        const auto code = [&](const KiviTensor& tensor) {
          return kivi_code(tensor.codes.view().row(t), now.shape.bits, d);
        };
        const KiviReading reading = read(now, t, d), was = read(before, t, d);
        answers.push_back({"the code of " + of, static_cast<float>(code(x)), double(code(old))});
        answers.push_back({"the minimum of " + of, static_cast<float>(reading.min), was.min});
        answers.push_back({"scale · code of " + of, static_cast<float>(reading.steps), was.steps});
      }
    }
  };
  compare("the key of token ", before.coded_keys(), now.k, before.k, kivi_key_ref);
  compare("the value of token ", before.coded_values(), now.v, before.v, kivi_value_ref);
  if (!answers.empty()) judge_answers(name, answers);
}

/// Σ (as it is read - x)² over the first tokens; and what one rounding of each reading can change.
struct SquaredError {
  double sum = 0, slack = 0;
};

inline SquaredError squared_error(const Matrix<float>& read, MatrixView<const float> x,
                                  std::int64_t tokens) {
  SquaredError out;
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t d = 0; d < x.cols(); ++d) {
      const double error = double{read(t, d)} - x(t, d), u = 0x1p-24 * std::fabs(read(t, d));
      out.sum += error * error;
      out.slack += 2 * std::fabs(error) * u + u * u;
    }
  }
  return out;
}

}  // namespace qlab::test
