// SPDX-License-Identifier: Apache-2.0
/// \file
/// rope: frequencies once a model, angles once a call, rotations once a layer.
#include "model/rope.h"

#include <cmath>
#include <numbers>

#include "model/elementwise.h"

namespace qlab {
namespace {

/// Llama 3: rotations that turn less than low_freq_factor times in the original context are slowed
/// by `factor`, those that turn more than high_freq_factor times are kept, the rest is interpolated.
/// As _compute_llama3_parameters of Transformers.
float stretched(float inv_freq, const RopeScaling& s) {
  const double wavelength = 2 * std::numbers::pi / inv_freq;
  const double turns = s.original_max_position_embeddings / wavelength;
  if (turns > s.high_freq_factor) return inv_freq;
  if (turns < s.low_freq_factor) return static_cast<float>(inv_freq / s.factor);
  const double kept = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return static_cast<float>((1 - kept) * inv_freq / s.factor + kept * inv_freq);
}

}  // namespace

std::vector<float> rope_inv_freq(const LlamaConfig& config) {
  std::vector<float> inv_freq(static_cast<std::size_t>(config.head_dim / 2));
  for (std::size_t i = 0; i < inv_freq.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    inv_freq[i] = 1 / std::pow(static_cast<float>(config.rope_theta), exponent);
    if (config.rope_scaling) inv_freq[i] = stretched(inv_freq[i], *config.rope_scaling);
  }
  return inv_freq;
}

RopeTable::RopeTable(const std::vector<float>& inv_freq, std::span<const std::int64_t> positions)
    : cos(std::ssize(positions), std::ssize(inv_freq)),
      sin(std::ssize(positions), std::ssize(inv_freq)) {
  for (std::int64_t r = 0; r < std::ssize(positions); ++r) {
    const auto position = static_cast<float>(positions[static_cast<std::size_t>(r)]);
    for (std::int64_t i = 0; i < std::ssize(inv_freq); ++i) {
      const float angle = position * inv_freq[static_cast<std::size_t>(i)];
      cos(r, i) = std::cos(angle);
      sin(r, i) = std::sin(angle);
    }
  }
}

void apply_rope(MatrixView<float> heads, const RopeTable& table, const Machine& machine) {
  const std::int64_t half = table.cos.cols();
  QLAB_CHECK(heads.rows() == table.cos.rows() && heads.cols() % (2 * half) == 0, "apply_rope: [",
             heads.rows(), ", ", heads.cols(), "] is not [", table.cos.rows(),
             " positions, heads of ", 2 * half, "]");
  for_each_row(heads.rows(), machine, [&](std::int64_t r) {
    const float* cos = table.cos.view().row(r);
    const float* sin = table.sin.view().row(r);
    for (std::int64_t first = 0; first < heads.cols(); first += 2 * half) {
      float* low = heads.row(r) + first;
      float* high = low + half;
      for (std::int64_t i = 0; i < half; ++i) {
        const float x = low[i];
        low[i] = x * cos[i] - high[i] * sin[i];
        high[i] = high[i] * cos[i] + x * sin[i];
      }
    }
  });
}

}  // namespace qlab
