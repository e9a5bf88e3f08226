// SPDX-License-Identifier: Apache-2.0
/// \file
/// gptq_reference: GPTQ without its trick. In every step the Hessian of the columns that are left
/// is inverted anew, as in optimal brain quantization, which algorithm 1 makes cheap; K⁴
/// operations.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "03_int4_weight_only/gptq.h"
#include "common/formats.h"
#include "common/matrix.h"

namespace qlab::test {

/// How the scale of a group is kept, and with it in what arithmetic codes are computed.
enum class Scales {
  kDouble,  ///< the exercise: everything in double
  kFp16,    ///< the lab: stored in FP16, weights divided in FP32
};

struct ReferenceGrid {
  double scale, zero_point;

  ReferenceGrid() = default;
  ReferenceGrid(const std::vector<double>& group, Scales scales) {
    double low = 0, high = 0;
    for (const double w : group) {
      low = std::fmin(low, scales == Scales::kFp16 ? static_cast<float>(w) : w);
      high = std::fmax(high, scales == Scales::kFp16 ? static_cast<float>(w) : w);
    }
    scale = low == high ? 1 : (high - low) / 15;
    if (scales == Scales::kFp16 && low != high) {  // every step in FP32
      const float range = static_cast<float>(high) - static_cast<float>(low);
      scale = to_float(from_float<half_t>(range / 15));
    }
    zero_point = std::clamp(steps(-low, scales), 0.0, 15.0);
  }
  double steps(double w, Scales scales) const {
    return std::nearbyint(
        scales == Scales::kFp16 ? static_cast<float>(w) / static_cast<float>(scale) : w / scale);
  }
  double code(double w, Scales scales) const {
    return std::clamp(steps(w, scales) + zero_point, 0.0, 15.0);
  }
  double real(double code) const { return scale * (code - zero_point); }
};

/// Gauss and Jordan; no pivoting, since H is positive definite.
inline Matrix<double> inverse(Matrix<double> H) {
  const std::int64_t K = H.rows();
  Matrix<double> inverse(K, K);
  for (std::int64_t i = 0; i < K; ++i) inverse(i, i) = 1;
  for (std::int64_t i = 0; i < K; ++i) {
    const double pivot = H(i, i);
    for (Matrix<double>* const m : {&H, &inverse}) {
      for (std::int64_t j = 0; j < K; ++j) (*m)(i, j) /= pivot;
    }
    for (std::int64_t r = 0; r < K; ++r) {
      const double factor = H(r, i);
      if (r == i || factor == 0) continue;
      for (Matrix<double>* const m : {&H, &inverse}) {
        for (std::int64_t j = 0; j < K; ++j) (*m)(r, j) -= factor * (*m)(i, j);
      }
    }
  }
  return inverse;
}

/// H with 1 for every 0 of the diagonal, and the damping.
inline Matrix<double> damped(MatrixView<const double> hessian, double damping) {
  const std::int64_t K = hessian.rows();
  Matrix<double> H(K, K);
  double mean = 0;
  for (std::int64_t i = 0; i < K; ++i) {
    for (std::int64_t j = 0; j < K; ++j) H(i, j) = hessian(i, j);
    if (H(i, i) == 0) H(i, i) = 1;
    mean += H(i, i) / static_cast<double>(K);
  }
  for (std::int64_t i = 0; i < K; ++i) H(i, i) += damping * mean;
  return H;
}

struct GptqReference {
  Matrix<double> code;               // [N, K] columns in their own order
  Matrix<double> real;               // [N, K] what the codes stand for
  Matrix<double> scale, zero_point;  // [N, groups]
  std::vector<std::int64_t> group;   // [K]
  double squared_error = 0;
};

inline GptqReference gptq_reference(Matrix<double> W, MatrixView<const double> hessian,
                                    const GptqOptions& options, Scales scales) {
  const std::int64_t N = W.rows(), K = W.cols();
  const std::int64_t groups = int4_groups(K, options.group_size);
  const Matrix<double> H = damped(hessian, options.damping);
  std::vector<std::int64_t> left(K);
  for (std::int64_t k = 0; k < K; ++k) {
    left[k] = k;
    for (std::int64_t n = 0; n < N && hessian(k, k) == 0; ++n) W(n, k) = 0;
  }
  GptqReference out{Matrix<double>(N, K), Matrix<double>(N, K), Matrix<double>(N, groups),
                    Matrix<double>(N, groups), std::vector<std::int64_t>(K)};
  const auto set_grids = [&](std::int64_t g, const std::vector<std::int64_t>& columns) {
    for (std::int64_t n = 0; n < N; ++n) {
      std::vector<double> group;
      for (const std::int64_t k : columns) group.push_back(W(n, k));
      const ReferenceGrid grid(group, scales);
      out.scale(n, g) = grid.scale;
      out.zero_point(n, g) = grid.zero_point;
    }
  };
  // The next `group_size` columns of a list, in the order in which they are rounded.
  const auto next = [&](const std::vector<std::int64_t>& columns, std::int64_t first) {
    const auto end = std::min(std::ssize(columns), first + options.group_size);
    return std::vector(columns.begin() + first, columns.begin() + end);
  };
  for (std::int64_t g = 0; g < groups; ++g) set_grids(g, next(left, g * options.group_size));
  if (options.act_order) {  // the largest to the front, one after the other
    for (auto to = left.begin(); to != left.end(); ++to) {
      const auto most = std::max_element(
          to, left.end(), [&](std::int64_t a, std::int64_t b) { return H(a, a) < H(b, b); });
      std::rotate(to, most, most + 1);
    }
  }

  for (std::int64_t i = 0; i < K; ++i, left.erase(left.begin())) {
    if (!options.static_groups && i % options.group_size == 0) {
      set_grids(i / options.group_size, next(left, 0));
    }
    const std::int64_t k = left[0], remaining = K - i;
    Matrix<double> sub(remaining, remaining);
    for (std::int64_t a = 0; a < remaining; ++a) {
      for (std::int64_t b = 0; b < remaining; ++b) sub(a, b) = H(left[a], left[b]);
    }
    sub = inverse(std::move(sub));
    out.group[k] = (options.static_groups ? k : i) / options.group_size;
    for (std::int64_t n = 0; n < N; ++n) {
      ReferenceGrid grid;
      grid.scale = out.scale(n, out.group[k]);
      grid.zero_point = out.zero_point(n, out.group[k]);
      out.code(n, k) = grid.code(W(n, k), scales);
      out.real(n, k) = grid.real(out.code(n, k));
      const double delta = W(n, k) - out.real(n, k);
      out.squared_error += delta * delta / sub(0, 0);
      for (std::int64_t a = 0; a < remaining; ++a) {
        W(n, left[a]) -= delta / sub(0, 0) * sub(0, a);
      }
    }
  }
  return out;
}

}  // namespace qlab::test
