// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode: softmax(q · Kᵀ) · V straight from a cache in any of its formats.
///
/// Bottleneck   M = 1: reading K and V once; when four query heads share a KV head, and for a
///              prompt, the multiply-adds: one for each value read and query head
/// Bytes moved  read n_kv_heads · length · kv_row_bytes of K and of V, Q and the output beside it
/// FLOPs        4 · M · n_heads · head_dim · length; of a prompt, half are masked away
/// Teaches      online softmax; a scale a token is applied to a score, not to head_dim values
/// Leaves out   splitting a head's context over threads (attention_decode_split)
#pragma once

#include <cstdint>

#include "04_kv_cache/kv_cache.h"
#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// The exercise: this is written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// The attention below for one new token over a cache in INT8, one token of it after the other, on one
/// thread.
/// \param Q  [1, n_heads · head_dim]
/// \throws ContractError as check_attention_decode, for more than one query, and for another format.
void attention_decode(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out);

}  // namespace exercise

/// Attention of the last M tokens of the cache: query m sees the first length - M + 1 + m tokens.
///
/// M = 1 is decode; M = length is a prompt, every token of which reads the cache as it is stored;
/// with a window (KIVI) M ≤ kKvWindow, and each query reads it as it stood when its token was newest.
/// Query head h reads KV head h / (n_heads / n_kv_heads). Scores are scaled by 1 / √head_dim; the
/// softmax is online, in FP32. Source: Milakov, Gimelshein, "Online normalizer calculation for
/// softmax", 2018; Dao et al., "FlashAttention", 2022, section 3.1.
///
/// \param Q    [M, n_heads · head_dim] finite
/// \param kv   one layer with length ≥ M, values finite (KvCache sees to it)
/// \param out  [M, n_heads · head_dim] written in full, nothing outside it
/// \throws ContractError when a shape does not fit, the cache is shorter than M, M is above a window, or an entry of the block table
///         lies outside the pool.
void attention_decode(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                      const Machine& machine);

/// \throws ContractError as attention_decode.
void check_attention_decode(MatrixView<const float> Q, const KvView& kv,
                            MatrixView<const float> out);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost attention_decode_cost(KvFormats formats, std::int64_t M, std::int64_t n_heads,
                                     std::int64_t n_kv_heads, std::int64_t head_dim,
                                     std::int64_t length) {
  const std::int64_t k_codes = k_window_start(formats.k, length);
  const std::int64_t v_codes = v_window_start(formats.v, length);
  const std::int64_t kv_bytes = k_codes * kv_row_bytes(formats.k, head_dim) +
                                v_codes * kv_row_bytes(formats.v, head_dim) +
                                (2 * length - k_codes - v_codes) * 2 * head_dim;  // windows
  return {.bytes = n_kv_heads * kv_bytes + 8 * M * n_heads * head_dim,
          .flops = 4 * M * n_heads * head_dim * length};
}

/// The oracle: two passes in double over the cache as stored, of as many of the first heads as `value`
/// and `tolerance` [M, heads · head_dim] have room for. `tolerance` is that of one output:
/// (2·max δ + (2·√L + 4)·2⁻²⁴)·Σ pₜ·|vₜ| + 2⁻¹²⁶·Σ|vₜ| with δₜ = 2·√head_dim·2⁻²⁴·Σ|q·kₜ| /
/// √head_dim, L the tokens seen (two roundings of 2⁻²⁴ in each of exp and its argument are in the
/// 4; a weight under FP32's normal numbers may become 0, hence the last term). The value of a
/// code in a group is the float nearest to scale · code + minimum.
void attention_decode_ref(MatrixView<const float> Q, const KvView& kv, MatrixView<double> value,
                          MatrixView<double> tolerance);

/// Rung 1: one pass over the cache: a score larger than all before it rescales the sums so far.
void attention_decode_v1_scalar(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                                ThreadPool& threads);
#if QLAB_X86
/// Rung 2: the softmax rescales once a block, not once a token; codes of a byte or more widen in
/// registers, smaller ones once a block, and the rows of Q that share a KV head meet a block of it
/// while it is in the first cache.
void attention_decode_v2_avx2(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                              ThreadPool& threads);
/// Rung 3: with 32 registers four rows of Q share each widening of K and V; a code of 4 bits
/// chooses its value from a register that holds all sixteen.
void attention_decode_v3_avx512(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                                ThreadPool& threads);
#endif

inline constexpr Rung<decltype(attention_decode_v1_scalar)> kAttentionDecodeRungs[] = {
    {.name = "v1_scalar", .run = attention_decode_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = attention_decode_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_avx512", .run = attention_decode_v3_avx512, .needs = Isa::kAvx512},
#endif
};

}  // namespace qlab
