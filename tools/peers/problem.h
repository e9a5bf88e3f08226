// SPDX-License-Identifier: Apache-2.0
/// \file
/// What all libraries of one shape multiply, in every format, and the answer in double.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace qlab::peers {

/// Y [M, N] = X [M, K] · W [N, K] transposed. 4-bit weights: groups of 128, symmetric, zero point 8.
struct Problem {
  /// The same numbers everywhere.
  Problem(int m, int n, int k, int threads_);

  static constexpr int kGroup = 128;
  int M, N, K, threads;
  std::vector<float> x, w;            // [M, K], [N, K]
  std::vector<std::int8_t> xq, wq;    // the same in INT8, a scale a row
  std::vector<float> xs, ws;          // [M], [N]
  std::vector<std::uint8_t> codes;    // [N, K], one a byte
  std::vector<float> w4s;             // [N, K / kGroup]
  std::vector<std::uint16_t> xh, wh;  // binary16
  std::vector<std::uint16_t> xb, wb;  // bfloat16
};

/// What a result is compared with.
enum class Reference { kFloat, kInt8, kInt4, kFp16, kBf16 };

/// Relative L2 error of y [M, N] over its first, middle and last row and every third column.
/// \throws WrongOutput above `tolerance`, or for NaN.
void check_product(const Problem& problem, Reference reference, const float* y, double tolerance,
                   const std::string& name);

/// One token's attention: query head h reads KV head h / (heads / kv_heads).
struct Attention {
  /// Normal random numbers, and the answer in double.
  explicit Attention(int threads_);

  int heads = 32, kv_heads = 8, head_dim = 128, context = 4096, threads;
  std::vector<float> q, k, v, answer;  // k, v [kv_heads, context, head_dim]
};

/// The same for attention, over all of out [heads, head_dim].
void check_attention(const Attention& problem, const float* out, double tolerance,
                     const std::string& name);

}  // namespace qlab::peers
