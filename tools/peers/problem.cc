// SPDX-License-Identifier: Apache-2.0
/// \file
/// Operands of the comparison with peers, and their answers.
#include "peers/problem.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "common/formats.h"
#include "lab/timed_parts.h"

namespace qlab::peers {
namespace {

/// Codes and a scale for each row of K numbers: symmetric, to ±127.
void quantize(const std::vector<float>& a, int K, std::vector<std::int8_t>& codes,
              std::vector<float>& scales) {
  codes.resize(a.size());
  for (std::size_t row = 0; row < a.size(); row += static_cast<std::size_t>(K)) {
    float top = 0;
    for (int k = 0; k < K; ++k)
      top = std::max(top, std::fabs(a[row + static_cast<std::size_t>(k)]));
    scales.push_back(top / 127);
    for (std::size_t i = row; i < row + static_cast<std::size_t>(K); ++i) {
      codes[i] = static_cast<std::int8_t>(std::lrint(a[i] / scales.back()));
    }
  }
}

template <class Format>
std::vector<std::uint16_t> rounded(const std::vector<float>& a) {
  std::vector<std::uint16_t> bits;
  bits.reserve(a.size());
  for (const float x : a) bits.push_back(from_float<Format>(x).bits);
  return bits;
}

double relative_error(double error, double norm) {
  return std::isfinite(error) ? std::sqrt(error / norm) : HUGE_VAL;
}

void refuse_above(double tolerance, double error, const std::string& name) {
  if (error <= tolerance) return;
  throw WrongOutput(
      fmt::format("{}: relative error {:.1e}, allowed {:.1e}; the time of a wrong result "
                  "means nothing",
                  name, error, tolerance));
}

}  // namespace

Problem::Problem(int m, int n, int k, int threads_) : M(m), N(n), K(k), threads(threads_) {
  std::mt19937 random(7);
  // The sum of four bytes: near enough to normal, fast, the same everywhere.
  const auto normal = [&random] {
    const auto r = static_cast<std::uint32_t>(random());
    const std::uint32_t sum = (r & 255) + (r >> 8 & 255) + (r >> 16 & 255) + (r >> 24);
    return (static_cast<float>(sum) - 510.0F) / 148.0F;
  };
  x.resize(static_cast<std::size_t>(M) * static_cast<std::size_t>(K));
  w.resize(static_cast<std::size_t>(N) * static_cast<std::size_t>(K));
  for (float& value : x) value = normal();
  for (float& value : w) value = 0.02F * normal();
  quantize(x, K, xq, xs);
  quantize(w, K, wq, ws);
  xq[0] = wq[0] = -128;  // the corner that offset tricks get wrong
  for (std::size_t g = 0; g + kGroup <= w.size(); g += kGroup) {
    float top = 0;
    for (std::size_t i = g; i < g + kGroup; ++i) top = std::max(top, std::fabs(w[i]));
    // A scale that FP16 holds: the formats differ in how they store it, not in its value.
    const float scale = to_float(from_float<half_t>(top / 7.5F));
    w4s.push_back(scale);
    for (std::size_t i = g; i < g + kGroup; ++i) {
      codes.push_back(
          static_cast<std::uint8_t>(std::clamp<long>(std::lrint(w[i] / scale) + 8, 0, 15)));
    }
  }
  xh = rounded<half_t>(x);
  wh = rounded<half_t>(w);
  xb = rounded<bf16_t>(x);
  wb = rounded<bf16_t>(w);
}

namespace {

/// Row m of X times row n of W.
double answer(const Problem& p, Reference reference, std::size_t m, std::size_t n) {
  const auto K = static_cast<std::size_t>(p.K);
  double sum = 0;
  for (std::size_t i = m * K, j = n * K; i < (m + 1) * K; ++i, ++j) {
    switch (reference) {
      case Reference::kFloat:
        sum += double{p.x[i]} * p.w[j];
        break;
      case Reference::kInt8:
        sum += int{p.xq[i]} * int{p.wq[j]};
        break;
      case Reference::kInt4:
        sum += double{p.x[i]} * (int{p.codes[j]} - 8) * p.w4s[j / Problem::kGroup];
        break;
      case Reference::kFp16:
        sum += double{to_float(half_t{p.xh[i]})} * to_float(half_t{p.wh[j]});
        break;
      case Reference::kBf16:
        sum += double{to_float(bf16_t{p.xb[i]})} * to_float(bf16_t{p.wb[j]});
        break;
    }
  }
  return reference == Reference::kInt8 ? sum * p.xs[m] * p.ws[n] : sum;
}

}  // namespace

void check_product(const Problem& problem, Reference reference, const float* y, double tolerance,
                   const std::string& name) {
  double error = 0, norm = 0;
  const auto N = static_cast<std::size_t>(problem.N);
  for (const int row : {0, problem.M / 2, problem.M - 1}) {
    const auto m = static_cast<std::size_t>(row);
    for (std::size_t n = 0; n < N; n += 3) {
      const double expected = answer(problem, reference, m, n);
      const double difference = expected - y[m * N + n];
      error += difference * difference;
      norm += expected * expected;
    }
  }
  refuse_above(tolerance, relative_error(error, norm), name);
}

Attention::Attention(int threads_) : threads(threads_) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  const auto D = static_cast<std::size_t>(head_dim), L = static_cast<std::size_t>(context);
  q.resize(static_cast<std::size_t>(heads) * D);
  k.resize(static_cast<std::size_t>(kv_heads) * L * D);
  v.resize(k.size());
  answer.resize(q.size());
  for (auto* numbers : {&q, &k, &v}) {
    for (float& x : *numbers) x = normal(random);
  }
  const auto share = static_cast<std::size_t>(heads / kv_heads);
  for (std::size_t h = 0; h < static_cast<std::size_t>(heads); ++h) {
    const float* keys = &k[h / share * L * D];
    const float* values = &v[h / share * L * D];
    std::vector<double> score(L), out(D);
    for (std::size_t t = 0; t < L; ++t) {
      for (std::size_t d = 0; d < D; ++d) score[t] += double{q[h * D + d]} * keys[t * D + d];
    }
    const double largest = *std::ranges::max_element(score), root = std::sqrt(double(head_dim));
    double sum = 0;
    for (std::size_t t = 0; t < L; ++t) {
      const double weight = std::exp((score[t] - largest) / root);
      sum += weight;
      for (std::size_t d = 0; d < D; ++d) out[d] += weight * values[t * D + d];
    }
    for (std::size_t d = 0; d < D; ++d) answer[h * D + d] = static_cast<float>(out[d] / sum);
  }
}

void check_attention(const Attention& problem, const float* out, double tolerance,
                     const std::string& name) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < problem.answer.size(); ++i) {
    const double difference = double{problem.answer[i]} - out[i];
    error += difference * difference;
    norm += double{problem.answer[i]} * problem.answer[i];
  }
  refuse_above(tolerance, relative_error(error, norm), name);
}

}  // namespace qlab::peers
