// SPDX-License-Identifier: Apache-2.0
/// \file
/// The operands of a linear layer that is timed, in every format: in rows for oracles and exercises, in
/// panels for our kernels.
#pragma once

#include <algorithm>

#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "02_int8_calibration/llm_int8.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/w8a8_panel_gemm.h"
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "lab/timed_parts.h"
#include "lab/timed_problems.h"

namespace qlab {

inline constexpr std::int64_t kMaxM = 256, kGroupSize = 128;
// Of 4096 columns a thousandth, as large models have (Dettmers et al., "LLM.int8()", 2022, section 4).
inline constexpr std::int64_t kOutlierColumns = 4;
inline constexpr float kOutlierSize = 64;
inline constexpr float kOutliersFrom = 6;

inline Matrix<half_t> to_half(const Matrix<float>& from) {
  Matrix<half_t> to(from.rows(), from.cols());
  for (std::int64_t i = 0; i < from.rows() * from.cols(); ++i) {
    to.data()[i] = from_float<half_t>(from.data()[i]);
  }
  return to;
}

/// x with kOutlierColumns of its columns, spread evenly, at kOutlierSize.
inline Matrix<float> with_outliers(const Matrix<float>& x) {
  Matrix<float> planted = x;
  for (std::int64_t i = 0; i < std::min(kOutlierColumns, x.cols()); ++i) {
    const std::int64_t k = i * x.cols() / kOutlierColumns;
    for (std::int64_t m = 0; m < x.rows(); ++m) planted(m, k) = kOutlierSize;
  }
  return planted;
}

struct LinearProblem::Operands {
  Operands(std::int64_t N, std::int64_t K, Random& random, const Machine& machine)
      : x(random_matrix(kMaxM, K, 1, random)),
        x_outliers(with_outliers(x)),
        x_half(to_half(x)),
        x_codes(kMaxM, K),
        x_scale(1, kMaxM),
        w_half(N, K),
        w_codes(N, K),
        w_scale(1, N),
        y(kMaxM, N),
        int4(0, K, kGroupSize),
        w_half_panels(0, K),
        int8_panels{.codes = {0, K}, .scale = {}, .sums = {}},
        int4_panels(0, K, kGroupSize) {
    const Matrix<float> w = random_matrix(N, K, 0.05, random);
    w_half = to_half(w);
    quantize_rows(w.view(), Granularity::kPerRow, w_codes.view(), w_scale.data(), machine);
    int4 = quantize_int4_rtn(w.view(), kGroupSize);
    w_half_panels = pack_panels<half_t>(w_half.view());
    int8_panels = pack_panels(int8_weights(N));
    int4_panels = pack_panels(int4.view());
  }

  Int8Rows int8_weights(std::int64_t columns) const {
    return {w_codes.view().rows_from(0, columns), w_scale.data()};
  }
  Int4Weights int4_weights(std::int64_t columns) const {
    const Int4Weights all = int4.view();
    return {all.K, all.group_size, all.qweight.rows_from(0, columns),
            all.scale.rows_from(0, columns), all.zero_point.rows_from(0, columns)};
  }
  MatrixView<float> output(std::int64_t M, std::int64_t columns) {
    return {y.data(), M, columns, y.cols()};
  }
  MatrixView<const half_t> half_input(std::int64_t M) const {
    return x_half.view().rows_from(0, M);
  }
  Int8Rows int8_input(std::int64_t M) const {
    return {x_codes.view().rows_from(0, M), x_scale.data()};
  }

  Matrix<float> x, x_outliers;        // [kMaxM, K]
  Matrix<half_t> x_half;              // [kMaxM, K]
  Matrix<std::int8_t> x_codes;        // [kMaxM, K]
  Matrix<float> x_scale;              // [1, kMaxM]
  Matrix<half_t> w_half;              // [N, K]
  Matrix<std::int8_t> w_codes;        // [N, K]
  Matrix<float> w_scale;              // [1, N]
  Matrix<float> y;                    // [kMaxM, N]
  Int4Matrix int4;                    // [N, K]
  PanelMatrix<half_t> w_half_panels;  // all three once more, packed
  Int8PanelMatrix int8_panels;
  Int4PanelMatrix int4_panels;
};

}  // namespace qlab
