// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of kivi look into a cache, and how they word what is wrong there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/code_checks.h"
#include "04_kv_cache/kivi.h"
#include "support/problems.h"

namespace qlab::test {

/// Stands for a code, scale or minimum that nobody wrote; no FP16 number.
constexpr double kNotWritten = -1e9;

inline std::string kivi_text(double value) {
  return value == kNotWritten ? "not written" : number_text(value);
}

/// "12 tokens, head_dim 8, groups of 4, window 8, 2 bits".
inline std::string shape_text(const KiviShape& s, std::int64_t tokens) {
  std::ostringstream text;
  text << tokens << " tokens, head_dim " << s.head_dim << ", groups of " << s.group << ", window "
       << s.window << ", " << s.bits << " bits";
  return text.str();
}

/// Two caches over different poisons: what keeps both was never written.
struct KiviPair {
  explicit KiviPair(const KiviShape& s) : one(s), two(s) {
    for (auto [cache, poison] : {std::pair{&one, kPoison}, {&two, kOtherPoison}}) {
      for (KiviTensor* const x : {&cache->k, &cache->v}) {
        std::memset(x->codes.data(), poison, x->codes.bytes());
        for (Matrix<half_t>* const m : {&x->scale, &x->min, &x->window}) {
          std::memset(static_cast<void*>(m->data()), poison, m->bytes());
        }
      }
    }
  }
  static constexpr unsigned char kPoison = 0xA5, kOtherPoison = 0x5A;

  KiviCache one, two;
};

inline std::span<const float> token_of(MatrixView<const float> x, std::int64_t t) {
  return {x.row(t), static_cast<std::size_t>(x.cols())};
}

/// The learner's, one token after the other.
inline void append_all(MatrixView<const float> K, MatrixView<const float> V, KiviCache& cache) {
  for (std::int64_t t = 0; t < K.rows(); ++t) {
    exercise::kivi_append(token_of(K, t), token_of(V, t), cache);
  }
}

/// One array of a pair of caches, as numbers: kNotWritten where both kept their poison.
inline Matrix<double> halves_of(const Matrix<half_t>& one, const Matrix<half_t>& two) {
  Matrix<double> out(one.rows(), one.cols());
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t c = 0; c < out.cols(); ++c) {
      const bool kept = one(r, c).bits == 0xA5A5 && two(r, c).bits == 0x5A5A;
      out(r, c) = kept ? kNotWritten : to_float(one(r, c));
    }
  }
  return out;
}

inline Matrix<double> codes_of(const KiviShape& s, const KiviTensor& one, const KiviTensor& two) {
  Matrix<double> out(s.capacity, s.head_dim);
  const std::uint8_t poison[] = {KiviPair::kPoison}, other[] = {KiviPair::kOtherPoison};
  for (std::int64_t t = 0; t < s.capacity; ++t) {
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      const std::uint8_t code = kivi_code(one.codes.view().row(t), s.bits, d);
      const bool kept = code == kivi_code(poison, s.bits, d * s.bits % 8 / s.bits) &&
                        kivi_code(two.codes.view().row(t), s.bits, d) ==
                            kivi_code(other, s.bits, d * s.bits % 8 / s.bits);
      out(t, d) = kept ? kNotWritten : code;
    }
  }
  return out;
}

inline void judge_state(const Case& described, const Matrix<double>& got,
                        const Matrix<double>& expected) {
  Matrix<float> narrow(got.rows(), got.cols());  // codes and FP16 numbers fit
  for (std::int64_t r = 0; r < got.rows(); ++r) {
    for (std::int64_t c = 0; c < got.cols(); ++c) narrow(r, c) = static_cast<float>(got(r, c));
  }
  judge(described, narrow.view(), expected.view(), exactly());
}

/// "keys 4 … 7, channel 2" or "the value of token 3, channels 4 … 7": what shares a scale.
inline std::string group_text(const KiviShape& s, bool keys, std::int64_t row, std::int64_t col) {
  std::ostringstream text;
  const std::int64_t first = (keys ? row : col) * s.group, last = first + s.group - 1;
  if (keys) {
    text << "keys " << first << " … " << last << ", channel " << col;
  } else {
    text << "the value of token " << row << ", channels " << first << " … " << last;
  }
  return text.str();
}

/// Judges minima, scales and codes of the keys or of the values, and what the window holds of them.
inline void judge_tensor(const std::string& name, const KiviPair& got, const KiviPair& expected,
                         bool keys) {
  const KiviCache& right = expected.one;
  const KiviShape& s = right.shape;
  const auto tensor = [keys](const KiviCache& cache) -> const KiviTensor& {
    return keys ? cache.k : cache.v;
  };
  const KiviTensor &one = tensor(got.one), &two = tensor(got.two);
  const KiviTensor &right_one = tensor(expected.one), &right_two = tensor(expected.two);
  const auto of_group = [&](const char* what) {
    return [=](auto r, auto c) { return what + group_text(s, keys, r, c); };
  };
  judge_state({.name = name, .place = of_group("the minimum of "), .value = kivi_text},
              halves_of(one.min, two.min), halves_of(right_one.min, right_two.min));
  judge_state({.name = name, .place = of_group("the scale of "), .value = kivi_text},
              halves_of(one.scale, two.scale), halves_of(right_one.scale, right_two.scale));
  const std::string kind = keys ? "the key of token " : "the value of token ";
  const auto code_place = [&](auto t, auto d) {
    return "the code of " + kind + std::to_string(t) + ", channel " + std::to_string(d);
  };
  judge_state({.name = name, .place = code_place, .value = kivi_text}, codes_of(s, one, two),
              codes_of(s, right_one, right_two));
  // Rows of the window that nobody reads may hold anything.
  const std::int64_t first = keys ? right.coded_keys() : right.coded_values();
  const Matrix<double> held = halves_of(one.window, two.window);
  const Matrix<double> right_held = halves_of(right_one.window, right_two.window);
  Matrix<double> read(right.length - first, s.head_dim), right_read = read;
  for (std::int64_t t = first; t < right.length; ++t) {
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      read(t - first, d) = held(t % s.window, d);
      right_read(t - first, d) = right_held(t % s.window, d);
    }
  }
  const auto window_place = [&](auto r, auto d) {
    return kind + std::to_string(first + r) + ", channel " + std::to_string(d) + ", in row " +
           std::to_string((first + r) % s.window) + " of the window";
  };
  judge_state({.name = name, .place = window_place, .value = kivi_text}, read, right_read);
}

/// Judges a whole cache after the tokens of K and V have been appended.
inline void judge_cache(const std::string& name, const KiviPair& got, MatrixView<const float> K,
                        MatrixView<const float> V) {
  KiviPair expected(got.one.shape);
  for (KiviCache* const cache : {&expected.one, &expected.two}) kivi_cache_ref(K, V, *cache);
  const std::string full_name = name + ": after " + shape_text(got.one.shape, K.rows());
  judge_answers(full_name, {{"cache.length", static_cast<float>(got.one.length),
                             static_cast<double>(K.rows())}});
  for (const bool keys : {true, false}) {
    if (testing::Test::HasFailure()) return;  // one array is enough to read
    judge_tensor(full_name, got, expected, keys);
  }
}

/// Appends all tokens and judges the cache.
inline void check_cache(const std::string& name, const KiviShape& s, MatrixView<const float> K,
                        MatrixView<const float> V) {
  KiviPair got(s);
  append_all(K, V, got.one);
  append_all(K, V, got.two);
  judge_cache(name, got, K, V);
}

/// Judges the codes, the scale and the minimum of one group.
inline void check_group(const std::string& name, const std::vector<float>& numbers, int bits) {
  const std::size_t n = numbers.size();
  std::vector<half_t> x(n);
  std::transform(numbers.begin(), numbers.end(), x.begin(), from_float<half_t>);
  std::vector<std::uint8_t> right(n);
  KiviGroup got{};
  const KiviGroup expected = kivi_quantize_group_ref(x, bits, right);
  const std::string text = name + ": " + list_text(numbers) + ", " + std::to_string(bits) + " bits";
  Guarded<std::uint8_t> one(1, std::ssize(x)), two(1, std::ssize(x), KiviPair::kOtherPoison);
  for (Guarded<std::uint8_t>* codes : {&one, &two}) {
    got = exercise::kivi_quantize_group(x, bits, codes->view().row(0, 0, std::ssize(x)));
  }
  std::vector<Answer> answers = {
      {"the minimum", to_float(got.min), to_float(expected.min)},
      {"the scale", to_float(got.scale), to_float(expected.scale)},
  };
  for (std::size_t i = 0; i < n; ++i) {
    const float low = to_float(expected.min), value = to_float(x[i]);
    answers.push_back({"the code of x = " + number_text(value) + ": (x - min) / scale = " +
                           number_text((value - low) / to_float(expected.scale)),
                       static_cast<float>(one.view()(0, static_cast<std::int64_t>(i))),
                       static_cast<double>(right[i])});
  }
  judge_answers(text, answers);
  const testing::AssertionResult whole = one.written_exactly(two);
  if (!whole) reject(text, std::string("codes: ") + whole.message());
}

}  // namespace qlab::test
