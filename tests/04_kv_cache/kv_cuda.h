// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of attention_decode_split share: a batch of caches whose spare room holds NaN,
/// its way to the device and back, and the verdict of the oracle.
#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "04_kv_cache/attention_decode_split.h"
#include "04_kv_cache/attention_decode_split_ref.h"
#include "support/cuda_exercise.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {

inline constexpr KvDeviceFormat kKvDeviceFormats[] = {KvDeviceFormat::kFp16, KvDeviceFormat::kInt8,
                                                      KvDeviceFormat::kFp8E4m3};
inline const char* format_name(KvDeviceFormat format) {
  return format == KvDeviceFormat::kFp16   ? "FP16"
         : format == KvDeviceFormat::kInt8 ? "INT8"
                                           : "FP8";
}

/// The sides of a case; kv_heads are those of one sequence.
struct KvShape {
  int heads, kv_heads, head_dim, capacity;
};

/// K or V: codes, and the scales of both kinds, of which the format takes one or none.
struct KvOperand {
  std::vector<std::uint8_t> codes;
  std::vector<half_t> token_scale;
  std::vector<float> head_scale;
};

/// A case. All codes and scales of tokens are 0xFF bytes until they are set: NaN, but for INT8
/// codes, whose scales are NaN. q is 0, scales of heads are 1.
struct SplitCase {
  SplitCase(const std::string& title, KvDeviceFormat kind, const KvShape& s,
            std::vector<int> tokens, int split_count)
      : format(kind),
        shape(s),
        lengths(std::move(tokens)),
        splits(split_count),
        q(batch() * s.heads, s.head_dim) {
    std::ostringstream text;
    text << '"' << title << "\": " << format_name(format) << " heads=" << s.heads << "/"
         << s.kv_heads << " head_dim=" << s.head_dim << " splits=" << splits << " lengths=";
    for (std::size_t b = 0; b < lengths.size(); ++b) text << (b == 0 ? "" : ",") << lengths[b];
    name = text.str();
    for (KvOperand* operand : {&k, &v}) {
      operand->codes.assign(rows() * row_bytes(), 0xFF);
      operand->token_scale.assign(rows(), half_t{0xFFFF});
      operand->head_scale.assign(static_cast<std::size_t>(s.kv_heads), 1.0F);
    }
  }

  std::int64_t batch() const { return static_cast<std::int64_t>(lengths.size()); }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(shape.head_dim * kv_code_bytes(format));
  }
  std::size_t rows() const {
    return lengths.size() * static_cast<std::size_t>(shape.kv_heads * shape.capacity);
  }
  std::size_t row(std::int64_t b, int g, int t) const {
    return static_cast<std::size_t>((b * shape.kv_heads + g) * shape.capacity + t);
  }

  /// q[b, h, d] = value(b, h, d).
  template <class Value>
  void fill_q(Value value) {
    for (std::int64_t i = 0; i < q.rows(); ++i) {
      for (int d = 0; d < shape.head_dim; ++d) {
        q(i, d) = element<half_t>(
            static_cast<double>(value(i / shape.heads, static_cast<int>(i % shape.heads), d)));
      }
    }
  }

  /// The code nearest to value(b, g, t, d), for the tokens of each sequence; with scales of 1.
  template <class Value>
  void fill_codes(KvOperand& operand, Value value) {
    for (std::int64_t b = 0; b < batch(); ++b) {
      for (int g = 0; g < shape.kv_heads; ++g) {
        for (int t = 0; t < lengths[static_cast<std::size_t>(b)]; ++t) {
          const std::size_t at = row(b, g, t);
          operand.token_scale[at] = element<half_t>(1.0);
          for (int d = 0; d < shape.head_dim; ++d) {
            store(operand, at, d, static_cast<double>(value(b, g, t, d)));
          }
        }
      }
    }
  }

  void store(KvOperand& operand, std::size_t at, int d, double value) const {
    std::uint8_t* const codes = &operand.codes[at * row_bytes()];
    switch (format) {
      case KvDeviceFormat::kFp16: {
        const std::uint16_t bits = element<half_t>(value).bits;
        codes[2 * d] = static_cast<std::uint8_t>(bits & 0xFF);
        codes[2 * d + 1] = static_cast<std::uint8_t>(bits >> 8);
        break;
      }
      case KvDeviceFormat::kInt8:
        codes[d] = static_cast<std::uint8_t>(static_cast<std::int8_t>(std::nearbyint(value)));
        break;
      case KvDeviceFormat::kFp8E4m3:
        codes[d] = element<fp8_e4m3_t>(value).bits;
        break;
    }
  }

  /// Scales 0.002 … 0.02 for tokens (INT8), 0.25 … 1 for heads (FP8); nothing else is left random.
  void draw_scales(Random& random) {
    for (KvOperand* operand : {&k, &v}) {
      for (half_t& scale : operand->token_scale) {
        if (scale.bits != 0xFFFF) scale = element<half_t>(random.uniform(0.002, 0.02));
      }
      for (float& scale : operand->head_scale) scale = static_cast<float>(random.uniform(0.25, 1));
    }
  }

  /// q, K and V like those of a model: scores of a few units.
  void draw(Random& random) {
    const double size = format == KvDeviceFormat::kInt8 ? 40 : 1;
    const auto normal = [&](auto...) { return size * std::clamp(random.normal(), -3.0, 3.0); };
    fill_q([&](auto...) { return 2 * random.normal(); });
    fill_codes(k, normal);
    fill_codes(v, normal);
    draw_scales(random);
  }

  KvHead head(std::int64_t b, int h) const {
    const int g = h / (shape.heads / shape.kv_heads);
    const std::size_t first = row(b, g, 0);
    const auto of = [&](const KvOperand& operand) {
      return KvHeadTensor{.codes = &operand.codes[first * row_bytes()],
                          .token_scale = &operand.token_scale[first],
                          .head_scale = operand.head_scale[static_cast<std::size_t>(g)]};
    };
    return {format, lengths[static_cast<std::size_t>(b)], shape.head_dim, of(k), of(v)};
  }

  KvDeviceFormat format;
  KvShape shape;
  std::vector<int> lengths;
  int splits;
  Matrix<half_t> q;
  KvOperand k, v;
  std::string name;
};

/// What came back: the output, and the parts with a row for each head and split.
struct SplitResult {
  Matrix<float> out, m, l, o;
};

/// Bytes on the device, and as many of NaN behind them as a tile has; `Behind` as everywhere.
inline simt::Buffer<std::uint8_t> codes_on_device(const KvOperand& operand, Behind behind,
                                                  const char* name) {
  std::vector<std::uint8_t> codes = operand.codes;
  if (behind == Behind::kNan) codes.resize(codes.size() + 32 * 256, 0xFF);
  return simt::Buffer<std::uint8_t>(codes, name);
}
inline simt::Buffer<half> halves_on_device(const half_t* values, std::size_t size,
                                           const char* name) {
  std::vector<half> halves(size);
  for (std::size_t i = 0; i < size; ++i) halves[i] = __ushort_as_half(values[i].bits);
  return simt::Buffer<half>(halves, name);
}

inline SplitResult run(const SplitCase& c, Behind behind = Behind::kNan) {
  const std::int64_t heads = c.batch() * c.shape.heads, parts = heads * c.splits;
  const auto q = halves_on_device(c.q.data(), c.q.bytes() / sizeof(half_t), "q");
  const auto k = codes_on_device(c.k, behind, "K"), v = codes_on_device(c.v, behind, "V");
  const auto k_scale = halves_on_device(c.k.token_scale.data(), c.rows(), "the scales of K");
  const auto v_scale = halves_on_device(c.v.token_scale.data(), c.rows(), "the scales of V");
  const simt::Buffer<float> k_head(c.k.head_scale, "the scale of K");
  const simt::Buffer<float> v_head(c.v.head_scale, "the scale of V");
  const simt::Buffer<int> lengths(c.lengths, "lengths");
  DeviceOutput out(heads, c.shape.head_dim), m(parts, 1), l(parts, 1), o(parts, c.shape.head_dim);
  const auto tensor = [&](const auto& codes, const auto& tokens, const auto& head) {
    return KvDeviceTensor{
        .codes = codes.data(),
        .token_scale = c.format == KvDeviceFormat::kInt8 ? tokens.data() : nullptr,
        .head_scale = c.format == KvDeviceFormat::kFp8E4m3 ? head.data() : nullptr};
  };
  exercise::attention_decode_split({.q = q.data(),
                                    .kv = {.format = c.format,
                                           .batch = static_cast<int>(c.batch()),
                                           .n_kv_heads = c.shape.kv_heads,
                                           .head_dim = c.shape.head_dim,
                                           .capacity = c.shape.capacity,
                                           .k = tensor(k, k_scale, k_head),
                                           .v = tensor(v, v_scale, v_head)},
                                    .lengths = c.lengths,
                                    .device_lengths = lengths.data(),
                                    .n_heads = c.shape.heads,
                                    .splits = c.splits,
                                    .parts = {.m = m.data(), .l = l.data(), .o = o.data()},
                                    .out = out.data()});
  return {out.fetch(c.name), m.fetch(c.name), l.fetch(c.name), o.fetch(c.name)};
}

/// Names an element of the output.
inline Case described(const SplitCase& c) {
  return {.name = c.name, .place = [heads = c.shape.heads](std::int64_t row, std::int64_t d) {
            return "sequence " + std::to_string(row / heads) + ", query head " +
                   std::to_string(row % heads) + ", channel " + std::to_string(d);
          }};
}

/// Judges the output against the oracle.
inline void check(const SplitCase& c, Behind behind = Behind::kNan) {
  const std::int64_t heads = c.batch() * c.shape.heads;
  Matrix<double> value(heads, c.shape.head_dim), tolerance(heads, c.shape.head_dim);
  for (std::int64_t row = 0; row < heads; ++row) {
    const AttentionHeadRef ref = attention_head_ref(
        &c.q(row, 0), c.head(row / c.shape.heads, static_cast<int>(row % c.shape.heads)));
    std::copy(ref.value.begin(), ref.value.end(), &value(row, 0));
    std::copy(ref.tolerance.begin(), ref.tolerance.end(), &tolerance(row, 0));
  }
  judge(described(c), run(c, behind).out.view(), value.view(),
        [&](std::int64_t row, std::int64_t d) { return tolerance(row, d); });
}

}  // namespace qlab::test
