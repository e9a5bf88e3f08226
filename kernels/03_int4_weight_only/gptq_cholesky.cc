// SPDX-License-Identifier: Apache-2.0
/// \file
/// inverse_cholesky: H = V Vᵀ with V upper triangular; then U = V⁻¹, since H⁻¹ = (V⁻¹)ᵀ V⁻¹.
#include "03_int4_weight_only/gptq_cholesky.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace qlab {
namespace {

constexpr std::int64_t kLanes = 8;  // independent sums or rows: one alone waits for each addition

double dot(const double* a, const double* b, std::int64_t count) {
  double sum[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < count; ++i) sum[i % kLanes] += a[i] * b[i];
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/// V[i, j] for the last column first: H[i, j] = Σ V[i, k] V[j, k] over k ≥ j holds one unknown.
bool upper_cholesky(MatrixView<const double> H, MatrixView<double> V, ThreadPool& threads) {
  const std::int64_t K = H.rows();
  constexpr std::int64_t kRows = 64;  // of one task
  for (std::int64_t j = K - 1; j >= 0; --j) {
    const std::int64_t behind = K - 1 - j;
    const double pivot = H(j, j) - dot(V.row(j) + j + 1, V.row(j) + j + 1, behind);
    if (!(pivot > static_cast<double>(K) * 0x1p-52 * H(j, j))) return false;
    V(j, j) = std::sqrt(pivot);
    threads.run(j / kRows + 1, [&](std::int64_t task) {
      const std::int64_t end = std::min(j, (task + 1) * kRows);
      for (std::int64_t i = task * kRows; i < end; ++i) {
        V(i, j) = (H(i, j) - dot(V.row(i) + j + 1, V.row(j) + j + 1, behind)) / V(j, j);
      }
    });
  }
  return true;
}

/// Rows i0 … i0 + kLanes of U from U V = I, each on its own: once U[i, k] is known, its share of
/// every column behind k is taken off.
void invert_rows(MatrixView<const double> V, std::int64_t i0, MatrixView<double> U) {
  const std::int64_t K = V.rows(), rows = std::min(kLanes, K - i0);
  std::vector<double> u(K * kLanes);  // [K, kLanes]
  for (std::int64_t r = 0; r < rows; ++r) u[(i0 + r) * kLanes + r] = 1;
  for (std::int64_t k = i0; k < K; ++k) {
    double* const solved = u.data() + k * kLanes;
    for (std::int64_t r = 0; r < kLanes; ++r) solved[r] /= V(k, k);
    for (std::int64_t r = 0; r < rows; ++r) U(i0 + r, k) = solved[r];
    double share[kLanes];  // a copy: the compiler cannot know that `left` is elsewhere
    std::copy_n(solved, kLanes, share);
    for (std::int64_t j = k + 1; j < K; ++j) {
      double* const left = u.data() + j * kLanes;
      const double v = V(k, j);
      for (std::int64_t r = 0; r < kLanes; ++r) left[r] -= share[r] * v;
    }
  }
}

}  // namespace

std::optional<Matrix<double>> inverse_cholesky(MatrixView<const double> H, ThreadPool& threads) {
  const std::int64_t K = H.rows();
  check_shape("inverse_cholesky", "H", H, K, K);
  Matrix<double> V(K, K), U(K, K);
  if (!upper_cholesky(H, V.view(), threads)) return std::nullopt;
  threads.run(K / kLanes + (K % kLanes != 0 ? 1 : 0),
              [&](std::int64_t task) { invert_rows(V.view(), task * kLanes, U.view()); });
  return U;
}

}  // namespace qlab
