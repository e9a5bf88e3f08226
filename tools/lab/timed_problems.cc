// SPDX-License-Identifier: Apache-2.0
/// \file
/// The linear layer. Builds the operands once; a candidate is a call of the public operation on them.
#include "lab/timed_problems.h"

#include <algorithm>
#include <cmath>

#include "01_fp16_baseline/fp16_gemm.h"
#include "02_int8_calibration/llm_int8.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/quantize_static.h"
#include "02_int8_calibration/w8a8_gemm.h"
#include "03_int4_weight_only/w4a16_gemm.h"
#include "03_int4_weight_only/w4a16_gemv.h"
#include "03_int4_weight_only/w4a8_gemm.h"
#include "lab/timed_mine.h"
#include "lab/timed_parts.h"

namespace qlab {
namespace {

constexpr std::int64_t kMaxM = 256, kGroupSize = 128;
// Of 4096 columns a thousandth, as large models have (Dettmers et al., "LLM.int8()", 2022, section 4).
constexpr std::int64_t kOutlierColumns = 4;
constexpr float kOutlierSize = 64;
constexpr float kOutliersFrom = 6;

Matrix<half_t> to_half(const Matrix<float>& from) {
  Matrix<half_t> to(from.rows(), from.cols());
  for (std::int64_t i = 0; i < from.rows() * from.cols(); ++i) {
    to.data()[i] = from_float<half_t>(from.data()[i]);
  }
  return to;
}

/// x with kOutlierColumns of its columns, spread evenly, at kOutlierSize.
Matrix<float> with_outliers(const Matrix<float>& x) {
  Matrix<float> planted = x;
  for (std::int64_t i = 0; i < std::min(kOutlierColumns, x.cols()); ++i) {
    const std::int64_t k = i * x.cols() / kOutlierColumns;
    for (std::int64_t m = 0; m < x.rows(); ++m) planted(m, k) = kOutlierSize;
  }
  return planted;
}

}  // namespace

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
        panels(0, K, kGroupSize) {
    const Matrix<float> w = random_matrix(N, K, 0.05, random);
    w_half = to_half(w);
    quantize_rows(w.view(), Granularity::kPerRow, w_codes.view(), w_scale.data(), machine);
    int4 = quantize_int4_rtn(w.view(), kGroupSize);
    panels = pack_panels(int4.view());
  }

  Int8Rows int8_weights(std::int64_t columns) const {
    return {w_codes.view().rows_from(0, columns), w_scale.data()};
  }
  Int4Weights int4_weights(std::int64_t columns) const {
    const Int4Weights all = int4.view();
    return {all.K, all.group_size, all.qweight.rows_from(0, columns),
            all.scale.rows_from(0, columns), all.zero_point.rows_from(0, columns)};
  }
  /// Whole panels: `columns` rounded down to them, all of them for all columns.
  Int4Panels int4_panels_of(std::int64_t columns) const {
    Int4Panels all = panels.view();
    if (columns == all.N) return all;
    all.N = columns / kPanelColumns * kPanelColumns;
    all.panels = all.panels.rows_from(0, all.N / kPanelColumns);
    return all;
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

  Matrix<float> x, x_outliers;  // [kMaxM, K]
  Matrix<half_t> x_half;        // [kMaxM, K]
  Matrix<std::int8_t> x_codes;  // [kMaxM, K]
  Matrix<float> x_scale;        // [1, kMaxM]
  Matrix<half_t> w_half;        // [N, K]
  Matrix<std::int8_t> w_codes;  // [N, K]
  Matrix<float> w_scale;        // [1, N]
  Matrix<float> y;              // [kMaxM, N]
  Int4Matrix int4;              // [N, K]
  Int4PanelMatrix panels;       // the same, packed
};

LinearProblem::LinearProblem(std::int64_t N, std::int64_t K, std::uint64_t seed,
                             const Machine& machine) {
  Random random(seed);
  operands_ = std::make_unique<Operands>(N, K, random, machine);
}
LinearProblem::~LinearProblem() = default;

std::vector<Candidate> LinearProblem::candidates(std::int64_t M, std::int64_t columns,
                                                 bool fallback, const Machine& machine) {
  Operands& o = *operands_;
  const std::int64_t K = o.x.cols();
  const MatrixView<float> y = o.output(M, columns);
  // Σ|x||w| of a dot product bounds its rounding: 2·√K·2⁻²⁴ for the sums, 2⁻²⁴ for the products.
  const double sums_and_products = (2 * std::sqrt(static_cast<double>(K)) + 1) * 0x1p-24;
  const auto scaled = [](Matrix<double> bound, double factor) {
    for (std::int64_t i = 0; i < bound.cols(); ++i) bound(0, i) *= factor;
    return bound;
  };

  const auto run_fp16 = [&o, M, columns, y, machine] {
    fp16_gemm(o.half_input(M), o.w_half.view().rows_from(0, columns), y, machine);
  };
  const auto check_fp16 = [&o, run_fp16, sums_and_products, scaled] {
    run_fp16();
    Matrix<double> value(1, kCheckedColumns);
    Matrix<double> abs_sum(1, kCheckedColumns);
    fp16_gemm_ref(o.half_input(1), o.w_half.view().rows_from(0, kCheckedColumns), value.view(),
                  abs_sum.view());
    check_outputs("fp16", o.y, value, scaled(std::move(abs_sum), sums_and_products));
  };
  const auto run_int8 = [&o, M, columns, y](const Machine& on) {
    quantize_rows(o.x.view().rows_from(0, M), Granularity::kPerRow,
                  o.x_codes.view().rows_from(0, M), o.x_scale.data(), on);
    w8a8_gemm(o.int8_input(M), o.int8_weights(columns), y, on);
  };
  const auto run_static = [&o, M, columns, y, machine] {
    const float scale = int8_scale(1);  // x is uniform up to 1
    quantize_static(o.x.view().rows_from(0, M), scale, o.x_codes.view().rows_from(0, M), machine);
    std::fill_n(o.x_scale.data(), M, scale);
    w8a8_gemm(o.int8_input(M), o.int8_weights(columns), y, machine);
  };
  const auto check_codes = [&o](const std::string& name) {  // of what ran last
    Matrix<double> value(1, kCheckedColumns);
    w8a8_gemm_ref(o.int8_input(1), o.int8_weights(kCheckedColumns), value.view());
    Matrix<double> allowed(1, kCheckedColumns);
    for (std::int64_t i = 0; i < kCheckedColumns; ++i) {
      allowed(0, i) = 4 * 0x1p-24 * std::abs(value(0, i));
    }
    check_outputs(name, o.y, value, allowed);
  };
  const auto run_llm = [&o, M, columns, y, machine] {
    llm_int8_gemm(o.x_outliers.view().rows_from(0, M),
                  {o.int8_weights(columns), o.w_half.view().rows_from(0, columns)}, kOutliersFrom,
                  y, machine);
  };
  const auto check_llm = [&o, run_llm, sums_and_products, scaled] {
    run_llm();
    const LlmInt8Weights weights{o.int8_weights(kCheckedColumns),
                                 o.w_half.view().rows_from(0, kCheckedColumns)};
    const MatrixView<const float> x = o.x_outliers.view().rows_from(0, 1);
    Matrix<double> value(1, kCheckedColumns);
    llm_int8_gemm_ref(x, weights, kOutliersFrom, value.view());
    // Both parts round less than one dot product of all K would.
    Matrix<double> whole(1, kCheckedColumns);
    Matrix<double> abs_sum(1, kCheckedColumns);
    Matrix<float> row(1, x.cols());
    std::copy_n(x.row(0), x.cols(), row.data());
    fp16_gemm_ref(to_half(row).view(), weights.fp16, whole.view(), abs_sum.view());
    check_outputs("int8_llm", o.y, value, scaled(std::move(abs_sum), sums_and_products));
  };
  const auto run_int4 = [&o, M, columns, y](const Machine& on) {
    w4a16_gemm(o.half_input(M), o.int4_weights(columns), y, on);
  };
  const auto check_int4 = [&o, run_int4, sums_and_products, scaled](const Machine& on) {
    run_int4(on);
    Matrix<double> value(1, kCheckedColumns);
    Matrix<double> abs_sum(1, kCheckedColumns);
    w4a16_gemm_ref(o.half_input(1), o.int4_weights(kCheckedColumns), value.view(), abs_sum.view());
    check_outputs("int4_g128", o.y, value, scaled(std::move(abs_sum), sums_and_products));
  };

  const Int4Panels w4a8_weights = o.int4_panels_of(columns);
  const auto run_w4a8 = [&o, M, w4a8_weights, machine] {
    quantize_rows(o.x.view().rows_from(0, M), Granularity::kPerRow,
                  o.x_codes.view().rows_from(0, M), o.x_scale.data(), machine);
    w4a8_gemm(o.int8_input(M), w4a8_weights, o.output(M, w4a8_weights.N), machine);
  };
  const auto check_w4a8 = [&o, run_w4a8, scaled] {
    run_w4a8();
    Matrix<double> value(1, kCheckedColumns);
    Matrix<double> abs_sum(1, kCheckedColumns);
    w4a8_gemm_ref(o.int8_input(1), o.int4_weights(kCheckedColumns), value.view(), abs_sum.view());
    const double groups = static_cast<double>(int4_groups(o.x.cols(), kGroupSize));
    check_outputs("int4_w4a8", o.y, value,
                  scaled(std::move(abs_sum), (2 * std::sqrt(groups) + 2) * 0x1p-24));
  };

  const Isa fp16_path = best_rung(kFp16GemmRungs, machine.isa).needs;
  const Isa int8_path = best_rung(kW8A8GemmRungs, machine.isa).needs;
  const Isa int4_path = best_rung(kW4A16GemmRungs, machine.isa).needs;
  const Cost fp16_cost = fp16_gemm_cost(M, columns, K);
  const Cost int8_cost = w8a8_gemm_cost(M, columns, K);
  const Cost int4_cost = w4a16_gemm_cost(M, columns, K, kGroupSize);
  std::vector<Candidate> all = {
      {"fp16", fp16_path, fp16_cost, run_fp16, check_fp16},
      {"fp16 again", fp16_path, fp16_cost, run_fp16, check_fp16},
      {"int8", int8_path, int8_cost, [=] { run_int8(machine); },
       [=] {
         run_int8(machine);
         check_codes("int8");
       }},
      {"int8_static", int8_path, int8_cost, run_static,
       [=] {
         run_static();
         check_codes("int8_static");
       }},
      {"int8_llm", int8_path, int8_cost, run_llm, check_llm},
      {"int4_g128", int4_path, int4_cost, [=] { run_int4(machine); }, [=] { check_int4(machine); }},
  };
  if (w4a8_weights.N > 0) {
    all.push_back({"int4_w4a8", best_rung(kW4A8GemmRungs, machine.isa).needs,
                   w4a8_gemm_cost(M, w4a8_weights.N, K, kGroupSize), run_w4a8, check_w4a8});
  }
  if (fallback) {
    const Machine scalar{machine.threads, Isa::kScalar};
    all.push_back({"int8 on scalar", Isa::kScalar, int8_cost, [=] { run_int8(scalar); },
                   [=] {
                     run_int8(scalar);
                     check_codes("int8 on scalar");
                   }});
    all.push_back({"int4_g128 on scalar", Isa::kScalar, int4_cost, [=] { run_int4(scalar); },
                   [=] { check_int4(scalar); }});
  }
  return all;
}

std::vector<Candidate> LinearProblem::candidates_of(const Mine& mine, std::int64_t M,
                                                    std::int64_t columns, const Machine& machine) {
  Operands& o = *operands_;
  const std::int64_t K = o.x.cols();
  const MatrixView<float> y = o.output(M, columns);
  std::vector<Candidate> all;
  // Outputs are made wrong before each check: the one before may have left right ones.
  const auto add = [&](const char* format, const char* exercise, const Cost& cost, auto run,
                       auto value_and_bound) {
    const auto check = [&o, exercise, run, value_and_bound] {
      poison_outputs(o.y);
      run();
      Matrix<double> value(1, kCheckedColumns), bound(1, kCheckedColumns);
      value_and_bound(value, bound);
      check_outputs(exercise, o.y, value, bound);
    };
    all.push_back(candidate_of_mine(format, exercise, cost, run, check));
  };
  if (mine.fp16_gemm != nullptr) {
    const auto run = [&o, M, columns, y, call = mine.fp16_gemm] {
      call(o.half_input(M), o.w_half.view().rows_from(0, columns), y);
    };
    add("fp16", "fp16_gemm", fp16_gemm_cost(M, columns, K), run, [&o, K](auto& value, auto& bound) {
      fp16_gemm_ref(o.half_input(1), o.w_half.view().rows_from(0, kCheckedColumns), value.view(),
                    bound.view());
      const double factor = (2 * std::sqrt(static_cast<double>(K)) + 1) * 0x1p-24;
      for (std::int64_t i = 0; i < kCheckedColumns; ++i) bound(0, i) *= factor;
    });
  }
  if (mine.w8a8_gemm != nullptr) {
    const auto run = [&o, M, columns, y, machine, call = mine.w8a8_gemm] {
      quantize_rows(o.x.view().rows_from(0, M), Granularity::kPerRow,
                    o.x_codes.view().rows_from(0, M), o.x_scale.data(), machine);
      call(o.int8_input(M), o.int8_weights(columns), y);
    };
    add("int8", "w8a8_gemm", w8a8_gemm_cost(M, columns, K), run, [&o](auto& value, auto& bound) {
      w8a8_gemm_ref(o.int8_input(1), o.int8_weights(kCheckedColumns), value.view());
      for (std::int64_t i = 0; i < kCheckedColumns; ++i) {
        bound(0, i) = 4 * 0x1p-24 * std::abs(value(0, i));
      }
    });
  }
  if (mine.w4a16_gemv != nullptr && M == 1) {
    const auto run = [&o, K, columns, y, call = mine.w4a16_gemv] {
      call(o.int4_weights(columns), o.half_input(1).row(0, 0, K), y.row(0, 0, columns));
    };
    add("int4_g128", "w4a16_gemv", w4a16_gemv_cost(columns, K, kGroupSize), run,
        [&o](auto& value, auto& bound) {
          const Int4Weights weights = o.int4_weights(kCheckedColumns);
          w4a16_gemm_ref(o.half_input(1), weights, value.view(), bound.view());
          w4a16_gemv_bound(o.half_input(1), weights, bound.view());
        });
  }
  return all;
}

}  // namespace qlab
