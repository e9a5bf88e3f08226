// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of attention_decode: all scores first, then the softmax, in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "04_kv_cache/attention_decode.h"

namespace qlab {
namespace {

/// The value that stands for channel d of token t.
double cached(const KvView& kv, const KvTensor& tensor, std::int64_t head, std::int64_t t,
              std::int64_t d) {
  const std::int64_t row = head * kv.capacity + t;
  const std::int64_t i = row * kv.head_dim + d;
  switch (kv.format) {
    case KvFormat::kFp32:
      return static_cast<const float*>(tensor.codes)[i];
    case KvFormat::kFp16:
      return to_float(static_cast<const half_t*>(tensor.codes)[i]);
    case KvFormat::kInt8:
      return static_cast<double>(static_cast<const std::int8_t*>(tensor.codes)[i]) *
             to_float(tensor.scale[row]);
    case KvFormat::kFp8E4m3:
      return to_float(static_cast<const fp8_e4m3_t*>(tensor.codes)[i]);
  }
  return NAN;
}

struct Weights {
  std::vector<double> p;   // softmax of the scores of the visible tokens
  double score_tolerance;  // of the score least surely known
};

Weights softmax_of_scores(const float* q, const KvView& kv, std::int64_t kv_head,
                          std::int64_t tokens) {
  const double root = std::sqrt(static_cast<double>(kv.head_dim));
  Weights w{.p = {}, .score_tolerance = 0};
  for (std::int64_t t = 0; t < tokens; ++t) {
    double dot = 0;
    double abs_dot = 0;
    for (std::int64_t d = 0; d < kv.head_dim; ++d) {
      const double product = q[d] * cached(kv, kv.k, kv_head, t, d);
      dot += product;
      abs_dot += std::fabs(product);
    }
    w.p.push_back(dot / root);
    w.score_tolerance = std::max(w.score_tolerance, 2 * root * 0x1p-24 * abs_dot / root);
  }
  const double largest = *std::ranges::max_element(w.p);
  double sum = 0;
  for (double& p : w.p) sum += p = std::exp(p - largest);
  for (double& p : w.p) p /= sum;
  return w;
}

}  // namespace

void attention_decode_ref(MatrixView<const float> Q, const KvView& kv, MatrixView<double> value,
                          MatrixView<double> tolerance) {
  const std::int64_t n_heads = Q.cols() / kv.head_dim;
  for (std::int64_t m = 0; m < Q.rows(); ++m) {
    const std::int64_t tokens = kv.length - Q.rows() + 1 + m;
    for (std::int64_t head = 0; head < n_heads; ++head) {
      const std::int64_t kv_head = head / (n_heads / kv.n_kv_heads);
      const std::int64_t first = head * kv.head_dim;
      const Weights w = softmax_of_scores(Q.row(m) + first, kv, kv_head, tokens);
      for (std::int64_t d = 0; d < kv.head_dim; ++d) {
        double sum = 0;
        double abs_sum = 0;
        double abs_v = 0;
        for (std::int64_t t = 0; t < tokens; ++t) {
          const double p = w.p[static_cast<std::size_t>(t)];
          const double v = cached(kv, kv.v, kv_head, t, d);
          sum += p * v;
          abs_sum += p * std::fabs(v);
          abs_v += std::fabs(v);
        }
        value(m, first + d) = sum;
        tolerance(m, first + d) =
            (2 * w.score_tolerance + (2 * std::sqrt(static_cast<double>(tokens)) + 4) * 0x1p-24) *
                abs_sum +
            0x1p-126 * abs_v;
      }
    }
  }
}

}  // namespace qlab
