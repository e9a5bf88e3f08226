// SPDX-License-Identifier: Apache-2.0
/// \file
/// A test case of attention_decode_cuda on the device, in pages for the rungs that read them.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "04_kv_cache/attention_decode_cuda_case.h"
#include "04_kv_cache/attention_decode_cuda_pages.h"

namespace qlab::test {

/// A case's operands, and the rung that they are for. run may be called more than once.
class OnTheDevice {
 public:
  /// In one piece, or in pages of 16 tokens.
  OnTheDevice(const DecodeCase& c, const CudaRung<DecodeFunction>& rung)
      : OnTheDevice(c, rung, reads_pages(rung) ? std::optional(pool_of(c)) : std::nullopt) {}
  /// In these pages, if there are any.
  OnTheDevice(const DecodeCase& c, const CudaRung<DecodeFunction>& rung,
              const std::optional<DecodePool>& pool)
      : c_(c),
        rung_(rung),
        heads_(static_cast<std::size_t>(c.batch() * c.shape.heads)),
        q_(halves(c.q), "q"),
        k_(pool ? pool->k : c.k, "K"),
        v_(pool ? pool->v : c.v, "V"),
        lengths_(c.lengths, "lengths"),
        block_table_(pool ? pool->table : std::vector<int>()),
        table_(block_table_, "the table"),
        m_(heads_ * static_cast<std::size_t>(c.splits), "m"),
        l_(heads_ * static_cast<std::size_t>(c.splits), "l"),
        o_(heads_ * static_cast<std::size_t>(c.splits * c.shape.head_dim), "o"),
        arrived_(std::vector<unsigned>(static_cast<std::size_t>(c.batch() * c.shape.kv_heads), 0),
                 "arrived") {
    if (pool) {
      pages_ = {.table = table_.data(), .n_blocks = pool->n_blocks, .block_size = pool->block_size};
    }
    capacity_ = pool ? pool->capacity() : c.shape.capacity;
  }

  /// The operands of a call, for tests that break them.
  DecodeAttention operands(half* out) {
    return {.q = q_.data(),
            .kv = {.format = c_.shape.format,
                   .batch = c_.batch(),
                   .n_kv_heads = c_.shape.kv_heads,
                   .head_dim = c_.shape.head_dim,
                   .capacity = capacity_,
                   .k = k_.tensor(c_.shape.format),
                   .v = v_.tensor(c_.shape.format),
                   .pages = pages_},
            .lengths = c_.lengths,
            .device_lengths = lengths_.data(),
            .block_table = block_table_,
            .n_heads = c_.shape.heads,
            .splits = c_.splits,
            .parts = {.m = m_.data(), .l = l_.data(), .o = o_.data()},
            .arrived = arrived_.data(),
            .out = out};
  }

  Matrix<float> run() {
    DeviceOutput<half> out(static_cast<std::int64_t>(heads_), c_.shape.head_dim);
    rung_.run(operands(out.data()), {});
    Matrix<float> values = out.fetch(c_.name());  // waits for the kernel
    for (const unsigned counter : arrived_.to_host()) EXPECT_EQ(counter, 0U) << rung_.name;
    return values;
  }

 private:
  /// K or V.
  struct Operand {
    Operand(const DecodeOperand& operand, const std::string& name)
        : codes(operand.codes, name),
          scale(halves(operand.scale), "the scales of " + name),
          grid(grids(operand), "the grids of " + name),
          head_scale(operand.head_scale, "the scale of " + name) {}
    DecodeTensor tensor(DecodeFormat format) const {
      return {.codes = codes.data(),
              .token_scale = format == DecodeFormat::kInt8 ? scale.data() : nullptr,
              .head_scale = format == DecodeFormat::kFp8E4m3 ? head_scale.data() : nullptr,
              .token_grid = format == DecodeFormat::kInt4
                                ? reinterpret_cast<const half2*>(grid.data())
                                : nullptr};
    }
    simt::Buffer<std::uint8_t> codes;
    simt::Buffer<half> scale;
    simt::Buffer<std::uint32_t> grid;
    simt::Buffer<float> head_scale;
  };

  static DecodePool pool_of(const DecodeCase& c) {
    Random random(16);
    return {c, 16, random};
  }
  static std::vector<half> halves(const std::vector<std::uint16_t>& bits) {
    std::vector<half> values(bits.size());
    for (std::size_t i = 0; i < bits.size(); ++i) values[i] = __ushort_as_half(bits[i]);
    return values;
  }
  /// Two FP16 numbers a word, as half2 has them; half2 itself is no type for a Buffer.
  static std::vector<std::uint32_t> grids(const DecodeOperand& operand) {
    std::vector<std::uint32_t> words(operand.scale.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = operand.scale[i] | std::uint32_t{operand.minimum[i]} << 16;
    }
    return words;
  }

  const DecodeCase& c_;
  const CudaRung<DecodeFunction> rung_;
  std::size_t heads_;
  simt::Buffer<half> q_;
  Operand k_, v_;
  simt::Buffer<int> lengths_;
  std::vector<int> block_table_;
  simt::Buffer<int> table_;
  simt::Buffer<float> m_, l_, o_;
  simt::Buffer<unsigned> arrived_;
  DecodePages pages_;
  int capacity_;
};

}  // namespace qlab::test
