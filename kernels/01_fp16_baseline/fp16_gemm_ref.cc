// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of fp16_gemm and bf16_gemm, in double. It takes only to_float from the lab, which is
/// tested on every code.
#include <cmath>

#include "01_fp16_baseline/fp16_gemm.h"

namespace qlab {
namespace {

template <class Format>
void gemm_ref(MatrixView<const Format> X, MatrixView<const Format> W, MatrixView<double> value,
              MatrixView<double> abs_sum) {
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    for (std::int64_t n = 0; n < W.rows(); ++n) {
      value(m, n) = 0;
      abs_sum(m, n) = 0;
      for (std::int64_t k = 0; k < X.cols(); ++k) {
        const double product = double{to_float(X(m, k))} * double{to_float(W(n, k))};
        value(m, n) += product;
        abs_sum(m, n) += std::abs(product);
      }
    }
  }
}

}  // namespace

void fp16_gemm_ref(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<double> value,
                   MatrixView<double> abs_sum) {
  gemm_ref(X, W, value, abs_sum);
}

void bf16_gemm_ref(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W, MatrixView<double> value,
                   MatrixView<double> abs_sum) {
  gemm_ref(X, W, value, abs_sum);
}

}  // namespace qlab
