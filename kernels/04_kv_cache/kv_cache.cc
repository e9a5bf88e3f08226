// SPDX-License-Identifier: Apache-2.0
/// \file
/// KvCache: where a token's codes stand, and when they are made.
#include "04_kv_cache/kv_cache.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "04_kv_cache/kv_quantize.h"

namespace qlab {
namespace {

void check_values(KvFormat format, const char* operand, std::int64_t layer, std::int64_t length,
                  std::int64_t head_dim, MatrixView<const float> x) {
  const float too_large = kv_too_large(format);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      QLAB_CHECK(std::fabs(x(t, c)) < too_large, "KvCache::append: ", operand, " is ", x(t, c),
                 " at layer ", layer, ", token ", length + t, ", head ", c / head_dim, ", channel ",
                 c % head_dim, "; ", kv_format_name(format), " holds finite values under ",
                 too_large);
    }
  }
}

/// The table given, or that of blocks in order.
std::vector<std::int32_t> full_table(const KvLayout& layout, std::int64_t blocks) {
  std::vector<std::int32_t> table = layout.table;
  for (std::int64_t b = 0; layout.table.empty() && b < blocks; ++b) {
    table.push_back(static_cast<std::int32_t>(b));
  }
  return table;
}

/// Each block of the pool once: a sequence must not write over itself.
void check_table(std::span<const std::int32_t> table, std::int64_t blocks) {
  QLAB_CHECK(std::ssize(table) == blocks, "KvCache: a table of ", table.size(),
             " blocks, but the capacity takes ", blocks, "; give each block of tokens an entry");
  std::vector<bool> taken(table.size());
  for (std::size_t b = 0; b < table.size(); ++b) {
    QLAB_CHECK(table[b] >= 0 && table[b] < blocks, "KvCache: block ", b, " of the table is ",
               table[b], ", outside the pool of ", blocks, " blocks; use 0 … ", blocks - 1);
    const auto entry = static_cast<std::size_t>(table[b]);
    QLAB_CHECK(!taken[entry], "KvCache: blocks of the table share block ", table[b],
               " of the pool; give each its own");
    taken[entry] = true;
  }
}

}  // namespace

std::string kv_formats_name(KvFormats formats) {
  if (formats.k == formats.v) return std::string(kv_format_name(formats.k));
  return "k " + std::string(kv_format_name(formats.k)) + ", v " +
         std::string(kv_format_name(formats.v));
}

KvCache::KvCache(KvFormats formats, std::int64_t n_layers, std::int64_t n_kv_heads,
                 std::int64_t head_dim, std::int64_t capacity, const KvLayout& layout,
                 const KvHeadScales& scales)
    : n_layers_(n_layers),
      n_kv_heads_(n_kv_heads),
      head_dim_(head_dim),
      capacity_(capacity),
      block_tokens_(layout.block_tokens == 0 ? capacity : layout.block_tokens) {
  QLAB_CHECK(n_layers > 0 && n_kv_heads > 0 && head_dim > 0 && capacity > 0 && block_tokens_ > 0,
             "KvCache: ", n_layers, " layers, ", n_kv_heads, " heads of ", head_dim, ", capacity ",
             capacity, ", blocks of ", block_tokens_, "; every side must be at least 1");
  for (const KvFormat format : {formats.k, formats.v}) {
    QLAB_CHECK(kv_traits(format).bits >= 8 || head_dim % kKvGroup == 0, "KvCache: head_dim is ",
               head_dim, "; ", kv_format_name(format), " needs a multiple of ", kKvGroup);
  }
  QLAB_CHECK(!formats.window() || block_tokens_ == capacity || block_tokens_ % kKvGroup == 0,
             "KvCache: blocks of ", block_tokens_, " tokens cut KIVI's groups; use a multiple of ",
             kKvGroup);
  const std::int64_t blocks = (capacity + block_tokens_ - 1) / block_tokens_;
  table_ = full_table(layout, blocks);
  check_table(table_, blocks);
  lengths_.assign(static_cast<std::size_t>(n_layers), 0);
  k_ = make_side(formats.k, kv_traits(formats.k).k, scales.k);
  v_ = make_side(formats.v, kv_traits(formats.v).v, scales.v);
}

KvCache::Side KvCache::make_side(KvFormat format, KvScales scales,
                                 const std::vector<float>& head_scale) const {
  const std::int64_t rows = std::ssize(table_) * n_kv_heads_;
  Side side;
  side.format = format;
  side.scales = scales;
  side.codes =
      Matrix<std::uint8_t>(n_layers_, rows * block_tokens_ * kv_code_bytes(format, head_dim_));
  if (scales == KvScales::kToken) side.scales_per_block = block_tokens_;
  if (scales == KvScales::kChannelGroups) {
    side.scales_per_block = block_tokens_ * (head_dim_ / kKvGroup);
  }
  if (scales == KvScales::kTokenGroups) {
    side.scales_per_block = (block_tokens_ + kKvGroup - 1) / kKvGroup * head_dim_;
  }
  const bool groups = scales == KvScales::kChannelGroups || scales == KvScales::kTokenGroups;
  side.scale = Matrix<half_t>(n_layers_, rows * side.scales_per_block);
  side.minimum = Matrix<half_t>(n_layers_, groups ? rows * side.scales_per_block : 0);
  const std::int64_t window = kv_traits(format).window ? 2 * kKvWindow : 0;
  side.window = Matrix<half_t>(n_layers_, n_kv_heads_ * window * head_dim_);
  if (scales != KvScales::kHead) return side;

  const std::int64_t given = std::ssize(head_scale);
  QLAB_CHECK(given == 0 || given == n_layers_ || given == n_layers_ * n_kv_heads_,
             "KvCache: ", given, " scales for ", n_layers_, " layers of ", n_kv_heads_,
             " heads; give none, one a layer, or one a layer and head");
  for (std::int64_t i = 0; i < n_layers_ * n_kv_heads_; ++i) {
    const std::int64_t from = given == n_layers_ ? i / n_kv_heads_ : i;
    const float scale = given == 0 ? 1.0F : head_scale[static_cast<std::size_t>(from)];
    QLAB_CHECK(std::isfinite(scale) && scale > 0, "KvCache: the scale of layer ", i / n_kv_heads_,
               ", head ", i % n_kv_heads_, " is ", scale, "; it must be finite and above 0");
    side.head_scale.push_back(scale);
  }
  return side;
}

void KvCache::append(std::int64_t layer, MatrixView<const float> k, MatrixView<const float> v) {
  QLAB_CHECK(layer >= 0 && layer < n_layers_, "KvCache::append: layer ", layer, " is not in 0 … ",
             n_layers_ - 1);
  const std::int64_t tokens = k.rows();
  std::int64_t& length = lengths_[static_cast<std::size_t>(layer)];
  check_shape("KvCache::append", "k", k, tokens, n_kv_heads_ * head_dim_);
  check_shape("KvCache::append", "v", v, tokens, n_kv_heads_ * head_dim_);
  QLAB_CHECK(tokens <= capacity_ - length, "KvCache::append: ", tokens, " tokens after ", length,
             " pass the capacity ", capacity_, "; make the cache larger or the prompt shorter");
  check_values(k_.format, "k", layer, length, head_dim_, k);
  check_values(v_.format, "v", layer, length, head_dim_, v);
  for (std::int64_t head = 0; head < n_kv_heads_; ++head) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      write(k_, layer, head, length + t, k.row(t, head * head_dim_, head_dim_));
      write(v_, layer, head, length + t, v.row(t, head * head_dim_, head_dim_));
    }
  }
  length += tokens;
}

void KvCache::write(Side& side, std::int64_t layer, std::int64_t head, std::int64_t t,
                    std::span<const float> x) {
  if (kv_traits(side.format).window) return write_window(side, layer, head, t, x);
  if (side.scales == KvScales::kChannelGroups) return quantize_token(side, layer, head, t, x);
  const KvView view = this->layer(layer);
  const KvTensor stored = tensor(side, layer);
  std::uint8_t* const codes = &side.codes(layer, view.code_offset(stored, head, t));
  if (side.scales == KvScales::kToken) {
    side.scale(layer, view.scale_index(stored, head, t)) = quantize_kv_row(side.format, x, codes);
    return;
  }
  round_kv_row(side.format, x, stored.head_scale == nullptr ? 1 : stored.head_scale[head], codes);
}

/// A token enters the window; what leaves it is quantized from its FP16 values.
void KvCache::write_window(Side& side, std::int64_t layer, std::int64_t head, std::int64_t t,
                           std::span<const float> x) {
  const KvView view = this->layer(layer);
  half_t* const entering = &side.window(layer, view.window_offset(head, t));
  for (std::size_t d = 0; d < x.size(); ++d) entering[d] = from_float<half_t>(x[d]);
  if (side.scales == KvScales::kTokenGroups) {
    if ((t + 1) % kKvWindow != 0) return;
    for (std::int64_t first = t + 1 - kKvWindow; first <= t; first += kKvGroup) {
      quantize_tokens(side, layer, head, first);
    }
    return;
  }
  if (t < kKvWindow) return;
  const half_t* const leaving = &side.window(layer, view.window_offset(head, t - kKvWindow));
  std::vector<float> values(x.size());
  std::ranges::transform(std::span(leaving, x.size()), values.begin(),
                         [](half_t h) { return to_float(h); });
  quantize_token(side, layer, head, t - kKvWindow, values);
}

/// One token, in groups of channels.
void KvCache::quantize_token(Side& side, std::int64_t layer, std::int64_t head, std::int64_t t,
                             std::span<const float> x) {
  const KvView view = this->layer(layer);
  const KvTensor stored = tensor(side, layer);
  const int bits = kv_traits(side.format).bits;
  std::uint8_t* const row = &side.codes(layer, view.code_offset(stored, head, t));
  std::memset(row, 0, static_cast<std::size_t>(kv_code_bytes(side.format, head_dim_)));
  const std::int64_t first_scale = view.scale_index(stored, head, t);
  for (std::int64_t g = 0; g < head_dim_ / kKvGroup; ++g) {
    std::array<std::uint8_t, kKvGroup> codes;
    const auto group = x.subspan(static_cast<std::size_t>(g * kKvGroup), kKvGroup);
    const auto [scale, minimum] = quantize_kv_group(group, bits, codes.data());
    side.scale(layer, first_scale + g) = scale;
    side.minimum(layer, first_scale + g) = minimum;
    for (std::int64_t i = 0; i < kKvGroup; ++i) {
      put_kv_code(row, g * kKvGroup + i, bits, codes[static_cast<std::size_t>(i)]);
    }
  }
}

/// kKvGroup tokens from `first` on, channel by channel.
void KvCache::quantize_tokens(Side& side, std::int64_t layer, std::int64_t head,
                              std::int64_t first) {
  const KvView view = this->layer(layer);
  const KvTensor stored = tensor(side, layer);
  const int bits = kv_traits(side.format).bits;
  const std::int64_t row_bytes = kv_code_bytes(side.format, head_dim_);
  std::uint8_t* const rows = &side.codes(layer, view.code_offset(stored, head, first));
  std::memset(rows, 0, static_cast<std::size_t>(kKvGroup * row_bytes));
  const std::int64_t first_scale = view.scale_index(stored, head, first);
  for (std::int64_t d = 0; d < head_dim_; ++d) {
    std::array<float, kKvGroup> values;
    std::array<std::uint8_t, kKvGroup> codes;
    for (std::int64_t i = 0; i < kKvGroup; ++i) {
      values[static_cast<std::size_t>(i)] =
          to_float(side.window(layer, view.window_offset(head, first + i) + d));
    }
    const auto [scale, minimum] = quantize_kv_group(values, bits, codes.data());
    side.scale(layer, first_scale + d) = scale;
    side.minimum(layer, first_scale + d) = minimum;
    for (std::int64_t i = 0; i < kKvGroup; ++i) {
      put_kv_code(rows + i * row_bytes, d, bits, codes[static_cast<std::size_t>(i)]);
    }
  }
}

KvTensor KvCache::tensor(const Side& side, std::int64_t layer) const {
  const auto row = [&](const auto& matrix) {
    return matrix.cols() == 0 ? nullptr : &matrix(layer, 0);
  };
  const std::size_t first_head = static_cast<std::size_t>(layer * n_kv_heads_);
  return {.format = side.format,
          .scales = side.scales,
          .codes = row(side.codes),
          .scale = row(side.scale),
          .minimum = row(side.minimum),
          .scales_per_block = side.scales_per_block,
          .head_scale = side.head_scale.empty() ? nullptr : &side.head_scale[first_head],
          .window = row(side.window)};
}

KvView KvCache::layer(std::int64_t layer) const {
  QLAB_CHECK(layer >= 0 && layer < n_layers_, "KvCache::layer: layer ", layer, " is not in 0 … ",
             n_layers_ - 1);
  return {.n_kv_heads = n_kv_heads_,
          .head_dim = head_dim_,
          .capacity = capacity_,
          .length = length(layer),
          .block_tokens = block_tokens_,
          .pool_blocks = std::ssize(table_),
          .table = table_,
          .k = tensor(k_, layer),
          .v = tensor(v_, layer)};
}

void KvCache::clear() { std::ranges::fill(lengths_, 0); }

std::int64_t KvCache::bytes() const {
  std::size_t bytes = 0;
  for (const Side* side : {&k_, &v_}) {
    bytes += side->codes.bytes() + side->scale.bytes() + side->minimum.bytes() +
             side->window.bytes() + side->head_scale.size() * sizeof(float);
  }
  return static_cast<std::int64_t>(bytes);
}

}  // namespace qlab
