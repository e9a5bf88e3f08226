// SPDX-License-Identifier: Apache-2.0
/// \file
/// KvCache: where a token's codes stand, and how they are rounded when they are written.
#include "04_kv_cache/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

namespace qlab {
namespace {

std::int64_t code_bytes(KvFormat format) {
  switch (format) {
    case KvFormat::kFp32:
      return 4;
    case KvFormat::kFp16:
      return 2;
    case KvFormat::kInt8:
    case KvFormat::kFp8E4m3:
      return 1;
  }
  return 0;
}

/// The least magnitude that a format cannot hold: 65520 is the least that rounds to FP16's
/// infinity, for a value or for a scale of a 127th.
float too_large(KvFormat format) {
  if (format == KvFormat::kFp16) return 65520;
  if (format == KvFormat::kInt8) return 127.0F * 65520;
  return std::numeric_limits<float>::infinity();
}

void check_values(KvFormat format, const char* operand, std::int64_t layer, std::int64_t length,
                  std::int64_t head_dim, MatrixView<const float> x) {
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      QLAB_CHECK(std::fabs(x(t, c)) < too_large(format), "KvCache::append: ", operand, " is ",
                 x(t, c), " at layer ", layer, ", token ", length + t, ", head ", c / head_dim,
                 ", channel ", c % head_dim, "; ", kv_format_name(format),
                 " holds finite values under ", too_large(format));
    }
  }
}

template <class Format>
void round_to(std::span<const float> x, std::uint8_t* codes) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Format code = from_float<Format>(x[i]);
    std::memcpy(codes + i * sizeof(Format), &code, sizeof(Format));
  }
}

half_t int8_scale_of(std::span<const float> x) {
  float absmax = 0;
  for (const float value : x) absmax = std::max(absmax, std::fabs(value));
  if (absmax == 0) return from_float<half_t>(1);
  const half_t scale = from_float<half_t>(absmax / 127);
  return scale.bits == 0 ? half_t{1} : scale;
}

half_t round_to_int8(std::span<const float> x, std::uint8_t* codes) {
  const half_t stored = int8_scale_of(x);
  const float scale = to_float(stored);
  for (std::size_t i = 0; i < x.size(); ++i) {
    // The stored scale may be smaller than absmax / 127: the clamp comes before the cast.
    const float code = std::clamp(std::nearbyint(x[i] / scale), -127.0F, 127.0F);
    codes[i] = static_cast<std::uint8_t>(static_cast<std::int8_t>(code));
  }
  return stored;
}

/// Codes of one token and head; `scale` is written for kInt8 only.
void write_row(KvFormat format, std::span<const float> x, std::uint8_t* codes, half_t* scale) {
  switch (format) {
    case KvFormat::kFp32:
      std::memcpy(codes, x.data(), x.size_bytes());
      return;
    case KvFormat::kFp16:
      return round_to<half_t>(x, codes);
    case KvFormat::kInt8:
      *scale = round_to_int8(x, codes);
      return;
    case KvFormat::kFp8E4m3:
      return round_to<fp8_e4m3_t>(x, codes);
  }
}

}  // namespace

std::string_view kv_format_name(KvFormat format) {
  switch (format) {
    case KvFormat::kFp32:
      return "fp32";
    case KvFormat::kFp16:
      return "fp16";
    case KvFormat::kInt8:
      return "int8";
    case KvFormat::kFp8E4m3:
      return "fp8_e4m3";
  }
  return "unknown";
}

KvCache::KvCache(KvFormat format, std::int64_t n_layers, std::int64_t n_kv_heads,
                 std::int64_t head_dim, std::int64_t capacity)
    : format_(format),
      n_layers_(n_layers),
      n_kv_heads_(n_kv_heads),
      head_dim_(head_dim),
      capacity_(capacity) {
  QLAB_CHECK(n_layers > 0 && n_kv_heads > 0 && head_dim > 0 && capacity > 0, "KvCache: ", n_layers,
             " layers, ", n_kv_heads, " heads of ", head_dim, ", capacity ", capacity,
             "; every side must be at least 1");
  lengths_.assign(static_cast<std::size_t>(n_layers), 0);
  const std::int64_t rows = n_layers * n_kv_heads;
  k_codes_ = Matrix<std::uint8_t>(rows, capacity * head_dim * code_bytes(format));
  v_codes_ = Matrix<std::uint8_t>(rows, capacity * head_dim * code_bytes(format));
  if (format == KvFormat::kInt8) {
    k_scale_ = Matrix<half_t>(rows, capacity);
    v_scale_ = Matrix<half_t>(rows, capacity);
  }
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
  check_values(format_, "k", layer, length, head_dim_, k);
  check_values(format_, "v", layer, length, head_dim_, v);

  const std::int64_t row_bytes = head_dim_ * code_bytes(format_);
  const auto write = [&](MatrixView<const float> x, Matrix<std::uint8_t>& codes,
                         Matrix<half_t>& scale) {
    for (std::int64_t head = 0; head < n_kv_heads_; ++head) {
      const std::int64_t row = layer * n_kv_heads_ + head;
      for (std::int64_t t = 0; t < tokens; ++t) {
        write_row(format_, x.row(t, head * head_dim_, head_dim_),
                  &codes(row, (length + t) * row_bytes),
                  format_ == KvFormat::kInt8 ? &scale(row, length + t) : nullptr);
      }
    }
  };
  write(k, k_codes_, k_scale_);
  write(v, v_codes_, v_scale_);
  length += tokens;
}

KvView KvCache::layer(std::int64_t layer) const {
  QLAB_CHECK(layer >= 0 && layer < n_layers_, "KvCache::layer: layer ", layer, " is not in 0 … ",
             n_layers_ - 1);
  const bool scaled = format_ == KvFormat::kInt8;
  const std::int64_t row = layer * n_kv_heads_;
  return {.format = format_,
          .n_kv_heads = n_kv_heads_,
          .head_dim = head_dim_,
          .capacity = capacity_,
          .length = length(layer),
          .k = {.codes = &k_codes_(row, 0), .scale = scaled ? &k_scale_(row, 0) : nullptr},
          .v = {.codes = &v_codes_(row, 0), .scale = scaled ? &v_scale_(row, 0) : nullptr}};
}

void KvCache::clear() { std::ranges::fill(lengths_, 0); }

std::int64_t KvCache::bytes() const {
  return static_cast<std::int64_t>(k_codes_.bytes() + v_codes_.bytes() + k_scale_.bytes() +
                                   v_scale_.bytes());
}

}  // namespace qlab
