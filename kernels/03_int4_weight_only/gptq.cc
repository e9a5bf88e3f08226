// SPDX-License-Identifier: Apache-2.0
/// \file
/// gptq: the order of the columns, the damping, and the loop that rounds them. Rows of the weights
/// do not feel each other, so a task takes a few of them through all columns; the updates need no
/// blocks then, and scales are always taken from weights with every update.
#include "03_int4_weight_only/gptq.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "03_int4_weight_only/gptq_cholesky.h"
#include "03_int4_weight_only/int4_grid.h"
#include "common/contract.h"

namespace qlab {
namespace {

constexpr std::int64_t kRows = 8;  // of one task, side by side in memory: one row of U serves all

/// What holds for every row: position i of the loop stands for column order[i].
struct Plan {
  std::vector<std::int64_t> order;  // [K] columns, in the order in which they are rounded
  std::vector<bool> dead;           // [K] columns whose input was always 0
  Matrix<double> U;                 // [K, K] by position
  double damping;
};

void check_arguments(const std::string& operation, MatrixView<const float> weight,
                     MatrixView<const double> hessian, const GptqOptions& options) {
  const std::int64_t K = weight.cols();
  check_shape(operation.c_str(), "hessian", hessian, K, K);
  QLAB_CHECK(options.group_size >= 1, operation, ": group_size is ", options.group_size,
             "; choose 1 or more, for example 128");
  QLAB_CHECK(std::isfinite(options.damping) && options.damping >= 0, operation, ": damping is ",
             options.damping, "; choose a number that is not negative, for example 0.01");
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::int64_t k = 0; k < K; ++k) {
      QLAB_CHECK(std::isfinite(weight(n, k)), operation, ": weight[", n, ", ", k, "] is ",
                 weight(n, k), "; only finite weights have codes");
    }
  }
  for (std::int64_t i = 0; i < K; ++i) {
    for (std::int64_t j = 0; j < K; ++j) {
      QLAB_CHECK(std::isfinite(hessian(i, j)), operation, ": hessian[", i, ", ", j, "] is ",
                 hessian(i, j), "; sum it over finite inputs");
    }
  }
}

/// Tries the damping asked for, then ten times as much, up to 1.
Plan make_plan(const std::string& operation, MatrixView<const double> hessian,
               const GptqOptions& options, ThreadPool& threads) {
  const std::int64_t K = hessian.rows();
  Plan plan{.order = std::vector<std::int64_t>(K),
            .dead = std::vector<bool>(K),
            .U = {},
            .damping = options.damping};
  std::vector<double> diagonal;
  for (std::int64_t k = 0; k < K; ++k) {
    plan.dead[k] = hessian(k, k) == 0;
    diagonal.push_back(hessian(k, k) == 0 ? 1 : hessian(k, k));
  }
  const double mean = std::accumulate(diagonal.begin(), diagonal.end(), 0.0) / double(K);
  std::iota(plan.order.begin(), plan.order.end(), 0);
  if (options.act_order) {
    std::ranges::stable_sort(plan.order, std::greater(),
                             [&](std::int64_t k) { return diagonal[k]; });
  }

  Matrix<double> H(K, K);
  while (true) {
    for (std::int64_t i = 0; i < K; ++i) {
      const std::int64_t row = plan.order[i];
      for (std::int64_t j = 0; j < K; ++j) {
        H(i, j) = hessian(row, plan.order[j]);
      }
      H(i, i) = diagonal[row] + plan.damping * mean;
    }
    if (std::optional<Matrix<double>> U = inverse_cholesky(H.view(), threads)) {
      plan.U = *std::move(U);
      return plan;
    }
    QLAB_CHECK(plan.damping > 0 && plan.damping < 1, operation,
               ": the hessian is not positive definite even with damping ", plan.damping,
               " of its mean diagonal; give more or other tokens, or a larger damping");
    plan.damping = std::min(plan.damping * 10, 1.0);
  }
}

/// Rows n0 … n0 + kRows: writes their codes, scales and zero points, and ‖E‖² of each.
class RowsRounder {
 public:
  RowsRounder(const std::string& operation, const Plan& plan, const GptqOptions& options,
              GptqWeights& out, std::vector<double>& squared_error)
      : operation_(operation),
        plan_(plan),
        options_(options),
        out_(out),
        squared_error_(squared_error) {}

  void round(MatrixView<const float> weight, std::int64_t n0) {
    const std::int64_t K = weight.cols();
    n0_ = n0;
    rows_ = std::min(kRows, weight.rows() - n0);
    load(weight);
    for (std::int64_t i = 0; i < K; ++i) {
      if (!options_.static_groups && i % options_.group_size == 0) set_live_grids(i);
      double error[kRows] = {};
      round_column(i, error);
      // The columns that are left answer to the error; the ones that are done are not touched.
      for (std::int64_t j = i + 1; j < K; ++j) {
        double* const left = &w_(j, 0);
        const double u = plan_.U(i, j);
        for (std::int64_t r = 0; r < kRows; ++r) left[r] -= error[r] * u;
      }
    }
  }

 private:
  /// w_[i, r], by position; and the grids of the original weights, which refuse what
  /// quantize_int4_rtn refuses.
  void load(MatrixView<const float> weight) {
    const std::int64_t K = weight.cols();
    w_ = Matrix<double>(K, kRows);
    Matrix<float> row(1, K);
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t k = 0; k < K; ++k) row(0, k) = plan_.dead[k] ? 0 : weight(n0_ + r, k);
      for (std::int64_t i = 0; i < K; ++i) w_(i, r) = row(0, plan_.order[i]);
      for (std::int64_t g = 0; g < out_.weights.scale.cols(); ++g) {
        const std::int64_t first = g * options_.group_size;
        const std::int64_t count = std::min(options_.group_size, K - first);
        const Int4Extent range(row.view().row(0, first, count));
        check_int4_scale(operation_, range, n0_ + r, g);
        set_grid(n0_ + r, g, Int4Grid::of(range, range.scale()));
      }
    }
  }

  /// The grids of the group that begins at position i, from the weights as they are now.
  void set_live_grids(std::int64_t i) {
    const std::int64_t K = out_.weights.K, g = i / options_.group_size;
    Matrix<float> group(1, std::min(options_.group_size, K - i));
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t j = 0; j < group.cols(); ++j) {
        group(0, j) = static_cast<float>(w_(i + j, r));
      }
      const Int4Extent range(group.view().row(0, 0, group.cols()));
      half_t scale = range.scale();
      // The caller's weights had a scale. If updates leave next to nothing of a group, or next to
      // nothing in a group of zeros, the smallest scale there is serves it.
      if (to_float(scale) == 0) {
        scale = {.bits = 1};
      } else {
        check_int4_scale(operation_, range, n0_ + r, g);
      }
      set_grid(n0_ + r, g, Int4Grid::of(range, scale));
    }
  }

  void round_column(std::int64_t i, double (&error)[kRows]) {
    const std::int64_t k = plan_.order[i];
    const std::int64_t g = out_.group[k];
    for (std::int64_t r = 0; r < rows_; ++r) {
      const std::int64_t n = n0_ + r;
      const Int4Grid grid{.scale = out_.weights.scale(n, g),
                          .zero_point = static_cast<float>(out_.weights.zero_point(n, g))};
      const double w = w_(i, r);
      // As a float, like the weights of quantize_int4_rtn: where nothing was updated, the codes of
      // both are the same even at ties.
      const int code = grid.code(static_cast<float>(w));
      out_.weights.qweight(n, k / 2) |= static_cast<std::uint8_t>(code << (k % 2 * 4));
      error[r] = (w - double{grid.real(code)}) / plan_.U(i, i);
      squared_error_[n] += error[r] * error[r];
    }
  }

  void set_grid(std::int64_t n, std::int64_t g, const Int4Grid& grid) {
    out_.weights.scale(n, g) = grid.scale;
    out_.weights.zero_point(n, g) = static_cast<std::uint8_t>(grid.zero_point);
  }

  const std::string& operation_;
  const Plan& plan_;
  const GptqOptions& options_;
  GptqWeights& out_;
  std::vector<double>& squared_error_;  // [N]
  std::int64_t n0_ = 0, rows_ = 0;
  Matrix<double> w_;  // [K, kRows] by position
};

}  // namespace

GptqWeights quantize_int4_gptq(MatrixView<const float> weight, MatrixView<const double> hessian,
                               const GptqOptions& options, const char* name,
                               const Machine& machine) {
  const std::string operation = std::string("quantize_int4_gptq: ") + name;
  check_arguments(operation, weight, hessian, options);
  const std::int64_t N = weight.rows(), K = weight.cols();
  const Plan plan = make_plan(operation, hessian, options, machine.threads);

  GptqWeights out{.weights = Int4Matrix(N, K, options.group_size),
                  .group = std::vector<std::int32_t>(K),
                  .damping = plan.damping,
                  .output_error = 0};
  for (std::int64_t i = 0; i < K; ++i) {
    const std::int64_t k = plan.order[i];
    const std::int64_t place = options.static_groups ? k : i;
    out.group[k] = static_cast<std::int32_t>(place / options.group_size);
  }

  std::vector<double> squared_error(N);
  machine.threads.run(N / kRows + (N % kRows != 0 ? 1 : 0), [&](std::int64_t task) {
    RowsRounder(operation, plan, options, out, squared_error).round(weight, task * kRows);
  });
  out.output_error = std::accumulate(squared_error.begin(), squared_error.end(), 0.0);
  return out;
}

double output_error(MatrixView<const float> weight, const Int4Weights& quantized,
                    MatrixView<const double> hessian) {
  check_int4_weights("output_error", quantized);
  const std::int64_t K = quantized.K;
  check_shape("output_error", "weight", weight, quantized.N(), K);
  check_shape("output_error", "hessian", hessian, K, K);
  double sum = 0;
  std::vector<double> delta(K), image(K);
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::int64_t k = 0; k < K; ++k) {
      const std::int64_t g = k / quantized.group_size;
      const Int4Grid grid{.scale = quantized.scale(n, g),
                          .zero_point = static_cast<float>(quantized.zero_point(n, g))};
      delta[k] = double{weight(n, k)} - double{grid.real(quantized.code(n, k))};
    }
    std::ranges::fill(image, 0);  // Δ H of this row, a row of H at a time
    for (std::int64_t i = 0; i < K; ++i) {
      const double d = delta[i];
      const double* const h = hessian.row(i);
      for (std::size_t j = 0; j < image.size(); ++j) image[j] += d * h[j];
    }
    sum += std::inner_product(delta.begin(), delta.end(), image.begin(), 0.0);
  }
  return sum;
}

}  // namespace qlab
