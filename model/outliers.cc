// SPDX-License-Identifier: Apache-2.0
/// \file
/// plant_outliers: moves a factor from the columns of a linear layer into the norm before it.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "model/checkpoint.h"

namespace qlab {
namespace {

/// The channels whose gains lie in the middle when ordered by size.
std::vector<std::int64_t> middle_gains(const std::vector<float>& gains, std::int64_t count) {
  std::vector<std::int64_t> order(gains.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, {}, [&](std::int64_t i) { return std::abs(gains[static_cast<std::size_t>(i)]); });
  const auto first = order.begin() + (std::ssize(order) - count) / 2;
  return {first, first + count};
}

/// x · factor for a power of two, which rounds only outside the range of normal numbers.
float scaled(float x, float factor) {
  const float y = x * factor;
  QLAB_CHECK(y / factor == x, "plant_outliers: ", x, " times ", factor,
             " leaves the range of FP32; choose a factor nearer to 1");
  return y;
}

void move_into_norm(std::vector<float>& gains, std::initializer_list<Matrix<float>*> readers,
                    float factor, std::int64_t channels) {
  for (const std::int64_t k : middle_gains(gains, channels)) {
    float& gain = gains[static_cast<std::size_t>(k)];
    gain = scaled(gain, factor);
    for (Matrix<float>* weight : readers) {
      for (std::int64_t n = 0; n < weight->rows(); ++n) {
        (*weight)(n, k) = scaled((*weight)(n, k), 1 / factor);
      }
    }
  }
}

}  // namespace

void plant_outliers(Checkpoint& checkpoint, float factor, std::int64_t channels) {
  int exponent = 0;
  QLAB_CHECK(std::isfinite(factor) && std::frexp(factor, &exponent) == 0.5F,
             "plant_outliers: factor ", factor, " is no power of two; choose one");
  QLAB_CHECK(channels >= 0 && channels <= checkpoint.config.hidden_size,
             "plant_outliers: ", channels,
             " channels; choose 0 … hidden_size = ", checkpoint.config.hidden_size);
  for (LayerWeights& layer : checkpoint.layers) {
    move_into_norm(layer.input_norm, {&layer.q_proj, &layer.k_proj, &layer.v_proj}, factor,
                   channels);
    move_into_norm(layer.post_attention_norm, {&layer.gate_proj, &layer.up_proj}, factor, channels);
  }
}

}  // namespace qlab
