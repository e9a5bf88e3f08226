// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of kv_budget put their questions: counts in a list, each with what it is. They are
/// whole numbers and told to the last digit, however large.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "04_kv_cache/kv_budget.h"
#include "common/matrix.h"
#include "support/exercise.h"

namespace qlab::test {

inline constexpr KvStorage kFp16{16, 0, 0, 0}, kFp8{8, 0, 0, 0}, kInt8{8, 0, 2, 0},
    kInt8Fp32{8, 0, 4, 0}, kInt4{4, 0, 2, 0}, kInt4G32{4, 32, 4, 0}, kKivi4{4, 32, 4, 128},
    kKivi2{2, 32, 4, 128};
inline constexpr KvModel kLlama3{32, 32, 8, 128}, kLlama3_70B{80, 64, 8, 128},
    kQwen3_4B{36, 32, 8, 128};

/// "4 bits, 4 bytes for 32, 128 in FP16".
inline std::string text_of(const KvStorage& s) {
  std::ostringstream out;
  out << s.bits << " bits";
  if (s.group_bytes != 0) {
    out << ", " << s.group_bytes << " bytes for ";
    s.group_size == 0 ? out << "a head" : out << s.group_size;
  }
  if (s.residual != 0) out << ", " << s.residual << " in FP16";
  return out.str();
}

inline std::string text_of(const KvModel& m) {
  std::ostringstream out;
  out << m.n_layers << " layers, " << m.n_heads << " heads, " << m.n_kv_heads << " KV heads of "
      << m.head_dim;
  return out.str();
}

inline std::string text_of(const KvModel& m, const KvStorage& s) {
  return text_of(m) + "; " + text_of(s);
}

/// One count that the learner's code made.
struct Count {
  std::string what;
  std::int64_t got, expected;
  std::int64_t allowed = 0;
};

/// judge() looks at floats, and a float holds 24 bits. So a wrong count may not round to the right
/// one, and both are written as they were before rounding.
inline void judge_counts(const std::string& name, const std::vector<Count>& counts) {
  const auto n = static_cast<std::int64_t>(counts.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  std::map<double, std::int64_t> exact;
  for (std::int64_t i = 0; i < n; ++i) {
    const Count& count = counts[static_cast<std::size_t>(i)];
    got(0, i) = static_cast<float>(count.got);
    const auto right = static_cast<float>(count.expected);
    if (count.got != count.expected && got(0, i) == right) {
      got(0, i) = std::nextafter(right, std::numeric_limits<float>::infinity());
    }
    expected(0, i) = right;
    exact[right] = count.expected;
    exact.emplace(got(0, i), count.got);
  }
  judge({.name = name,
         .place = [&](auto, auto i) { return counts[static_cast<std::size_t>(i)].what; },
         .value =
             [&](double value) {
               const auto found = exact.find(value);
               return std::to_string(found == exact.end() ? std::llround(value) : found->second);
             }},
        got.view(), expected.view(), [&](auto, auto i) {
          return static_cast<double>(counts[static_cast<std::size_t>(i)].allowed);
        });
}

}  // namespace qlab::test
