// SPDX-License-Identifier: Apache-2.0
/// \file
/// Operands of linear layers whose weights are packed ahead of time: those of bench_linear.h, in panels.
#pragma once

#include <utility>

#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "02_int8_calibration/w8a8_panel_gemm.h"
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "lab/bench_linear.h"

namespace qlab {

/// FP16 and BF16.
template <class Number, const auto& kTable>
struct FloatPanelOperands : FloatOperands<Number, kTable> {
  explicit FloatPanelOperands(const BenchShape& shape)
      : FloatOperands<Number, kTable>(shape),
        packed(pack_panels<Number>(std::as_const(this->W).view())) {}

  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t columns, ThreadPool& threads) {
    run(this->X.view().rows_from(0, M), packed.view().first(columns), this->output(M, columns),
        threads);
  }

  PanelMatrix<Number> packed;
};

/// INT8, the activations as quantize_rows makes them.
struct W8A8PanelOperands : W8A8Operands<kW8A8PanelGemmRungs> {
  explicit W8A8PanelOperands(const BenchShape& shape)
      : W8A8Operands(shape), packed(pack_panels(weights(0, w.rows()))) {}

  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t columns, ThreadPool& threads) {
    run(input(M), packed.view().first(columns), output(M, columns), threads);
  }

  Int8PanelMatrix packed;
};

/// 4-bit weights, FP16 activations.
struct W4A16PanelOperands : W4A16Operands<kW4A16PanelGemmRungs> {
  explicit W4A16PanelOperands(const BenchShape& shape)
      : W4A16Operands(shape), packed(pack_panels(W.view())) {}

  template <class Run>
  void call(Run& run, std::int64_t M, std::int64_t columns, ThreadPool& threads) {
    run(X.view().rows_from(0, M), packed.view().first(columns), output(M, columns), threads);
  }

  Int4PanelMatrix packed;
};

}  // namespace qlab
