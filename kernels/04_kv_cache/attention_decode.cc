// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode: checks the operands and takes the best rung.
#include "04_kv_cache/attention_decode.h"

namespace qlab {
namespace {

void check_table(const KvView& kv) {
  QLAB_CHECK(kv.block_tokens > 0 && std::ssize(kv.table) * kv.block_tokens >= kv.length,
             "attention_decode: a table of ", kv.table.size(), " blocks of ", kv.block_tokens,
             " tokens for a length of ", kv.length, "; give every block of tokens an entry");
  for (std::int64_t b = 0; b * kv.block_tokens < kv.length; ++b) {
    const std::int32_t entry = kv.table[static_cast<std::size_t>(b)];
    QLAB_CHECK(entry >= 0 && entry < kv.pool_blocks, "attention_decode: block ", b,
               " of the table is ", entry, ", outside the pool of ", kv.pool_blocks, " blocks");
  }
}

}  // namespace

void check_attention_decode(MatrixView<const float> Q, const KvView& kv,
                            MatrixView<const float> out) {
  QLAB_CHECK(kv.n_kv_heads > 0 && kv.head_dim > 0 && Q.cols() > 0 &&
                 Q.cols() % (kv.n_kv_heads * kv.head_dim) == 0,
             "attention_decode: Q has ", Q.cols(), " columns for ", kv.n_kv_heads,
             " KV heads of head_dim ", kv.head_dim,
             "; n_heads must be a multiple of n_kv_heads, Q n_heads · head_dim wide");
  QLAB_CHECK(kv.length >= Q.rows() && kv.length <= kv.capacity, "attention_decode: ", Q.rows(),
             " queries on a cache of length ", kv.length, " and capacity ", kv.capacity,
             "; append the keys and values of the queries first");
  QLAB_CHECK(!KvFormats(kv.k.format, kv.v.format).window() || Q.rows() <= kKvWindow,
             "attention_decode: ", Q.rows(), " queries on a cache with a window of ", kKvWindow,
             "; append and attend at most as many tokens at a time");
  check_table(kv);
  check_shape("attention_decode", "out", out, Q.rows(), Q.cols());
}

void attention_decode(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                      const Machine& machine) {
  check_attention_decode(Q, kv, out);
  best_rung(kAttentionDecodeRungs, machine.isa).run(Q, kv, out, machine.threads);
}

}  // namespace qlab
