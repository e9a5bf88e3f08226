// SPDX-License-Identifier: Apache-2.0
/// \file
/// A tiny attention over FP16 rows as they were gathered, to see whether stale ones got in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "04_kv_cache/paged_kv_checks.h"
#include "common/formats.h"
#include "common/random.h"

namespace qlab::test {

constexpr std::int64_t kHeadDim = 8;
constexpr std::int64_t kKvBytes = 2 * kHeadDim * 2;  // K and V, FP16

/// Tokens with normal K and V.
inline Rows kv_rows(std::int64_t tokens, Random& random) {
  Rows rows;
  for (std::int64_t t = 0; t < tokens; ++t) {
    std::vector<std::uint8_t> row(kKvBytes);
    for (std::int64_t i = 0; i < 2 * kHeadDim; ++i) {
      const half_t code = from_float<half_t>(static_cast<float>(random.normal()));
      std::memcpy(&row[2 * i], &code, 2);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Softmax attention of one query over all rows, in double: equal rows give equal bits.
inline std::vector<double> attention(const std::vector<double>& q, const Rows& rows) {
  const auto value = [&](std::size_t t, std::int64_t i) {
    half_t code;
    std::memcpy(&code, &rows[t][2 * i], 2);
    return static_cast<double>(to_float(code));
  };
  std::vector<double> score(rows.size()), out(kHeadDim);
  double largest = -INFINITY, sum = 0;
  for (std::size_t t = 0; t < rows.size(); ++t) {
    for (std::int64_t d = 0; d < kHeadDim; ++d) score[t] += q[d] * value(t, d);
    score[t] /= std::sqrt(static_cast<double>(kHeadDim));
    largest = std::max(largest, score[t]);
  }
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const double weight = std::exp(score[t] - largest);
    sum += weight;
    for (std::int64_t d = 0; d < kHeadDim; ++d) out[d] += weight * value(t, kHeadDim + d);
  }
  for (double& x : out) x /= sum;
  return out;
}

/// Attention over what gather_tokens says is there, against attention over `model`: bit by bit.
inline void judge_attention(const std::string& name, const BlockPool& pool,
                            const PagedSequence& sequence, const Rows& model,
                            const std::vector<double>& q) {
  // Room for whole blocks, as a kernel that works block by block has.
  const std::int64_t room =
      (static_cast<std::int64_t>(model.size()) / pool.block_size + 1) * pool.block_size;
  Matrix<std::uint8_t> out(room, kKvBytes);
  const std::int64_t count = exercise::gather_tokens(pool, sequence, 0, out.view());
  Rows gathered;
  for (std::int64_t t = 0; t < std::min(count, room); ++t) {
    const auto row = out.view().row(t, 0, kKvBytes);
    gathered.emplace_back(row.begin(), row.end());
  }
  const std::vector<double> paged = attention(q, gathered), contiguous = attention(q, model);
  Matrix<float> got(1, kHeadDim);
  Matrix<double> expected(1, kHeadDim);
  for (std::int64_t d = 0; d < kHeadDim; ++d) {
    got(0, d) = static_cast<float>(paged[d]);
    expected(0, d) = static_cast<float>(contiguous[d]);
  }
  judge({.name = name,
         .place = [](auto, auto d) { return "attention's output, channel " + std::to_string(d); }},
        got.view(), expected.view(), exactly());
}

}  // namespace qlab::test
