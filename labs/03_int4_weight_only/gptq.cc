// SPDX-License-Identifier: Apache-2.0
/// \file
/// gptq: your turn. Replace each todo() with your code, then run `./lab check gptq`.
#include "03_int4_weight_only/gptq.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "03_int4_weight_only/gptq_cholesky.h"

namespace qlab::exercise {
namespace {

/// Sixteen values, one of them 0, that span what it is made from.
struct Grid {
  explicit Grid(std::span<const double> group) {
    double low = 0, high = 0;
    for (const double w : group) {
      low = std::min(low, w);
      high = std::max(high, w);
    }
    scale = low == high ? 1 : (high - low) / kInt4Max;
    zero_point = std::min(std::nearbyint(-low / scale), double{kInt4Max});
  }
  Grid(double scale_, double zero_point_) : scale(scale_), zero_point(zero_point_) {}

  /// The code whose value is nearest to w.
  int code(double w) const {
    return static_cast<int>(
        std::clamp(std::nearbyint(w / scale) + zero_point, 0.0, double{kInt4Max}));
  }
  double real(int code) const { return scale * (code - zero_point); }

  double scale, zero_point;
};

void check_finite(const char* operand, MatrixView<const double> x) {
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      QLAB_CHECK(std::isfinite(x(r, c)), "gptq: ", operand, "[", r, ", ", c, "] is ", x(r, c),
                 "; it must be finite, or every column after it is lost");
    }
  }
}

void check_arguments(MatrixView<const double> weight, MatrixView<const double> H,
                     const GptqOptions& options, const GptqCodes& out) {
  const std::int64_t N = weight.rows(), K = weight.cols(), group_size = options.group_size;
  QLAB_CHECK(group_size >= 1 && K % group_size == 0, "gptq: group_size ", group_size,
             " does not divide K = ", K, "; choose a divisor of K or pad the weights");
  check_shape("gptq", "hessian", H, K, K);
  check_shape("gptq", "code", out.code, N, K);
  check_shape("gptq", "scale", out.scale, N, K / group_size);
  check_shape("gptq", "zero_point", out.zero_point, N, K / group_size);
  QLAB_CHECK(std::ssize(out.group) == K, "gptq: group has ", out.group.size(),
             " elements, expected one for each of ", K, " columns");
  check_finite("weight", weight);
  check_finite("hessian", H);
}

void set_grid(const GptqCodes& out, std::int64_t n, std::int64_t g, const Grid& grid) {
  out.scale(n, g) = grid.scale;
  out.zero_point(n, g) = static_cast<std::uint8_t>(grid.zero_point);
}

Grid grid_at(const GptqCodes& out, std::int64_t n, std::int64_t g) {
  return {out.scale(n, g), static_cast<double>(out.zero_point(n, g))};
}

/// order[i] is the column that is rounded at step i; group[k] the group whose grid column k uses.
std::vector<std::int64_t> choose_order(MatrixView<const double> H, const GptqOptions& options,
                                       std::span<std::int32_t> group) {
  const std::int64_t K = H.rows();
  std::vector<std::int64_t> order(K);
  std::iota(order.begin(), order.end(), 0);
  // TODO [gptq_order] Put the most important columns first
  // With options.act_order, sort `order` by falling H(k, k); equal columns keep their order. Then
  // write group[k] for every column k: with options.static_groups it is the group in which k
  // stands, else the group in which the step that rounds k stands. A group has options.group_size
  // places.
  todo("gptq_order");
  return order;
}

/// m with row and column i taken from order[i]; or the columns alone.
Matrix<double> permuted(MatrixView<const double> m, const std::vector<std::int64_t>& order,
                        bool rows_too) {
  Matrix<double> out(m.rows(), m.cols());
  for (std::int64_t r = 0; r < m.rows(); ++r) {
    for (std::int64_t i = 0; i < m.cols(); ++i) out(r, i) = m(rows_too ? order[r] : r, order[i]);
  }
  return out;
}

Matrix<double> copy_of(MatrixView<const double> m) {
  std::vector<std::int64_t> same(m.cols());
  std::iota(same.begin(), same.end(), 0);
  return permuted(m, same, /*rows_too=*/false);
}

}  // namespace

void hessian(MatrixView<const double> X, MatrixView<double> H) {
  const std::int64_t T = X.rows(), K = X.cols();
  check_shape("gptq", "H", H, K, K);
  QLAB_CHECK(T > 0, "gptq: X has no token; a mean needs one at least");
  check_finite("X", X);
  // TODO [gptq_hessian] Sum the Hessian over the tokens
  // Write H(i, j) = (2 / T) · Σₜ X(t, i) · X(t, j) for all i and j.
  todo("gptq_hessian");
}

void damp(MatrixView<double> H, MatrixView<double> weight, double damping) {
  const std::int64_t N = weight.rows(), K = weight.cols();
  check_shape("gptq", "hessian", H, K, K);
  // TODO [gptq_damp] Make the Hessian invertible
  // For every k with H(k, k) = 0, set H(k, k) to 1 and column k of weight to 0. Then add damping
  // times the mean of the diagonal to all of the diagonal.
  todo("gptq_damp");
}

double quantize_gptq(MatrixView<const double> weight, MatrixView<const double> hessian,
                     const GptqOptions& options, const GptqCodes& out) {
  check_arguments(weight, hessian, options, out);
  const std::int64_t N = weight.rows(), K = weight.cols(), group_size = options.group_size;
  Matrix<double> start = copy_of(weight), H = copy_of(hessian);
  damp(H.view(), start.view(), options.damping);
  for (std::int64_t n = 0; n < N; ++n) {  // the grids of static groups; live ones come later
    for (std::int64_t g = 0; g < K / group_size; ++g) {
      set_grid(out, n, g, Grid(start.view().row(n, g * group_size, group_size)));
    }
  }

  // From here on in the order of the steps: column i of w is column order[i] of the weights.
  const std::vector<std::int64_t> order = choose_order(H.view(), options, out.group);
  for (std::int64_t k = 0; k < K; ++k) {
    QLAB_CHECK(out.group[k] >= 0 && out.group[k] < K / group_size, "gptq: group[", k, "] is ",
               out.group[k], ", but there are ", K / group_size, " groups; see gptq_order");
  }
  Matrix<double> w = permuted(start.view(), order, /*rows_too=*/false);
  ThreadPool alone(1);
  const std::optional<Matrix<double>> factor =
      inverse_cholesky(permuted(H.view(), order, /*rows_too=*/true).view(), alone);
  QLAB_CHECK(factor, "gptq: the hessian is not positive definite with damping ", options.damping,
             "; give more tokens or a larger damping");
  const Matrix<double>& U = *factor;  // upper triangular, inverse of H = Uᵀ U

  double squared_error = 0;
  for (std::int64_t i = 0; i < K; ++i) {
    const std::int64_t k = order[i];
    const bool make_grids = !options.static_groups && i % group_size == 0;
    // TODO [gptq_columns] Round a column and pass its error on
    // Step i, for every row n: if make_grids, set_grid(out, n, i / group_size, …) to the Grid of
    // w.view().row(n, i, group_size). Write out.code(n, k), the code of w(n, i) on the grid of
    // out.group[k] (grid_at). The error is (w(n, i) - what the code stands for) / U(i, i): add its
    // square to squared_error, and take error · U(i, j) off w(n, j) for every j > i.
    todo("gptq_columns");
  }
  return squared_error;
}

}  // namespace qlab::exercise
