// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise kv_int8 put their questions: the whole cache, what was there included.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "04_kv_cache/kv_int8.h"
#include "common/matrix.h"
#include "support/exercise.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {

inline constexpr std::int8_t kOldCode = 99;
inline constexpr float kOldScale = 0.75F;

/// A cache full of old numbers, the tokens to be written, and what the cache must hold then.
struct Int8Problem {
  Int8Problem(std::int64_t heads, std::int64_t dim, std::int64_t room, std::int64_t tokens)
      : n_kv_heads(heads),
        head_dim(dim),
        capacity(room),
        x(tokens, heads * dim),
        codes(heads, room * dim),
        scale(heads, room) {
    std::fill_n(codes.data(), heads * room * dim, kOldCode);
    std::fill_n(scale.data(), heads * room, from_float<half_t>(kOldScale));
  }
  Int8Kv cache() { return {codes.view(), scale.view()}; }

  std::int64_t n_kv_heads, head_dim, capacity;
  Operand<float> x;
  Matrix<std::int8_t> codes;
  Matrix<half_t> scale;
};

inline std::string name_of(const std::string& name, const Int8Problem& p) {
  std::ostringstream out;
  out << '"' << name << "\": " << p.n_kv_heads << " heads of " << p.head_dim << ", capacity "
      << p.capacity;
  return out.str();
}

inline std::string seeded(const std::string& name, const TestSeed& seed) {
  return name + " (LAB_SEED=" + std::to_string(static_cast<std::uint64_t>(seed)) + ")";
}

/// Compares the cache with the oracle of the tokens written from `length` on. A row is a token of a head:
/// its codes, then its scale.
inline void check(const std::string& name, Int8Problem& p, std::int64_t length) {
  const std::int64_t D = p.head_dim, rows = p.n_kv_heads * p.capacity, written = p.x.view().rows();
  Matrix<float> got(rows, D + 1);
  Matrix<double> expected(rows, D + 1);
  const auto input = [&](std::int64_t head, std::int64_t t) {
    return std::as_const(p.x).view().row(t - length, head * D, D);
  };
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t head = row / p.capacity, t = row % p.capacity;
    for (std::int64_t d = 0; d < D; ++d) got(row, d) = p.codes(head, t * D + d);
    got(row, D) = to_float(p.scale(head, t));
    std::vector<std::int8_t> codes(static_cast<std::size_t>(D), kOldCode);
    double scale = kOldScale;
    if (t >= length && t < length + written) {
      scale = to_float(quantize_kv_int8_ref(input(head, t), codes));
    }
    for (std::int64_t d = 0; d < D; ++d) expected(row, d) = codes[static_cast<std::size_t>(d)];
    expected(row, D) = scale;
  }
  const auto place = [&](std::int64_t row, std::int64_t col) {
    const std::int64_t head = row / p.capacity, t = row % p.capacity;
    std::ostringstream out;
    out << "token " << t << ", head " << head << ", ";
    col == D ? out << "scale" : out << "code of channel " << col;
    if (t < length || t >= length + written) {
      out << ", which this call must not touch";
    } else if (col < D) {
      out << ", x = " << text_of(input(head, t)[static_cast<std::size_t>(col)]) << ", x / scale = "
          << text_of(input(head, t)[static_cast<std::size_t>(col)] /
                     static_cast<float>(expected(row, D)));
    }
    return out.str();
  };
  judge({.name = name_of(name, p), .place = place}, got.view(), expected.view(), exactly());
}

/// Appends all of x behind `length` tokens and checks the cache.
inline void append_and_check(const std::string& name, Int8Problem& p, std::int64_t length) {
  exercise::append_int8(p.x.view(), length, p.cache());
  check(name, p, length);
}

}  // namespace qlab::test
