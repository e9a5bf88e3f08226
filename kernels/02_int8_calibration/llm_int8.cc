// SPDX-License-Identifier: Apache-2.0
/// \file
/// llm_int8: finds the outlier columns, splits X and W along K, multiplies each part with the
/// kernel of its format, adds.
#include "02_int8_calibration/llm_int8.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "01_fp16_baseline/fp16_gemm.h"
#include "02_int8_calibration/quantize_rows.h"
#include "common/matrix.h"

namespace qlab {
namespace {

constexpr float kHalfOverflow =
    65520;  // half-way from FP16's largest, 65504, to what would be next
constexpr std::int64_t kColumnBlock = 1024;  // maxima of 4 KiB, which stay in the first-level cache
constexpr std::int64_t kRowBlock = 64;       // rows of W that a thread gathers from at a time

/// magnitude[k] = the largest |X[m, k]| for the columns of one block, rows outside: a row's part is
/// contiguous, and no value is asked about by itself. Bits of floats without their sign rise with
/// the magnitude and end with infinity and NaN, so a NaN wins here, where std::max would drop it.
void raise_magnitudes(MatrixView<const float> X, std::int64_t first, std::int64_t count,
                      std::uint32_t* magnitude) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    const float* const x = X.row(m) + first;
    for (std::int64_t k = 0; k < count; ++k) {
      magnitude[k] = std::max(magnitude[k], std::bit_cast<std::uint32_t>(x[k]) & 0x7FFF'FFFF);
    }
  }
}

/// The first of X, row by row, for which `refused` holds; there is one.
template <class Refused>
[[noreturn]] void fail_at_first(MatrixView<const float> X, Refused refused, const char* advice) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    for (std::int64_t k = 0; k < X.cols(); ++k) {
      if (refused(X(m, k))) {
        fail_contract("llm_int8: X[", m, ", ", k, "] is ", X(m, k), "; ", advice);
      }
    }
  }
  fail_contract("llm_int8: X changed during the call");
}

std::vector<float> column_magnitudes(MatrixView<const float> X, ThreadPool& threads) {
  std::vector<float> largest(static_cast<std::size_t>(X.cols()));
  threads.run((X.cols() + kColumnBlock - 1) / kColumnBlock, [&](std::int64_t block) {
    const std::int64_t first = block * kColumnBlock;
    const std::int64_t count = std::min(kColumnBlock, X.cols() - first);
    std::uint32_t magnitude[kColumnBlock] = {};
    raise_magnitudes(X, first, count, magnitude);
    for (std::int64_t k = 0; k < count; ++k) {
      largest[static_cast<std::size_t>(first + k)] = std::bit_cast<float>(magnitude[k]);
    }
  });
  if (!std::ranges::all_of(largest, [](float x) { return std::isfinite(x); })) {
    fail_at_first(
        X, [](float x) { return !std::isfinite(x); }, "a product needs finite values");
  }
  return largest;
}

std::vector<std::int64_t> columns_from(const std::vector<float>& magnitude, float threshold) {
  QLAB_CHECK(
      threshold > 0, "llm_int8: threshold is ", threshold,
      "; give one above 0. bitsandbytes writes 0 for \"no outliers\": that is infinity here");
  std::vector<std::int64_t> columns;
  for (std::size_t k = 0; k < magnitude.size(); ++k) {
    if (magnitude[k] >= threshold) columns.push_back(static_cast<std::int64_t>(k));
  }
  return columns;
}

void check_operands(MatrixView<const float> X, const LlmInt8Weights& W, MatrixView<float> Y) {
  const std::int64_t N = W.int8.codes.rows(), K = X.cols();
  check_shape("llm_int8", "W.int8", W.int8.codes, N, K);
  QLAB_CHECK(W.int8.zero_point == nullptr,
             "llm_int8: W.int8 has zero points; quantize weights without (quantize_rows)");
  check_shape("llm_int8", "Y", Y, X.rows(), N);
  const bool absent = W.fp16.rows() == 0 && W.fp16.cols() == 0;
  if (!absent) check_shape("llm_int8", "W.fp16", W.fp16, N, K);
}

/// X with its outlier columns set to 0, which INT8 holds exactly: codes of W stay where they are.
Matrix<float> without(MatrixView<const float> X, const std::vector<std::int64_t>& columns,
                      ThreadPool& threads) {
  Matrix<float> rest(X.rows(), X.cols());
  threads.run(X.rows(), [&](std::int64_t m) {
    float* const row = rest.view().row(m);
    std::copy_n(X.row(m), X.cols(), row);
    for (const std::int64_t k : columns) row[k] = 0;
  });
  return rest;
}

Matrix<half_t> gather_activations(MatrixView<const float> X,
                                  const std::vector<std::int64_t>& columns, ThreadPool& threads) {
  Matrix<half_t> gathered(X.rows(), std::ssize(columns));
  threads.run(X.rows(), [&](std::int64_t m) {
    half_t* out = gathered.view().row(m);
    for (const std::int64_t k : columns) *out++ = from_float<half_t>(X(m, k));
  });
  return gathered;
}

/// Every element is in another cache line, so the threads wait for memory side by side.
Matrix<half_t> gather_weights(const LlmInt8Weights& W, const std::vector<std::int64_t>& columns,
                              ThreadPool& threads) {
  const std::int64_t N = W.int8.codes.rows();
  const bool dequantize = W.fp16.rows() == 0;
  Matrix<half_t> gathered(N, std::ssize(columns));
  threads.run((N + kRowBlock - 1) / kRowBlock, [&](std::int64_t block) {
    for (std::int64_t n = block * kRowBlock; n < std::min(N, (block + 1) * kRowBlock); ++n) {
      half_t* out = gathered.view().row(n);
      for (const std::int64_t k : columns) {
        if (!dequantize) {
          *out++ = W.fp16(n, k);
          continue;
        }
        const float weight = W.int8.scale[n] * W.int8.codes(n, k);
        QLAB_CHECK(std::abs(weight) < kHalfOverflow, "llm_int8: W[", n, ", ", k, "] is ", weight,
                   " when dequantized, which FP16 cannot hold; rescale the weights");
        *out++ = from_float<half_t>(weight);
      }
    }
  });
  return gathered;
}

void int8_part(MatrixView<const float> X, const Int8Rows& W, MatrixView<float> Y,
               const Machine& machine) {
  Matrix<std::int8_t> codes(X.rows(), X.cols());
  std::vector<float> scale(static_cast<std::size_t>(X.rows()));
  quantize_rows(X, Granularity::kPerRow, codes.view(), scale.data(), machine);
  w8a8_gemm({codes.view(), scale.data()}, W, Y, machine);
}

void fp16_part(MatrixView<const float> X, const LlmInt8Weights& W,
               const std::vector<std::int64_t>& columns, MatrixView<float> Y,
               const Machine& machine) {
  const Matrix<half_t> x = gather_activations(X, columns, machine.threads);  // [M, |O|]
  const Matrix<half_t> w = gather_weights(W, columns, machine.threads);      // [N, |O|]
  fp16_gemm(x.view(), w.view(), Y, machine);
}

}  // namespace

std::vector<std::int64_t> outlier_columns(MatrixView<const float> X, float threshold) {
  ThreadPool alone(1);
  return columns_from(column_magnitudes(X, alone), threshold);
}

void llm_int8_gemm(MatrixView<const float> X, const LlmInt8Weights& W, float threshold,
                   MatrixView<float> Y, const Machine& machine) {
  check_operands(X, W, Y);
  const std::vector<float> magnitude = column_magnitudes(X, machine.threads);
  const std::vector<std::int64_t> columns = columns_from(magnitude, threshold);
  // A part without columns is left out: the result is then the other kernel's, bit for bit.
  if (columns.empty()) return int8_part(X, W.int8, Y, machine);

  const bool overflows = std::ranges::any_of(columns, [&](std::int64_t k) {
    return magnitude[static_cast<std::size_t>(k)] >= kHalfOverflow;
  });
  if (overflows) {
    fail_at_first(
        X, [=](float x) { return std::abs(x) >= std::max(kHalfOverflow, threshold); },
        "FP16 cannot hold this outlier; rescale the activations or raise the threshold");
  }
  if (std::ssize(columns) == X.cols()) return fp16_part(X, W, columns, Y, machine);

  int8_part(without(X, columns, machine.threads).view(), W.int8, Y, machine);
  Matrix<float> outliers(Y.rows(), Y.cols());
  fp16_part(X, W, columns, outliers.view(), machine);
  machine.threads.run(Y.rows(), [&](std::int64_t m) {
    for (std::int64_t n = 0; n < Y.cols(); ++n) Y(m, n) += outliers(m, n);
  });
}

}  // namespace qlab
