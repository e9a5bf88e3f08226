// SPDX-License-Identifier: Apache-2.0
/// \file
/// How much a kivi cache loses of keys whose channels have offsets, by where their scales go.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "04_kv_cache/kivi_golden.h"
#include "04_kv_cache/kivi_readings.h"
#include "support/problems.h"

namespace qlab::test {

/// Normal numbers; channel 2 around +10 and channel 5 around -6, as keys have such channels.
inline Operand<float> with_offsets(std::int64_t T, std::int64_t D, Random& random) {
  Operand<float> out(T, D);
  fill(out.view(), Values::kNormal, random);
  for (std::int64_t t = 0; t < T; ++t) {
    if (D > 2) out.view()(t, 2) += 10;
    if (D > 5) out.view()(t, 5) -= 6;
  }
  return out;
}

inline Operand<float> normal(std::int64_t T, std::int64_t D, Random& random) {
  Operand<float> out(T, D);
  fill(out.view(), Values::kNormal, random);
  return out;
}

/// The mean squared errors of the golden keys. Appended as values too, they have scales per token.
inline void check_golden_errors() {
  const KiviGolden golden = read_kivi_golden();
  std::vector<Answer> answers;
  for (const KiviGolden::Coded& coded : golden.coded) {
    KiviShape shape = coded.expected.one.shape;
    const std::int64_t T = coded.expected.one.coded_keys();
    shape.capacity = T + shape.window;  // as many tokens leave T values coded
    KiviCache cache(shape);
    Matrix<float> tokens(shape.capacity, shape.head_dim);
    for (std::int64_t t = 0; t < golden.K.rows(); ++t) {
      for (std::int64_t d = 0; d < shape.head_dim; ++d) tokens(t, d) = golden.K(t, d);
    }
    append_all(tokens.view(), tokens.view(), cache);
    const auto n = static_cast<double>(T * shape.head_dim);
    const auto answer = [&](const char* scales, const Matrix<float>& read, double expected) {
      const SquaredError error = squared_error(read, tokens.view(), T);
      // Besides, the answer is put into a float.
      answers.push_back({"the mean squared error of " + std::to_string(T) + " tokens in " +
                             std::to_string(coded.bits) + " bits, scales per " + scales,
                         static_cast<float>(error.sum / n), expected,
                         error.slack / n + 0x1p-24 * expected});
    };
    answer("channel, as of keys", keys_as_read(cache), coded.error_per_channel);
    answer("token, as of values", values_as_read(cache), coded.error_per_token);
  }
  judge_answers("golden keys, channels 2 and 5 around +10 and -6", answers);
}

/// Scales per token must lose more. Returns the fact.
inline std::string compare_scales_of_keys(std::uint64_t seed) {
  Random random(seed);
  constexpr std::int64_t kTokens = 256, kChannels = 64, kGroup = 32;
  const Operand<float> K = with_offsets(kTokens, kChannels, random);
  std::ostringstream fact;
  fact.precision(3);
  fact << "Keys whose channels 2 and 5 of 64 lie around +10 and -6 keep ";
  std::vector<Answer> answers;
  for (const int bits : {2, 4}) {
    // Read as values, the keys have a scale for 32 channels of a token. The last 32 are in the
    // window.
    KiviCache cache({.head_dim = kChannels,
                     .capacity = kTokens,
                     .group = kGroup,
                     .window = kGroup,
                     .bits = bits});
    append_all(K.view(), K.view(), cache);
    const std::int64_t T = cache.coded_values();
    const double signal = squared_error(Matrix<float>(T, kChannels), K.view(), T).sum;
    const double channel_error = squared_error(keys_as_read(cache), K.view(), T).sum;
    const double token_error = squared_error(values_as_read(cache), K.view(), T).sum;
    fact << 10 * std::log10(signal / channel_error) << " dB in " << bits
         << " bits with scales per channel, " << 10 * std::log10(signal / token_error)
         << " dB with scales per token" << (bits == 2 ? "; " : ".");
    // A token's group with both offsets reaches over about 16 + 2, a group of one channel over
    // about 4, as 32 normal numbers do. Errors grow with the square of that: the first cannot be
    // the smaller.
    answers.push_back({"the squared error of keys with scales per token over that per channel, " +
                           std::to_string(bits) + " bits (more than 1)",
                       static_cast<float>(token_error / channel_error),
                       std::max(token_error / channel_error, 1.0),
                       0x1p-24 * token_error / channel_error});
  }
  judge_answers("keys with offsets, seed " + std::to_string(seed), answers);
  return fact.str();
}

}  // namespace qlab::test
