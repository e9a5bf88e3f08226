// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of attention_decode: all scores first, then the softmax, in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "04_kv_cache/attention_decode.h"

namespace qlab {
namespace {

/// The code of channel d of token t, as the number that it writes.
double code_of(const KvView& kv, const KvTensor& tensor, std::int64_t head, std::int64_t t,
               std::int64_t d) {
  const std::uint8_t* const row = kv.row(tensor, head, t);
  switch (tensor.format) {
    case KvFormat::kFp32:
      return reinterpret_cast<const float*>(row)[d];
    case KvFormat::kFp16:
      return to_float(reinterpret_cast<const half_t*>(row)[d]);
    case KvFormat::kFp8E4m3:
      return to_float(fp8_e4m3_t{row[d]});
    case KvFormat::kFp8E5m2:
      return to_float(fp8_e5m2_t{row[d]});
    case KvFormat::kInt8:
      return static_cast<std::int8_t>(row[d]);
    case KvFormat::kInt4Head:
      return (d % 2 == 0 ? row[d / 2] & 15 : row[d / 2] >> 4) - 8;
    case KvFormat::kInt4:
    case KvFormat::kKivi4:
      return d % 2 == 0 ? row[d / 2] & 15 : row[d / 2] >> 4;
    case KvFormat::kInt2:
    case KvFormat::kKivi2:
      return row[d / 4] >> (2 * (d % 4)) & 3;
  }
  return NAN;
}

/// The value that stands for channel d of token t.
double cached(const KvView& kv, const KvTensor& tensor, std::int64_t window_start,
              std::int64_t head, std::int64_t t, std::int64_t d) {
  if (t >= window_start) return to_float(kv.window_row(tensor, head, t)[d]);
  const double code = code_of(kv, tensor, head, t, d);
  const std::int64_t scale = tensor.scales == KvScales::kNone || tensor.scales == KvScales::kHead
                                 ? 0
                                 : kv.scale_index(tensor, head, t);
  switch (tensor.scales) {
    case KvScales::kNone:
      return code;
    case KvScales::kHead:
      return code * tensor.head_scale[head];
    case KvScales::kToken:
      return code * to_float(tensor.scale[scale]);
    case KvScales::kChannelGroups:  // exact in double, so that the cast is the only rounding
      return static_cast<float>(code * to_float(tensor.scale[scale + d / kKvGroup]) +
                                to_float(tensor.minimum[scale + d / kKvGroup]));
    case KvScales::kTokenGroups:
      return static_cast<float>(code * to_float(tensor.scale[scale + d]) +
                                to_float(tensor.minimum[scale + d]));
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
  const std::int64_t window = k_window_start(kv.k.format, tokens);
  for (std::int64_t t = 0; t < tokens; ++t) {
    double dot = 0;
    double abs_dot = 0;
    for (std::int64_t d = 0; d < kv.head_dim; ++d) {
      const double product = q[d] * cached(kv, kv.k, window, kv_head, t, d);
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
    for (std::int64_t head = 0; head < value.cols() / kv.head_dim; ++head) {
      const std::int64_t kv_head = head / (n_heads / kv.n_kv_heads);
      const std::int64_t first = head * kv.head_dim;
      const std::int64_t window = v_window_start(kv.v.format, tokens);
      const Weights w = softmax_of_scores(Q.row(m) + first, kv, kv_head, tokens);
      for (std::int64_t d = 0; d < kv.head_dim; ++d) {
        double sum = 0;
        double abs_sum = 0;
        double abs_v = 0;
        for (std::int64_t t = 0; t < tokens; ++t) {
          const double p = w.p[static_cast<std::size_t>(t)];
          const double v = cached(kv, kv.v, window, kv_head, t, d);
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
