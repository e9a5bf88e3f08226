// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise w4a16_gemv fill a problem, and how a failure speaks of an output.
#pragma once

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/w4a16_gemv.h"
#include "03_int4_weight_only/w4a16_problem.h"
#include "support/exercise.h"

namespace qlab::test {

struct GemvShape {
  std::int64_t N, K, group_size;
};

/// Both sides of every edge: odd K, groups that start within a byte, that do not divide K, that are
/// longer than K; three groups and more in most.
inline constexpr GemvShape kGemvShapes[] = {
    {1, 1, 1},    {7, 33, 8},  {5, 9, 5},    {3, 6, 4},      {4, 7, 16},    {17, 257, 64},
    {9, 100, 32}, {6, 64, 16}, {13, 97, 37}, {2, 1030, 128}, {65, 255, 96}, {5, 128, 128}};

inline W4A16Problem gemv_problem(const GemvShape& s) {
  return W4A16Problem({{1, s.N, s.K}, s.group_size});
}

/// Integers and powers of two: every order of every sum is exact.
inline W4A16Problem exact_gemv_problem(const GemvShape& s, Random& random) {
  W4A16Problem problem = gemv_problem(s);
  fill(problem.x.view(), Values::kIntegers, random);
  problem.fill_codes(random);
  problem.fill_groups_exactly();
  return problem;
}

inline Guarded<float> run(const W4A16Problem& p, unsigned char poison = Guarded<float>::kPoison) {
  const std::int64_t N = p.shape.sides.N, K = p.shape.sides.K;
  Guarded<float> y(1, N, poison);
  exercise::w4a16_gemv(p.W(), p.x.view().row(0, 0, K), y.view().row(0, 0, N));
  return y;
}

inline std::string name_of(const std::string& what, const W4A16Problem& p) {
  std::ostringstream out;
  out << "\"" << what << "\": N=" << p.shape.sides.N << " K=" << p.shape.sides.K
      << " group_size=" << p.shape.group_size;
  return out.str();
}

inline std::string seeded(const std::string& what, std::uint64_t seed) {
  return what + ", seed " + std::to_string(seed);
}

/// "y[2]; group 0 of row 2: codes 3 15 …, zero point 8, scale 0.25".
inline std::string place_of(const W4A16Problem& p, std::int64_t n) {
  std::ostringstream out;
  const Int4Weights W = p.W();
  out << "y[" << n << "]";
  if (W.K == 0) return out.str();
  out << "; group 0 of row " << n << ": codes";
  const std::int64_t count = std::min(W.K, W.group_size);
  for (std::int64_t k = 0; k < std::min<std::int64_t>(count, 4); ++k) out << ' ' << W.code(n, k);
  out << (count > 4 ? " …" : "") << ", zero point " << int{W.zero_point(n, 0)} << ", scale "
      << to_float(W.scale(n, 0));
  return out.str();
}

/// A of the contract, and what a double says.
struct GemvRef {
  explicit GemvRef(const W4A16Problem& p)
      : value(1, p.shape.sides.N), size(1, p.shape.sides.N), K(p.shape.sides.K) {
    const Int4Weights W = p.W();
    Matrix<double> abs_sum(1, W.N());
    w4a16_gemm_ref(p.x.view(), W, value.view(), abs_sum.view());
    for (std::int64_t n = 0; n < W.N(); ++n) {
      for (std::int64_t k = 0; k < K; ++k) {
        const std::int64_t g = k / W.group_size;
        size(0, n) += std::abs(double{to_float(p.x.view()(0, k))}) * to_float(W.scale(n, g)) *
                      (W.code(n, k) + W.zero_point(n, g));
      }
    }
  }
  Tolerance tolerance() const { return dot_product(size.view(), K, 3 * 0x1p-24); }

  Matrix<double> value, size;  // [1, N]
  std::int64_t K;
};

inline void judge_problem(const std::string& what, const W4A16Problem& p, const Guarded<float>& y,
                          bool exact) {
  const GemvRef ref(p);
  judge({.name = name_of(what, p), .place = [&](auto, auto n) { return place_of(p, n); }}, y,
        ref.value.view(), exact ? exactly() : ref.tolerance());
}

inline void check(const std::string& what, const W4A16Problem& p, bool exact) {
  judge_problem(what, p, run(p), exact);
}

}  // namespace qlab::test
