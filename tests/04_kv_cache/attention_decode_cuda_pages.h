// SPDX-License-Identifier: Apache-2.0
/// \file
/// The cache of a test case of attention_decode_cuda, cut into pages that lie in no order.
#pragma once

#include <climits>
#include <utility>
#include <vector>

#include "04_kv_cache/attention_decode_cuda_case.h"

namespace qlab::test {

/// A pool with the tokens of a case, its blocks taken at random. All else in it is as in the case:
/// 0xFF, or what was drawn behind a sequence's last token. Three blocks are nobody's. Entries of
/// the table behind a sequence's last page are no block of any pool.
struct DecodePool {
  static constexpr int kNoBlock = INT_MAX;

  /// The first `shared` blocks of all sequences are those of sequence 0; so are their tokens.
  DecodePool(const DecodeCase& c, int tokens_of_a_block, Random& random, int shared = 0)
      : block_size(tokens_of_a_block),
        max_blocks(blocks_for(c.shape.capacity)),
        table(static_cast<std::size_t>(c.batch() * max_blocks), kNoBlock) {
    std::vector<int> blocks;  // those that sequences will take, and three more
    for (const int length : c.lengths) n_blocks += std::max(blocks_for(length) - shared, 0);
    n_blocks += shared + 3;
    for (int i = 0; i < n_blocks; ++i) {
      blocks.insert(blocks.begin() + static_cast<std::ptrdiff_t>(random.below(i + 1)), i);
    }
    for (DecodeOperand* operand : {&k, &v}) {
      operand->codes.assign(rows(c) * c.row_bytes(), 0xFF);
      operand->scale.assign(rows(c), 0xFFFF);
      operand->minimum.assign(rows(c), 0xFFFF);
    }
    k.head_scale = c.k.head_scale;
    v.head_scale = c.v.head_scale;
    for (int b = 0; b < c.batch(); ++b) {
      const int used = blocks_for(c.lengths[static_cast<std::size_t>(b)]);
      for (int i = 0; i < used; ++i) {
        int& entry = table[static_cast<std::size_t>(b * max_blocks + i)];
        if (b > 0 && i < shared) {
          entry = table[static_cast<std::size_t>(i)];
          continue;
        }
        entry = blocks.back();
        blocks.pop_back();
        fill(c, b, i, entry);
      }
    }
  }

  int blocks_for(int tokens) const { return (tokens + block_size - 1) / block_size; }
  int capacity() const { return max_blocks * block_size; }

  int block_size, max_blocks, n_blocks = 0;
  std::vector<int> table;  // [batch, max_blocks]
  DecodeOperand k, v;      // rows [n_blocks, kv_heads, block_size]

 private:
  std::size_t rows(const DecodeCase& c) const {
    return static_cast<std::size_t>(n_blocks * c.shape.kv_heads * block_size);
  }
  /// Copies page i of sequence b, as far as the case has room for its tokens.
  void fill(const DecodeCase& c, int b, int i, int block) {
    for (int g = 0; g < c.shape.kv_heads; ++g) {
      for (int slot = 0; slot < block_size && i * block_size + slot < c.shape.capacity; ++slot) {
        const std::size_t from = c.row(b, g, i * block_size + slot);
        const auto to =
            static_cast<std::size_t>((block * c.shape.kv_heads + g) * block_size + slot);
        for (auto [in, out] : {std::pair(&c.k, &k), std::pair(&c.v, &v)}) {
          out->scale[to] = in->scale[from];
          out->minimum[to] = in->minimum[from];
          std::copy_n(&in->codes[from * c.row_bytes()], c.row_bytes(),
                      &out->codes[to * c.row_bytes()]);
        }
      }
    }
  }
};

}  // namespace qlab::test
