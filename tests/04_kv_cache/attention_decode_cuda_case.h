// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of attention_decode_cuda share: a batch of caches whose spare room holds NaN, and
/// the oracle of its heads.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "04_kv_cache/attention_decode_cuda.h"
#include "04_kv_cache/attention_decode_cuda_ref.h"
#include "common/random.h"
#include "support/cuda_exercise.h"

namespace qlab::test {

inline constexpr DecodeFormat kDecodeFormats[] = {DecodeFormat::kFp16, DecodeFormat::kInt8,
                                                  DecodeFormat::kFp8E4m3, DecodeFormat::kInt4};
inline const char* format_name(DecodeFormat format) {
  return format == DecodeFormat::kFp16   ? "FP16"
         : format == DecodeFormat::kInt8 ? "INT8"
         : format == DecodeFormat::kInt4 ? "INT4"
                                         : "FP8";
}

inline std::uint16_t half_bits(double value) {
  return __half_as_ushort(__float2half_rn(static_cast<float>(value)));
}

/// K or V on the host. Scales and minima are bits of FP16.
struct DecodeOperand {
  std::vector<std::uint8_t> codes;
  std::vector<std::uint16_t> scale, minimum;  // of each token and head
  std::vector<float> head_scale;
};

struct DecodeShape {
  DecodeFormat format;
  int heads, kv_heads, head_dim, capacity;
};

/// A case. Bytes and scales behind a sequence's last token are 0xFF: NaN, but for the codes of INT8
/// and INT4, whose scales are.
struct DecodeCase {
  DecodeCase(const DecodeShape& s, std::vector<int> tokens, int split_count)
      : shape(s), lengths(std::move(tokens)), splits(split_count) {
    q.resize(lengths.size() * static_cast<std::size_t>(s.heads * s.head_dim));
    for (DecodeOperand* operand : {&k, &v}) {
      operand->codes.assign(rows() * row_bytes(), 0xFF);
      operand->scale.assign(rows(), 0xFFFF);
      operand->minimum.assign(rows(), 0xFFFF);
      operand->head_scale.assign(static_cast<std::size_t>(s.kv_heads), 1);
    }
  }

  int batch() const { return static_cast<int>(lengths.size()); }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(shape.head_dim * decode_bits(shape.format) / 8);
  }
  std::size_t rows() const {
    return lengths.size() * static_cast<std::size_t>(shape.kv_heads * shape.capacity);
  }
  std::size_t row(int b, int g, int t) const {
    return (static_cast<std::size_t>(b) * static_cast<std::size_t>(shape.kv_heads) +
            static_cast<std::size_t>(g)) *
               static_cast<std::size_t>(shape.capacity) +
           static_cast<std::size_t>(t);
  }

  /// Any finite codes, scales of a model's size, and q such that scores have about that size.
  void draw(Random& random, double score = 2) {
    for (std::uint16_t& x : q) x = half_bits(score * std::clamp(random.normal(), -3.0, 3.0));
    for (DecodeOperand* operand : {&k, &v}) {
      for (float& scale : operand->head_scale) scale = static_cast<float>(random.uniform(0.25, 1));
      for (int b = 0; b < batch(); ++b) {
        for (int g = 0; g < shape.kv_heads; ++g) {
          const int length = lengths[static_cast<std::size_t>(b)];
          for (int t = 0; t < length; ++t) draw_row(*operand, row(b, g, t), random);
        }
      }
    }
  }
  /// The first `tokens` of one sequence become those of another.
  void copy_tokens(int from, int to, int tokens) {
    for (DecodeOperand* operand : {&k, &v}) {
      for (int g = 0; g < shape.kv_heads; ++g) {
        const std::size_t source = row(from, g, 0), target = row(to, g, 0);
        const auto count = static_cast<std::size_t>(tokens);
        std::copy_n(&operand->scale[source], count, &operand->scale[target]);
        std::copy_n(&operand->minimum[source], count, &operand->minimum[target]);
        std::copy_n(&operand->codes[source * row_bytes()], count * row_bytes(),
                    &operand->codes[target * row_bytes()]);
      }
    }
  }
  void draw_row(DecodeOperand& operand, std::size_t at, Random& random) const {
    const bool is_int4 = shape.format == DecodeFormat::kInt4;
    operand.scale[at] = half_bits(random.uniform(0.004, 0.02) * (is_int4 ? 16 : 1));
    operand.minimum[at] = half_bits(random.uniform(-2, 0.1));
    std::uint8_t* const codes = &operand.codes[at * row_bytes()];
    for (std::size_t i = 0; i < row_bytes(); ++i) {
      const auto byte = static_cast<std::uint8_t>(random.below(256));
      switch (shape.format) {
        case DecodeFormat::kFp16:  // below 2
          codes[i] = i % 2 == 0 ? byte : static_cast<std::uint8_t>(byte & 0xBF);
          break;
        case DecodeFormat::kFp8E4m3:  // below 2
          codes[i] = static_cast<std::uint8_t>(byte & 0xBF);
          break;
        case DecodeFormat::kInt8:
        case DecodeFormat::kInt4:
          codes[i] = byte;
          break;
      }
    }
  }

  /// The oracle of one query head.
  DecodeHead reference(int b, int h) const {
    const int g = h / (shape.heads / shape.kv_heads);
    const std::size_t first = row(b, g, 0);
    const auto of = [&](const DecodeOperand& operand) {
      return DecodeHeadTensor{.codes = &operand.codes[first * row_bytes()],
                              .scale = &operand.scale[first],
                              .minimum = &operand.minimum[first],
                              .stride = 1,
                              .head_scale = operand.head_scale[static_cast<std::size_t>(g)]};
    };
    const std::size_t at =
        static_cast<std::size_t>(b * shape.heads + h) * static_cast<std::size_t>(shape.head_dim);
    return decode_head_ref(&q[at], {.format = shape.format,
                                    .length = lengths[static_cast<std::size_t>(b)],
                                    .head_dim = shape.head_dim,
                                    .k = of(k),
                                    .v = of(v)});
  }

  DecodeShape shape;
  std::vector<int> lengths;
  int splits;
  std::vector<std::uint16_t> q;  // [batch, heads, head_dim] bits of FP16
  DecodeOperand k, v;

  std::string name() const {
    std::string text =
        std::string(format_name(shape.format)) + " heads=" + std::to_string(shape.heads) + "/" +
        std::to_string(shape.kv_heads) + " head_dim=" + std::to_string(shape.head_dim) +
        " splits=" + std::to_string(splits) + " lengths=";
    for (const int length : lengths) text += std::to_string(length) + ",";
    return text;
  }
};

}  // namespace qlab::test
