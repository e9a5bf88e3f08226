// SPDX-License-Identifier: Apache-2.0
/// \file
/// The linear layer. Builds the operands once; a candidate is a call of the public operation on them.
#include "lab/timed_problems.h"

#include <algorithm>
#include <cmath>

#include "02_int8_calibration/quantize_static.h"
#include "03_int4_weight_only/w4a16_gemv.h"
#include "03_int4_weight_only/w4a8_gemm.h"
#include "lab/timed_mine.h"
#include "lab/timed_operands.h"

namespace qlab {

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
    fp16_panel_gemm(o.half_input(M), o.w_half_panels.view().first(columns), y, machine);
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
    w8a8_panel_gemm(o.int8_input(M), o.int8_panels.view().first(columns), y, on);
  };
  const auto run_static = [&o, M, columns, y, machine] {
    const float scale = int8_scale(1);  // x is uniform up to 1
    quantize_static(o.x.view().rows_from(0, M), scale, o.x_codes.view().rows_from(0, M), machine);
    std::fill_n(o.x_scale.data(), M, scale);
    w8a8_panel_gemm(o.int8_input(M), o.int8_panels.view().first(columns), y, machine);
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
    w4a16_panel_gemm(o.half_input(M), o.int4_panels.view().first(columns), y, on);
  };
  const auto check_int4 = [&o, run_int4, sums_and_products, scaled](const Machine& on) {
    run_int4(on);
    Matrix<double> value(1, kCheckedColumns);
    Matrix<double> abs_sum(1, kCheckedColumns);
    w4a16_gemm_ref(o.half_input(1), o.int4_weights(kCheckedColumns), value.view(), abs_sum.view());
    check_outputs("int4_g128", o.y, value, scaled(std::move(abs_sum), sums_and_products));
  };

  const auto run_w4a8 = [&o, M, columns, y, machine] {
    quantize_rows(o.x.view().rows_from(0, M), Granularity::kPerRow,
                  o.x_codes.view().rows_from(0, M), o.x_scale.data(), machine);
    w4a8_gemm(o.int8_input(M), o.int4_panels.view().first(columns), y, machine);
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

  const Isa fp16_path = best_rung(kFp16PanelGemmRungs, machine.isa).needs;
  const Isa int8_path = best_rung(kW8A8PanelGemmRungs, machine.isa).needs;
  const Isa int4_path = best_rung(kW4A16PanelGemmRungs, machine.isa).needs;
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
      {"int4_w4a8", best_rung(kW4A8GemmRungs, machine.isa).needs,
       w4a8_gemm_cost(M, columns, K, kGroupSize), run_w4a8, check_w4a8},
  };
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
