// SPDX-License-Identifier: Apache-2.0
/// \file
/// Hessian: sums x xᵀ over tokens, in double, in tiles that stay in registers.
#include <algorithm>
#include <cmath>
#include <vector>

#include "03_int4_weight_only/gptq.h"
#include "common/contract.h"

namespace qlab {
namespace {

constexpr std::int64_t kTile = 4;     // channels: 4·4 sums fill half the registers of plain x86
constexpr std::int64_t kChunk = 128;  // tokens widened at a time; a tile of them is 4 KiB

/// A chunk of tokens in double, tile by tile: panel[(tile · kChunk + t) · kTile + c]. What lies
/// past the last channel stays 0.
class Panel {
 public:
  explicit Panel(std::int64_t K)
      : tiles_(K / kTile + (K % kTile != 0 ? 1 : 0)), values_(tiles_ * kChunk * kTile) {}

  std::int64_t tiles() const { return tiles_; }
  double* tile(std::int64_t i) { return values_.data() + i * kChunk * kTile; }

 private:
  std::int64_t tiles_;
  std::vector<double> values_;
};

/// sum[kTile][kTile] += Σₜ a[t] ⊗ b[t], token after token. A product of two floats is exact in
/// double, so nothing depends on how the tokens were cut into batches and chunks.
void add_outer_products(const double* a, const double* b, std::int64_t tokens,
                        double (&sum)[kTile][kTile]) {
  for (std::int64_t t = 0; t < tokens; ++t, a += kTile, b += kTile) {
    for (std::int64_t i = 0; i < kTile; ++i) {
      for (std::int64_t j = 0; j < kTile; ++j) sum[i][j] += a[i] * b[j];
    }
  }
}

}  // namespace

void Hessian::add(MatrixView<const float> X, const Machine& machine) {
  const std::int64_t K = sum_.rows();
  QLAB_CHECK(X.cols() == K, "Hessian: X has ", X.cols(), " columns, the layer reads ", K,
             " channels");
  for (std::int64_t t = 0; t < X.rows(); ++t) {
    for (std::int64_t k = 0; k < K; ++k) {
      QLAB_CHECK(std::isfinite(X(t, k)), "Hessian: X[", t, ", ", k, "] is ", X(t, k),
                 "; a sum needs finite values");
    }
  }

  Panel panel(K);
  for (std::int64_t t0 = 0; t0 < X.rows(); t0 += kChunk) {
    const std::int64_t tokens = std::min(kChunk, X.rows() - t0);
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t k = 0; k < K; ++k) {
        panel.tile(k / kTile)[t * kTile + k % kTile] = X(t0 + t, k);
      }
    }
    // A task owns kTile rows; only the upper triangle is summed, value() mirrors it.
    machine.threads.run(panel.tiles(), [&](std::int64_t i) {
      for (std::int64_t j = i; j < panel.tiles(); ++j) {
        const std::int64_t rows = std::min(kTile, K - i * kTile);
        const std::int64_t cols = std::min(kTile, K - j * kTile);
        double sum[kTile][kTile] = {};
        for (std::int64_t r = 0; r < rows; ++r) {
          std::copy_n(&sum_(i * kTile + r, j * kTile), cols, sum[r]);
        }
        add_outer_products(panel.tile(i), panel.tile(j), tokens, sum);
        for (std::int64_t r = 0; r < rows; ++r) {
          std::copy_n(sum[r], cols, &sum_(i * kTile + r, j * kTile));
        }
      }
    });
  }
  tokens_ += X.rows();
}

Matrix<double> Hessian::value() const {
  QLAB_CHECK(tokens_ > 0, "Hessian: no token was added; give it inputs of the layer first");
  const std::int64_t K = sum_.rows();
  const double factor = 2 / static_cast<double>(tokens_);
  Matrix<double> H(K, K);
  for (std::int64_t i = 0; i < K; ++i) {
    for (std::int64_t j = i; j < K; ++j) H(i, j) = H(j, i) = factor * sum_(i, j);
  }
  return H;
}

}  // namespace qlab
