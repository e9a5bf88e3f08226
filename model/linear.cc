// SPDX-License-Identifier: Apache-2.0
/// \file
/// Linear: each format pairs how weights are stored with the kernel that multiplies them.
#include "model/linear.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "01_fp16_baseline/fp32_gemm.h"
#include "02_int8_calibration/llm_int8.h"
#include "02_int8_calibration/quantize_static.h"
#include "02_int8_calibration/w8a8_panel_gemm.h"
#include "03_int4_weight_only/int4_weights.h"
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "03_int4_weight_only/w4a8_gemm.h"
#include "common/matrix.h"
#include "model/narrow.h"

namespace qlab {
namespace {

class Fp32Linear final : public Linear {
 public:
  explicit Fp32Linear(MatrixView<const float> weight) : weight_(weight.rows(), weight.cols()) {
    for (std::int64_t n = 0; n < weight.rows(); ++n) {
      std::copy_n(weight.row(n), weight.cols(), weight_.view().row(n));
    }
  }
  void run(MatrixView<const float> X, MatrixView<float> Y, const Machine& machine) const override {
    fp32_gemm(X, weight_.view(), Y, machine);
  }
  void read_row(std::int64_t n, std::span<float> out) const override {
    std::copy_n(weight_.view().row(n), weight_.cols(), out.begin());
  }
  std::int64_t bytes() const override { return static_cast<std::int64_t>(weight_.bytes()); }

 private:
  Matrix<float> weight_;  // [N, K]
};

/// FP16 or BF16: the activations take the format of the weights.
template <class Format, auto kGemm>
class NarrowLinear final : public Linear {
 public:
  NarrowLinear(MatrixView<const float> weight, const Machine& machine)
      : weight_(pack_panels<Format>(narrow<Format>("weight", weight, machine).view())) {}
  void run(MatrixView<const float> X, MatrixView<float> Y, const Machine& machine) const override {
    kGemm(narrow<Format>("activation", X, machine).view(), weight_.view(), Y, machine);
  }
  void read_row(std::int64_t n, std::span<float> out) const override {
    const Panels<Format> w = weight_.view();
    for (std::int64_t k = 0; k < w.K; ++k) {
      out[static_cast<std::size_t>(k)] = to_float(w.weight(n, k));
    }
  }
  std::int64_t bytes() const override { return weight_.bytes(); }

 private:
  PanelMatrix<Format> weight_;  // [N, K]
};

/// Rows in INT8 with their scales; weights once, activations in every call.
struct Int8Matrix {
  Int8Matrix(std::int64_t rows, std::int64_t cols)
      : codes(rows, cols), scale(static_cast<std::size_t>(rows)) {}
  Int8Rows view() const { return {codes.view(), scale.data()}; }

  Matrix<std::int8_t> codes;  // [rows, K]
  std::vector<float> scale;   // [rows]
};

/// Scales found in x.
Int8Matrix quantized(MatrixView<const float> x, Granularity granularity, const Machine& machine) {
  Int8Matrix result(x.rows(), x.cols());
  quantize_rows(x, granularity, result.codes.view(), result.scale.data(), machine);
  return result;
}

/// One scale, fixed ahead of time.
Int8Matrix quantized(MatrixView<const float> x, float scale, const Machine& machine) {
  Int8Matrix result(x.rows(), x.cols());
  quantize_static(x, scale, result.codes.view(), machine);
  std::ranges::fill(result.scale, scale);
  return result;
}

class Int8Linear final : public Linear {
 public:
  Int8Linear(MatrixView<const float> weight, const Int8Activations& activations,
             const Machine& machine)
      : weight_(pack_panels(quantized(weight, Granularity::kPerRow, machine).view())),
        activations_(activations) {}
  void run(MatrixView<const float> X, MatrixView<float> Y, const Machine& machine) const override {
    const Int8Matrix x = activations_.absmax
                             ? quantized(X, int8_scale(*activations_.absmax), machine)
                             : quantized(X, activations_.granularity, machine);
    w8a8_panel_gemm(x.view(), weight_.view(), Y, machine);
  }
  void read_row(std::int64_t n, std::span<float> out) const override {
    const Int8Panels w = weight_.view();
    for (std::int64_t k = 0; k < w.codes.K; ++k) {
      out[static_cast<std::size_t>(k)] = w.scale[n] * static_cast<float>(w.codes.weight(n, k));
    }
  }
  std::int64_t bytes() const override { return weight_.bytes(); }

 private:
  Int8PanelMatrix weight_;
  Int8Activations activations_;
};

/// LLM.int8(): columns of W are picked in the call, so it stays in rows.
class LlmInt8Linear final : public Linear {
 public:
  LlmInt8Linear(MatrixView<const float> weight, const Int8Activations& activations,
                const Machine& machine)
      : weight_(quantized(weight, Granularity::kPerRow, machine)),
        outliers_from_(*activations.outliers_from) {
    QLAB_CHECK(!activations.absmax,
               "make_linear: a scale fixed ahead of time and outlier columns exclude each other; "
               "columns are found in the call");
    if (!activations.outliers_from_codes) outliers_ = narrow<half_t>("weight", weight, machine);
  }
  void run(MatrixView<const float> X, MatrixView<float> Y, const Machine& machine) const override {
    llm_int8_gemm(X, {weight_.view(), outliers_.view()}, outliers_from_, Y, machine);
  }
  void read_row(std::int64_t n, std::span<float> out) const override {
    const float scale = weight_.scale[static_cast<std::size_t>(n)];
    const std::int8_t* codes = weight_.codes.view().row(n);
    for (std::size_t k = 0; k < out.size(); ++k) out[k] = scale * static_cast<float>(codes[k]);
  }
  std::int64_t bytes() const override {
    return static_cast<std::int64_t>(weight_.codes.bytes() + weight_.scale.size() * sizeof(float) +
                                     outliers_.bytes());
  }

 private:
  Int8Matrix weight_;
  Matrix<half_t> outliers_;  // [N, K] where a copy is kept, else [0, 0]
  float outliers_from_;
};

/// 4-bit weights in panels; activations in FP16, or in INT8.
class Int4Linear final : public Linear {
 public:
  Int4Linear(const Int4Matrix& weight, bool int8_activations)
      : weight_(pack_panels(weight.view())), int8_activations_(int8_activations) {}
  void run(MatrixView<const float> X, MatrixView<float> Y, const Machine& machine) const override {
    if (int8_activations_) {
      const Int8Matrix x = quantized(X, Granularity::kPerRow, machine);
      w4a8_gemm(x.view(), weight_.view(), Y, machine);
      return;
    }
    w4a16_panel_gemm(narrow<half_t>("activation", X, machine).view(), weight_.view(), Y, machine);
  }
  void read_row(std::int64_t n, std::span<float> out) const override {
    const Int4Panels w = weight_.view();
    for (std::int64_t k = 0; k < w.K; ++k) {
      const std::int64_t g = k / w.group_size;
      out[static_cast<std::size_t>(k)] =
          to_float(w.scale(n, g)) *
          static_cast<float>(w.code(n, g, k % w.group_size) - w.zero_point(n, g));
    }
  }
  std::int64_t bytes() const override { return weight_.bytes(); }

 private:
  Int4PanelMatrix weight_;
  bool int8_activations_;
};

}  // namespace

std::string_view weight_format_name(WeightFormat format) {
  switch (format) {
    case WeightFormat::kFp32:
      return "fp32";
    case WeightFormat::kFp16:
      return "fp16";
    case WeightFormat::kBf16:
      return "bf16";
    case WeightFormat::kInt8:
      return "int8";
    case WeightFormat::kInt4:
      return "int4";
    case WeightFormat::kW4A8:
      return "w4a8";
  }
  return "unknown";
}

std::unique_ptr<Linear> make_linear(MatrixView<const float> weight, const LinearRecipe& recipe,
                                    const Machine& machine) {
  switch (recipe.weights) {
    case WeightFormat::kFp32:
      return std::make_unique<Fp32Linear>(weight);
    case WeightFormat::kFp16:
      return std::make_unique<NarrowLinear<half_t, fp16_panel_gemm>>(weight, machine);
    case WeightFormat::kBf16:
      return std::make_unique<NarrowLinear<bf16_t, bf16_panel_gemm>>(weight, machine);
    case WeightFormat::kInt8:
      if (recipe.activations.outliers_from) {
        return std::make_unique<LlmInt8Linear>(weight, recipe.activations, machine);
      }
      return std::make_unique<Int8Linear>(weight, recipe.activations, machine);
    case WeightFormat::kInt4:
    case WeightFormat::kW4A8:
      return make_linear(quantize_int4_rtn(weight, recipe.group_size), recipe.weights, machine);
  }
  fail_contract("make_linear: format ", static_cast<int>(recipe.weights), " is unknown");
}

std::unique_ptr<Linear> make_linear(const Int4Matrix& weight, WeightFormat format, const Machine&) {
  QLAB_CHECK(format == WeightFormat::kInt4 || format == WeightFormat::kW4A8,
             "make_linear: ", weight_format_name(format),
             " does not store 4-bit weights; use int4 or w4a8");
  return std::make_unique<Int4Linear>(weight, format == WeightFormat::kW4A8);
}

Isa linear_path(WeightFormat format, Isa isa) {
  switch (format) {
    case WeightFormat::kFp32:
      return best_rung(kFp32GemmRungs, isa).needs;
    case WeightFormat::kFp16:
      return best_rung(kFp16PanelGemmRungs, isa).needs;
    case WeightFormat::kBf16:
      return best_rung(kBf16PanelGemmRungs, isa).needs;
    case WeightFormat::kInt8:
      return best_rung(kW8A8PanelGemmRungs, isa).needs;
    case WeightFormat::kInt4:
      return best_rung(kW4A16PanelGemmRungs, isa).needs;
    case WeightFormat::kW4A8:
      return best_rung(kW4A8GemmRungs, isa).needs;
  }
  fail_contract("linear_path: format ", static_cast<int>(format), " is unknown");
}

}  // namespace qlab
