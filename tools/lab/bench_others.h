// SPDX-License-Identifier: Apache-2.0
/// \file
/// Operands of what is no linear layer: the quantizers of activations, and decode attention.
#pragma once

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/quantize_static.h"
#include "04_kv_cache/attention_decode.h"
#include "lab/bench_operands.h"

namespace qlab {

/// M rows of activations and their codes.
struct CodeSides {
  explicit CodeSides(const BenchShape& shape)
      : random(shape.seed),
        x(random_matrix(shape.most_m, shape.K, 1, random)),
        codes(shape.most_m, shape.K),
        scale(1, shape.most_m) {}

  /// No code is -128.
  void poison() {
    std::fill_n(codes.data(), codes.rows() * codes.cols(), std::int8_t{-128});
    std::fill_n(scale.data(), scale.cols(), std::numeric_limits<float>::quiet_NaN());
  }
  /// Row m of the codes against the oracle's, which may differ in nothing.
  void check_codes(const std::string& name, std::int64_t m, const Matrix<std::int8_t>& expected) {
    for (std::int64_t k = 0; k < codes.cols(); ++k) {
      check_value(name, m, k, codes(m, k), expected(0, k), 0);
    }
  }

  Random random;
  Matrix<float> x;            // [most_m, K]
  Matrix<std::int8_t> codes;  // [most_m, K]
  Matrix<float> scale;        // [1, most_m]
};

/// A scale a row, found in the call.
template <const auto& kTable>
struct QuantizeRowsOperands : CodeSides {
  static constexpr const auto& kRungs = kTable;
  using CodeSides::CodeSides;

  Cost cost(std::int64_t M, std::int64_t) const { return quantize_rows_cost(M, x.cols()); }
  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t, ThreadPool& threads) {
    run(x.view().rows_from(0, M), Granularity::kPerRow, codes.view().rows_from(0, M), scale.data(),
        threads);
  }
  void check(const std::string& name, std::int64_t M, std::int64_t) {
    for (const std::int64_t m : {std::int64_t{0}, M - 1}) {
      Matrix<std::int8_t> expected(1, x.cols());
      float its_scale = 0;
      quantize_rows_ref(x.view().rows_from(m, 1), Granularity::kPerRow, expected.view(),
                        &its_scale);
      check_value(name + ", scale", m, 0, scale(0, m), its_scale, 0);
      check_codes(name, m, expected);
    }
  }
};

/// One scale for all, fixed before.
template <const auto& kTable>
struct QuantizeStaticOperands : CodeSides {
  static constexpr const auto& kRungs = kTable;
  using CodeSides::CodeSides;

  Cost cost(std::int64_t M, std::int64_t) const { return quantize_static_cost(M, x.cols()); }
  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t, ThreadPool& threads) {
    run(x.view().rows_from(0, M), fixed_scale, codes.view().rows_from(0, M), threads);
  }
  void check(const std::string& name, std::int64_t M, std::int64_t) {
    for (const std::int64_t m : {std::int64_t{0}, M - 1}) {
      Matrix<std::int8_t> expected(1, x.cols());
      quantize_static_ref(x.view().rows_from(m, 1), fixed_scale, expected.view());
      check_codes(name, m, expected);
    }
  }

  float fixed_scale = int8_scale(1);  // x is uniform up to 1
};

/// One new token over a cache in one format, at the head shapes of a 7B model.
template <const auto& kTable>
struct AttentionOperands {
  static constexpr const auto& kRungs = kTable;
  static constexpr auto kMine = &Mine::attention_decode;
  static constexpr std::int64_t kMostMOfMine = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t kHeads = 32, kHeadDim = 128, kCheckedHeads = 4;
  static constexpr std::int64_t kBlockTokens = 1024;  // K and V repeat with each block

  /// The formats that the exercise is about.
  static bool fits_mine(KvFormat format) { return format == KvFormat::kInt8; }

  AttentionOperands(const BenchShape& shape, KvFormat format)
      : q(1, kHeads * kHeadDim),
        out(1, kHeads * kHeadDim),
        cache(format, 1, kHeads, kHeadDim,
              (shape.most_m + kBlockTokens - 1) / kBlockTokens * kBlockTokens,
              {.block_tokens = kBlockTokens}) {
    Random random(shape.seed);
    q = random_matrix(1, kHeads * kHeadDim, 1, random);
    const Matrix<float> k = random_matrix(kBlockTokens, kHeads * kHeadDim, 1, random);
    const Matrix<float> v = random_matrix(kBlockTokens, kHeads * kHeadDim, 1, random);
    for (std::int64_t t = 0; t < shape.most_m; t += kBlockTokens) {
      const std::int64_t count = std::min(kBlockTokens, shape.most_m - t);
      cache.append(0, k.view().rows_from(0, count), v.view().rows_from(0, count));
    }
  }

  KvView view(std::int64_t context) const {
    KvView all = cache.layer(0);
    all.length = context;
    return all;
  }
  Cost cost(std::int64_t context, std::int64_t) const {
    return attention_decode_cost(cache.formats(), 1, kHeads, kHeads, kHeadDim, context);
  }
  template <class Run>
  void call(Run& run, std::int64_t context, std::int64_t, ThreadPool& threads) {
    run(q.view(), view(context), out.view(), threads);
  }
  void call_yours(decltype(exercise::attention_decode)* function, std::int64_t context,
                  std::int64_t) {
    function(q.view(), view(context), out.view());
  }
  void poison() { std::fill_n(out.data(), out.cols(), std::numeric_limits<float>::quiet_NaN()); }
  void check(const std::string& name, std::int64_t context, std::int64_t) {
    Matrix<double> value(1, kCheckedHeads * kHeadDim), allowed(1, kCheckedHeads * kHeadDim);
    attention_decode_ref(q.view(), view(context), value.view(), allowed.view());
    for (std::int64_t i = 0; i < value.cols(); ++i) {
      check_value(name, 0, i, out(0, i), value(0, i), allowed(0, i));
    }
  }

  Matrix<float> q, out;  // [1, kHeads · kHeadDim]
  KvCache cache;
};

}  // namespace qlab
