// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise attention_decode put their questions.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>

#include "04_kv_cache/attention_problem.h"
#include "support/exercise.h"
#include "support/seed.h"

namespace qlab::test {

inline AttentionProblem int8_problem(const AttentionShape& shape, const KvLayout& layout = {}) {
  return AttentionProblem(KvFormat::kInt8, shape, /*spare=*/5, layout);
}

inline std::string name_of(const std::string& name, const AttentionShape& s) {
  std::ostringstream out;
  out << '"' << name << "\": " << s.n_heads << " query heads on " << s.n_kv_heads << ", head_dim "
      << s.head_dim << ", " << s.length << " tokens";
  return out.str();
}

inline std::string seeded(const std::string& name, const TestSeed& seed) {
  return name + " (LAB_SEED=" + std::to_string(static_cast<std::uint64_t>(seed)) + ")";
}

/// Output column `col`: "query head 3, channel 5, on KV head 1".
inline std::string place_of(const AttentionShape& s, std::int64_t col) {
  const std::int64_t head = col / s.head_dim;
  std::ostringstream out;
  out << "query head " << head << ", channel " << col % s.head_dim << ", on KV head "
      << head / (s.n_heads / s.n_kv_heads);
  return out.str();
}

inline Guarded<float> run(const AttentionProblem& p, unsigned char poison = 0xFF) {
  Guarded<float> out(1, p.shape.n_heads * p.shape.head_dim, poison);
  exercise::attention_decode(p.q.view(), p.cache.layer(0), out.view());
  return out;
}

inline void check(const std::string& name, const AttentionProblem& p, const Guarded<float>& out) {
  Matrix<double> value(1, p.shape.n_heads * p.shape.head_dim), tolerance(1, value.cols());
  attention_decode_ref(p.q.view(), p.cache.layer(0), value.view(), tolerance.view());
  judge({.name = name_of(name, p.shape),
         .place = [&](auto, auto col) { return place_of(p.shape, col); }},
        out, value.view(), [&](auto r, auto c) { return tolerance(r, c); });
}
inline void check(const std::string& name, const AttentionProblem& p) { check(name, p, run(p)); }

/// Around groups of heads and odd sizes; 1 is a context of one token.
inline constexpr AttentionShape kShapes[] = {{1, 1, 1, 4, 1},   {1, 2, 1, 5, 3},
                                             {1, 4, 2, 64, 40}, {1, 6, 3, 32, 65},
                                             {1, 8, 2, 16, 20}, {1, 3, 3, 7, 10}};

}  // namespace qlab::test
