// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode: checks the operands and takes the best rung.
#include "04_kv_cache/attention_decode.h"

namespace qlab {

void attention_decode(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                      const Machine& machine) {
  QLAB_CHECK(kv.n_kv_heads > 0 && kv.head_dim > 0 && Q.cols() > 0 &&
                 Q.cols() % (kv.n_kv_heads * kv.head_dim) == 0,
             "attention_decode: Q has ", Q.cols(), " columns for ", kv.n_kv_heads,
             " KV heads of head_dim ", kv.head_dim,
             "; n_heads must be a multiple of n_kv_heads, Q n_heads · head_dim wide");
  QLAB_CHECK(kv.length >= Q.rows() && kv.length <= kv.capacity, "attention_decode: ", Q.rows(),
             " queries on a cache of length ", kv.length, " and capacity ", kv.capacity,
             "; append the keys and values of the queries first");
  check_shape("attention_decode", "out", out, Q.rows(), Q.cols());
  best_rung(kAttentionDecodeRungs, machine.isa).run(Q, kv, out, machine.threads);
}

}  // namespace qlab
