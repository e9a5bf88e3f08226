// SPDX-License-Identifier: Apache-2.0
/// \file
/// DoubleLlama: the forward pass once more, in double, from Transformers' definitions and with no
/// code of model/; and how far roundings may carry the logits away from it.
///
/// Bounds come from Monte Carlo arithmetic (Parker, "Monte Carlo Arithmetic: Exploiting Randomness
/// in Floating-Point Arithmetic", 1997): each value is moved by the whole tolerance that the contract
/// of its operation states, up or down by chance, and the distance of the logits is measured. Real
/// roundings stay inside the same tolerances, most of them far inside, so a right forward pass is
/// nearer. Multiplying worst cases through the layers instead would give a bound that no model fails.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <span>
#include <vector>

#include "common/matrix.h"
#include "common/random.h"
#include "model/checkpoint.h"

namespace qlab::test {

/// Rounding of one value x in a row whose largest magnitude is max.
struct Rounding {
  double relative = 0;  // · |x|
  double of_max = 0;    // · max
  double absolute = 0;
};
inline constexpr double kU = 0x1p-24;  // of FP32
inline constexpr Rounding kToFp16{.relative = 0x1p-11, .absolute = 0x1p-25};
inline constexpr Rounding kToBf16{.relative = 0x1p-8};
inline constexpr Rounding kToInt8{.relative = 4 * kU, .of_max = 0.5 / 127};
// The scale is rounded to FP16, so the largest code may be clipped by that much.
inline constexpr Rounding kToInt8Fp16Scale{.of_max = 0.5 / 127 * (1 + 0x1p-11) + 0x1p-11};
inline constexpr Rounding kToFp8E4m3{.relative = 0x1p-4, .absolute = 0x1p-10};

/// What a recipe rounds on purpose; FP32 arithmetic always rounds.
struct Roundings {
  Rounding activation;  // input of the layers in the blocks
  Rounding head;        // input of lm_head
  Rounding cache;       // K and V
};

class DoubleLlama {
 public:
  explicit DoubleLlama(const Checkpoint& checkpoint) : w_(checkpoint), c_(checkpoint.config) {}

  /// Logits [tokens, vocab] without any rounding.
  Matrix<double> logits(std::span<const std::int32_t> tokens) {
    random_.reset();
    return forward(tokens, {});
  }

  /// The largest distance from `exact` of any logit over a few passes with chance roundings.
  double bound(std::span<const std::int32_t> tokens, const Matrix<double>& exact,
               const Roundings& roundings) {
    constexpr int kDraws = 4;
    double largest = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      random_.emplace(static_cast<std::uint64_t>(draw));
      const Matrix<double> moved = forward(tokens, roundings);
      for (std::int64_t i = 0; i < exact.rows() * exact.cols(); ++i) {
        largest = std::max(largest, std::abs(moved.data()[i] - exact.data()[i]));
      }
    }
    return largest;
  }

 private:
  double moved(double x, double tolerance) {
    if (!random_) return x;
    return random_->bits() >> 63 ? x + tolerance : x - tolerance;
  }

  void round(std::span<double> row, const Rounding& rounding) {
    double max = 0;
    for (const double x : row) max = std::max(max, std::abs(x));
    for (double& x : row) {
      x = moved(x, rounding.relative * std::abs(x) + rounding.of_max * max + rounding.absolute);
    }
  }

  /// x · Wᵀ. FP32: 2·√K·u·S for the sums in any order, u·S for the products, S = Σ|x||w|.
  Matrix<double> product(const Matrix<double>& x, const Matrix<float>& W,
                         const Rounding& rounding) {
    Matrix<double> y(x.rows(), W.rows());
    std::vector<double> row(static_cast<std::size_t>(x.cols()));
    const double relative = (2 * std::sqrt(static_cast<double>(x.cols())) + 1) * kU;
    for (std::int64_t m = 0; m < x.rows(); ++m) {
      std::copy_n(x.view().row(m), x.cols(), row.begin());
      round(row, rounding);
      for (std::int64_t n = 0; n < W.rows(); ++n) {
        const float* w = W.view().row(n);
        double sum = 0;
        double abs_sum = 0;
        for (std::size_t k = 0; k < row.size(); ++k) {
          const double term = row[k] * w[k];
          sum += term;
          abs_sum += std::abs(term);
        }
        y(m, n) = moved(sum, relative * abs_sum);
      }
    }
    return y;
  }

  /// FP32: a sum of K squares and a square root move all of a row together, two products each value.
  Matrix<double> norm(const Matrix<double>& x, const std::vector<float>& gain) {
    Matrix<double> y(x.rows(), x.cols());
    for (std::int64_t m = 0; m < x.rows(); ++m) {
      double squares = 0;
      for (std::int64_t i = 0; i < x.cols(); ++i) squares += x(m, i) * x(m, i);
      const auto K = static_cast<double>(x.cols());
      const double inverse = 1 / std::sqrt(squares / K + c_.rms_norm_eps);
      const double r = moved(inverse, (std::sqrt(K) + 4) * kU * inverse);
      for (std::int64_t i = 0; i < x.cols(); ++i) {
        const double value = x(m, i) * r * gain[static_cast<std::size_t>(i)];
        y(m, i) = moved(value, 2 * kU * std::abs(value));
      }
    }
    return y;
  }

  double frequency(std::int64_t i) const {
    const double f =
        std::pow(c_.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(c_.head_dim));
    if (!c_.rope_scaling) return f;
    const RopeScaling& s = *c_.rope_scaling;
    const double wavelength = 2 * std::numbers::pi / f;
    if (wavelength < s.original_max_position_embeddings / s.high_freq_factor) return f;
    if (wavelength > s.original_max_position_embeddings / s.low_freq_factor) return f / s.factor;
    const double smooth = (s.original_max_position_embeddings / wavelength - s.low_freq_factor) /
                          (s.high_freq_factor - s.low_freq_factor);
    return (1 - smooth) * f / s.factor + smooth * f;
  }

  /// An angle in FP32 has the roundings of the power, its reciprocal, the stretch and the product with
  /// the position; then sine, cosine, two products and a sum.
  void rotate(Matrix<double>& x) {
    const std::int64_t half = c_.head_dim / 2;
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      for (std::int64_t i = 0; i < half; ++i) {
        const double exact = static_cast<double>(t) * frequency(i);
        const double angle = i == 0 ? exact : moved(exact, 6 * kU * exact);
        const double cos = std::cos(angle);
        const double sin = std::sin(angle);
        for (std::int64_t head = 0; head < x.cols() / c_.head_dim; ++head) {
          double& low = x(t, head * c_.head_dim + i);
          double& high = x(t, head * c_.head_dim + i + half);
          const double a = low * cos - high * sin;
          const double b = high * cos + low * sin;
          const double size = std::abs(low) + std::abs(high);
          low = moved(a, 4 * kU * size);
          high = moved(b, 4 * kU * size);
        }
      }
    }
  }

  void round_heads(Matrix<double>& x, const Rounding& rounding) {
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      for (std::int64_t first = 0; first < x.cols(); first += c_.head_dim) {
        round(x.view().row(t, first, c_.head_dim), rounding);
      }
    }
  }

  /// One query head at one position. FP32: the tolerance that attention_decode states.
  void attend(std::span<const double> q, const Matrix<double>& k, const Matrix<double>& v,
              std::int64_t position, std::int64_t first, std::span<double> out) {
    const double scale = 1 / std::sqrt(static_cast<double>(c_.head_dim));
    std::vector<double> p;
    double delta = 0;
    for (std::int64_t t = 0; t <= position; ++t) {
      double dot = 0;
      double size = 0;
      for (std::size_t i = 0; i < q.size(); ++i) {
        const double term = q[i] * k.view().row(t)[first + static_cast<std::int64_t>(i)];
        dot += term;
        size += std::abs(term);
      }
      p.push_back(dot * scale);
      delta = std::max(delta, 2 * std::sqrt(static_cast<double>(c_.head_dim)) * kU * scale * size);
    }
    const double largest = *std::ranges::max_element(p);
    double sum = 0;
    for (double& s : p) sum += s = std::exp(s - largest);
    const double relative = 2 * delta + (2 * std::sqrt(static_cast<double>(p.size())) + 4) * kU;
    for (std::size_t i = 0; i < q.size(); ++i) {
      double value = 0;
      double size = 0;
      for (std::int64_t t = 0; t <= position; ++t) {
        const double term =
            p[static_cast<std::size_t>(t)] / sum * v(t, first + static_cast<std::int64_t>(i));
        value += term;
        size += std::abs(term);
      }
      out[i] = moved(value, relative * size);
    }
  }

  Matrix<double> attention(const LayerWeights& layer, const Matrix<double>& x,
                           const Roundings& roundings) {
    Matrix<double> q = product(x, layer.q_proj, roundings.activation);
    Matrix<double> k = product(x, layer.k_proj, roundings.activation);
    Matrix<double> v = product(x, layer.v_proj, roundings.activation);
    rotate(q);
    rotate(k);
    round_heads(k, roundings.cache);
    round_heads(v, roundings.cache);
    Matrix<double> out(x.rows(), q.cols());
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      for (std::int64_t head = 0; head < c_.n_heads; ++head) {
        const std::int64_t kv_head = head * c_.n_kv_heads / c_.n_heads;
        attend(q.view().row(t, head * c_.head_dim, c_.head_dim), k, v, t, kv_head * c_.head_dim,
               out.view().row(t, head * c_.head_dim, c_.head_dim));
      }
    }
    return product(out, layer.o_proj, roundings.activation);
  }

  /// FP32: exponential, sum, quotient and product round; 6 u covers a vector library's exponential.
  Matrix<double> feed_forward(const LayerWeights& layer, const Matrix<double>& x,
                              const Roundings& roundings) {
    Matrix<double> gate = product(x, layer.gate_proj, roundings.activation);
    const Matrix<double> up = product(x, layer.up_proj, roundings.activation);
    for (std::int64_t i = 0; i < gate.rows() * gate.cols(); ++i) {
      double& g = gate.data()[i];
      g = g / (1 + std::exp(-g)) * up.data()[i];
      g = moved(g, 6 * kU * std::abs(g));
    }
    return product(gate, layer.down_proj, roundings.activation);
  }

  void add(Matrix<double>& x, const Matrix<double>& y) {
    for (std::int64_t i = 0; i < x.rows() * x.cols(); ++i) {
      const double sum = x.data()[i] + y.data()[i];
      x.data()[i] = moved(sum, kU * std::abs(sum));
    }
  }

  Matrix<double> forward(std::span<const std::int32_t> tokens, const Roundings& roundings) {
    Matrix<double> x(std::ssize(tokens), c_.hidden_size);
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      for (std::int64_t i = 0; i < x.cols(); ++i) {
        x(t, i) = w_.embed_tokens(tokens[static_cast<std::size_t>(t)], i);
      }
    }
    for (const LayerWeights& layer : w_.layers) {
      add(x, attention(layer, norm(x, layer.input_norm), roundings));
      add(x, feed_forward(layer, norm(x, layer.post_attention_norm), roundings));
    }
    return product(norm(x, w_.norm), w_.lm_head, roundings.head);
  }

  const Checkpoint& w_;
  const LlamaConfig& c_;
  std::optional<Random> random_;  // nothing: no roundings
};

/// The largest |a - b|; NaN if there is one.
template <class A>
double largest_difference(const Matrix<A>& a, const Matrix<double>& b) {
  double largest = 0;
  for (std::int64_t i = 0; i < b.rows() * b.cols(); ++i) {
    const double difference = std::abs(double{a.data()[i]} - b.data()[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

}  // namespace qlab::test
