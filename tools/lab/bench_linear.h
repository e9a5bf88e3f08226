// SPDX-License-Identifier: Apache-2.0
/// \file
/// Operands of linear layers: Y [M, N] = X [M, K] · W [N, K] transposed, in each pair of formats.
#pragma once

#include <cmath>
#include <limits>

#include "01_fp16_baseline/fp16_gemm.h"
#include "01_fp16_baseline/fp32_gemm.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/w8a8_gemm.h"
#include "03_int4_weight_only/w4a16_gemm.h"
#include "03_int4_weight_only/w4a8_gemm.h"
#include "lab/bench_operands.h"

namespace qlab {

inline constexpr std::int64_t kBenchGroup = 128;

template <class Number>
Matrix<Number> rounded_to(const Matrix<float>& from) {
  if constexpr (std::is_same_v<Number, float>) {
    return from;
  } else {
    Matrix<Number> to(from.rows(), from.cols());
    for (std::int64_t i = 0; i < from.rows() * from.cols(); ++i) {
      to.data()[i] = from_float<Number>(from.data()[i]);
    }
    return to;
  }
}

/// What all of them share: random activations and weights as drawn, and the output.
struct LinearSides {
  explicit LinearSides(const BenchShape& shape)
      : random(shape.seed),
        x(random_matrix(shape.most_m, shape.K, 1, random)),
        w(random_matrix(shape.N, shape.K, 0.05, random)),
        y(shape.most_m, shape.N) {}

  MatrixView<float> output(std::int64_t M, std::int64_t columns) {
    return {y.data(), M, columns, y.cols()};
  }
  void poison() {
    std::fill_n(y.data(), y.rows() * y.cols(), std::numeric_limits<float>::quiet_NaN());
  }
  /// Sums of K terms in FP32, and their products, round by so much of Σ|x||w|.
  double rounding() const { return (2 * std::sqrt(static_cast<double>(x.cols())) + 1) * 0x1p-24; }

  Random random;
  Matrix<float> x, w, y;  // [most_m, K], [N, K], [most_m, N]
};

/// bound · factor, element by element.
inline void scale_bound(MatrixView<double> bound, double factor) {
  for (std::int64_t m = 0; m < bound.rows(); ++m) {
    for (std::int64_t n = 0; n < bound.cols(); ++n) bound(m, n) *= factor;
  }
}

/// FP32, FP16 and BF16.
template <class Number, const auto& kTable>
struct FloatOperands : LinearSides {
  static constexpr const auto& kRungs = kTable;
  explicit FloatOperands(const BenchShape& shape)
      : LinearSides(shape), X(rounded_to<Number>(x)), W(rounded_to<Number>(w)) {}

  Cost cost(std::int64_t M, std::int64_t columns) const {
    if constexpr (std::is_same_v<Number, float>) return fp32_gemm_cost(M, columns, X.cols());
    return fp16_gemm_cost(M, columns, X.cols());
  }
  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t columns, ThreadPool& threads) {
    run(X.view().rows_from(0, M), W.view().rows_from(0, columns), output(M, columns), threads);
  }
  void check(const std::string& name, std::int64_t M, std::int64_t columns) {
    const auto reference = [&](std::int64_t first, std::int64_t count, MatrixView<double> value,
                               MatrixView<double> allowed) {
      const auto rows = X.view().rows_from(0, M), weights = W.view().rows_from(first, count);
      if constexpr (std::is_same_v<Number, float>) {
        fp32_gemm_ref(rows, weights, value, allowed);
      } else if constexpr (std::is_same_v<Number, half_t>) {
        fp16_gemm_ref(rows, weights, value, allowed);
      } else {
        bf16_gemm_ref(rows, weights, value, allowed);
      }
      scale_bound(allowed, rounding());
    };
    check_columns(name, output(M, columns), reference);
  }

  Matrix<Number> X, W;
};

/// FP16, with the learner's fp16_gemm.
struct Fp16Operands : FloatOperands<half_t, kFp16GemmRungs> {
  static constexpr auto kMine = &Mine::fp16_gemm;
  static constexpr std::int64_t kMostMOfMine = std::numeric_limits<std::int64_t>::max();
  using FloatOperands::FloatOperands;
  void call_yours(decltype(exercise::fp16_gemm)* function, std::int64_t M, std::int64_t columns) {
    function(X.view().rows_from(0, M), W.view().rows_from(0, columns), output(M, columns));
  }
};

/// Activations as quantize_rows makes them, a scale a token.
struct Int8Sides : LinearSides {
  explicit Int8Sides(const BenchShape& shape)
      : LinearSides(shape), x_codes(x.rows(), x.cols()), x_scale(1, x.rows()) {
    quantize_rows(x.view(), Granularity::kPerRow, x_codes.view(), x_scale.data(), {one_thread});
  }
  Int8Rows input(std::int64_t M) const { return {x_codes.view().rows_from(0, M), x_scale.data()}; }

  ThreadPool one_thread{1};
  Matrix<std::int8_t> x_codes;  // [most_m, K]
  Matrix<float> x_scale;        // [1, most_m]
};

/// INT8 weights, a scale a channel.
template <const auto& kTable>
struct W8A8Operands : Int8Sides {
  static constexpr const auto& kRungs = kTable;
  static constexpr auto kMine = &Mine::w8a8_gemm;
  static constexpr std::int64_t kMostMOfMine = std::numeric_limits<std::int64_t>::max();
  explicit W8A8Operands(const BenchShape& shape)
      : Int8Sides(shape), w_codes(w.rows(), w.cols()), w_scale(1, w.rows()) {
    quantize_rows(w.view(), Granularity::kPerRow, w_codes.view(), w_scale.data(), {one_thread});
  }

  Int8Rows weights(std::int64_t first, std::int64_t count) const {
    return {w_codes.view().rows_from(first, count), w_scale.data() + first};
  }
  Cost cost(std::int64_t M, std::int64_t columns) const {
    return w8a8_gemm_cost(M, columns, x.cols());
  }
  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t columns, ThreadPool& threads) {
    run(input(M), weights(0, columns), output(M, columns), threads);
  }
  void call_yours(decltype(exercise::w8a8_gemm)* function, std::int64_t M, std::int64_t columns) {
    function(input(M), weights(0, columns), output(M, columns));
  }
  void check(const std::string& name, std::int64_t M, std::int64_t columns) {
    check_columns(name, output(M, columns),
                  [&](std::int64_t first, std::int64_t count, MatrixView<double> value,
                      MatrixView<double> allowed) {
                    w8a8_gemm_ref(input(M), weights(first, count), value);
                    for (std::int64_t m = 0; m < M; ++m) {
                      for (std::int64_t i = 0; i < count; ++i) {
                        allowed(m, i) = 4 * 0x1p-24 * std::abs(value(m, i));
                      }
                    }
                  });
  }

  Matrix<std::int8_t> w_codes;  // [N, K]
  Matrix<float> w_scale;        // [1, N]
};

/// Rows [first, first + count) of 4-bit weights.
inline Int4Weights int4_rows(const Int4Weights& all, std::int64_t first, std::int64_t count) {
  return {all.K, all.group_size, all.qweight.rows_from(first, count),
          all.scale.rows_from(first, count), all.zero_point.rows_from(first, count)};
}

/// 4-bit weights, FP16 activations.
template <const auto& kTable>
struct W4A16Operands : LinearSides {
  static constexpr const auto& kRungs = kTable;
  static constexpr auto kMine = &Mine::w4a16_gemv;
  static constexpr std::int64_t kMostMOfMine = 1;
  explicit W4A16Operands(const BenchShape& shape)
      : LinearSides(shape), X(rounded_to<half_t>(x)), W(quantize_int4_rtn(w.view(), kBenchGroup)) {}

  Int4Weights weights(std::int64_t first, std::int64_t count) const {
    return int4_rows(W.view(), first, count);
  }
  Cost cost(std::int64_t M, std::int64_t columns) const {
    return w4a16_gemm_cost(M, columns, x.cols(), kBenchGroup);
  }
  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t columns, ThreadPool& threads) {
    run(X.view().rows_from(0, M), weights(0, columns), output(M, columns), threads);
  }
  void check(const std::string& name, std::int64_t M, std::int64_t columns) {
    check_columns(name, output(M, columns),
                  [&](std::int64_t first, std::int64_t count, MatrixView<double> value,
                      MatrixView<double> allowed) {
                    w4a16_gemm_ref(X.view().rows_from(0, M), weights(first, count), value, allowed);
                    scale_bound(allowed, rounding());
                  });
  }
  void call_yours(decltype(exercise::w4a16_gemv)* function, std::int64_t, std::int64_t columns) {
    function(weights(0, columns), X.view().row(0, 0, X.cols()),
             output(1, columns).row(0, 0, columns));
  }
  /// By the wider tolerance of w4a16_gemv.h.
  void check_yours(const std::string& name, std::int64_t columns) {
    const MatrixView<const half_t> row = X.view().rows_from(0, 1);
    check_columns(name, output(1, columns),
                  [&](std::int64_t first, std::int64_t count, MatrixView<double> value,
                      MatrixView<double> allowed) {
                    w4a16_gemm_ref(row, weights(first, count), value, allowed);
                    w4a16_gemv_bound(row, weights(first, count), allowed);
                  });
  }

  Matrix<half_t> X;
  Int4Matrix W;
};

/// 4-bit weights packed in panels, INT8 activations.
template <const auto& kTable>
struct W4A8Operands : Int8Sides {
  static constexpr const auto& kRungs = kTable;
  explicit W4A8Operands(const BenchShape& shape)
      : Int8Sides(shape),
        W(quantize_int4_rtn(w.view(), kBenchGroup)),
        panels(pack_panels(W.view())) {}

  /// A part of the columns is whole panels.
  Int4Panels weights(std::int64_t columns) const { return panels.view().first(columns); }
  Cost cost(std::int64_t M, std::int64_t columns) const {
    return w4a8_gemm_cost(M, columns, x.cols(), kBenchGroup);
  }
  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t columns, ThreadPool& threads) {
    run(input(M), weights(columns), output(M, columns), threads);
  }
  void check(const std::string& name, std::int64_t M, std::int64_t columns) {
    const double groups = static_cast<double>(int4_groups(x.cols(), kBenchGroup));
    check_columns(name, output(M, columns),
                  [&](std::int64_t first, std::int64_t count, MatrixView<double> value,
                      MatrixView<double> allowed) {
                    w4a8_gemm_ref(input(M), int4_rows(W.view(), first, count), value, allowed);
                    scale_bound(allowed, (2 * std::sqrt(groups) + 2) * 0x1p-24);
                  });
  }

  Int4Matrix W;
  Int4PanelMatrix panels;
};

}  // namespace qlab
