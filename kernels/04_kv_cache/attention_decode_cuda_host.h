// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every rung of attention_decode_cuda does on the host: refuse operands that do not fit, pick
/// the kernel of a format, and launch it.
#pragma once

#include <cmath>
#include <cstdint>

#include "04_kv_cache/attention_decode_cuda.h"

namespace qlab::decode {

/// What a rung reads.
enum class Layout { kContiguous, kPaged };

/// Refuses K or V that does not fit its format.
inline void check_tensor(const char* operation, const char* name, DecodeFormat format,
                         const DecodeTensor& tensor) {
  QLAB_CHECK(
      tensor.codes != nullptr && reinterpret_cast<std::uintptr_t>(tensor.codes) % 16 == 0,
      operation, ": ", name,
      " is not 16-byte aligned, as the copies to shared memory need it; pass the start of an "
      "allocation");
  QLAB_CHECK((tensor.token_scale != nullptr) == (format == DecodeFormat::kInt8), operation, ": ",
             name, " needs token_scale with INT8 codes, and must not have it otherwise");
  QLAB_CHECK((tensor.head_scale != nullptr) == (format == DecodeFormat::kFp8E4m3), operation, ": ",
             name, " needs head_scale with FP8 codes, and must not have it otherwise");
  QLAB_CHECK((tensor.token_grid != nullptr) == (format == DecodeFormat::kInt4), operation, ": ",
             name, " needs token_grid with INT4 codes, and must not have it otherwise");
}

/// Refuses lengths that are not as many as sequences, or that no sequence has room for.
inline void check_lengths(const char* operation, const DecodeAttention& a) {
  QLAB_CHECK(std::ssize(a.lengths) == a.kv.batch, operation, ": ", std::ssize(a.lengths),
             " lengths for a batch of ", a.kv.batch);
  for (int b = 0; b < a.kv.batch; ++b) {
    const int length = a.lengths[static_cast<std::size_t>(b)];
    QLAB_CHECK(length >= 1 && length <= a.kv.capacity, operation, ": length ", length,
               " of sequence ", b, " is not within 1 and the capacity ", a.kv.capacity,
               "; write the new token's K and V to the cache first");
  }
}

/// Refuses pages of a size that no kernel has, and a table that leads out of the pool. Entries
/// behind the page of a sequence's last token may be anything.
inline void check_pages(const char* operation, const DecodeAttention& a) {
  const DecodePages& pages = a.kv.pages;
  const int size = pages.block_size;
  QLAB_CHECK(size == 16 || size == 32 || size == 64 || size == 128, operation, ": block_size is ",
             size,
             ", but kernels exist for pages of 16, 32, 64 and 128 tokens; choose one of them");
  QLAB_CHECK(a.kv.capacity % size == 0, operation, ": the capacity ", a.kv.capacity,
             " is no whole number of pages of ", size, " tokens; it is max_blocks · block_size");
  const std::int64_t max_blocks = a.kv.capacity / size;
  QLAB_CHECK(std::ssize(a.block_table) == a.kv.batch * max_blocks, operation, ": block_table has ",
             std::ssize(a.block_table), " entries on the host, not ", a.kv.batch, " sequences of ",
             max_blocks, "; pass what was copied to the device");
  for (int b = 0; b < a.kv.batch; ++b) {
    const std::int64_t used = (a.lengths[static_cast<std::size_t>(b)] + size - 1) / size;
    for (std::int64_t i = 0; i < used; ++i) {
      const int block = a.block_table[static_cast<std::size_t>(b * max_blocks + i)];
      QLAB_CHECK(block >= 0 && block < pages.n_blocks, operation, ": entry ", i, " of sequence ", b,
                 " is block ", block, " of a pool of ", pages.n_blocks,
                 "; give the sequence a block for each ", size, " tokens first");
    }
  }
}

/// Refuses operands that do not fit, before anything is read on the device.
inline void check_attention(const char* operation, const DecodeAttention& a, Layout layout) {
  const DecodeCache& kv = a.kv;
  QLAB_CHECK(layout == Layout::kPaged || kv.pages.table == nullptr, operation,
             ": the cache lies in pages, which this rung does not know; use v5_paged");
  QLAB_CHECK(layout == Layout::kContiguous || kv.pages.table != nullptr, operation,
             ": the cache has no table of pages; use v4_mma for one that is contiguous");
  QLAB_CHECK(kv.batch >= 1 && kv.n_kv_heads >= 1 && kv.capacity >= 1, operation,
             ": the cache has batch ", kv.batch, ", n_kv_heads ", kv.n_kv_heads, ", capacity ",
             kv.capacity, "; each is at least 1");
  QLAB_CHECK(kv.head_dim == 64 || kv.head_dim == 128, operation, ": head_dim is ", kv.head_dim,
             ", but kernels exist for 64 and 128; pad the head with zeros");
  check_tensor(operation, "K", kv.format, kv.k);
  check_tensor(operation, "V", kv.format, kv.v);
  QLAB_CHECK(a.n_heads >= 1 && a.n_heads % kv.n_kv_heads == 0, operation, ": ", a.n_heads,
             " query heads on ", kv.n_kv_heads,
             " KV heads; each KV head serves a whole number of query heads, from 1 on");
  QLAB_CHECK(a.n_heads / kv.n_kv_heads <= kSplitMaxGroup, operation, ": ",
             a.n_heads / kv.n_kv_heads, " query heads share a KV head, but a fragment has ",
             kSplitMaxGroup, " columns");
  QLAB_CHECK(a.splits >= 1, operation, ": splits is ", a.splits,
             "; 1 leaves the context whole, and choose_decode_splits knows more");
  check_lengths(operation, a);
  if (layout == Layout::kPaged) check_pages(operation, a);
}

/// The same of a rung from v3 on, which needs memory to work in.
inline void check_split_rung(const char* operation, const DecodeAttention& a, Layout layout) {
  check_attention(operation, a, layout);
  QLAB_CHECK(a.splits == 1 || (a.parts.m != nullptr && a.parts.l != nullptr &&
                               a.parts.o != nullptr && a.arrived != nullptr),
             operation, ": ", a.splits,
             " splits need parts and arrived, where blocks leave what the last one merges");
}

/// Calls launch.operator()<format, head_dim>() with those of the cache.
template <class Launch>
void with_format(const DecodeCache& kv, Launch launch) {
  const auto with_head_dim = [&]<DecodeFormat kFormat>() {
    if (kv.head_dim == 64) return launch.template operator()<kFormat, 64>();
    launch.template operator()<kFormat, 128>();
  };
  switch (kv.format) {
    case DecodeFormat::kFp16:
      return with_head_dim.template operator()<DecodeFormat::kFp16>();
    case DecodeFormat::kInt8:
      return with_head_dim.template operator()<DecodeFormat::kInt8>();
    case DecodeFormat::kFp8E4m3:
      return with_head_dim.template operator()<DecodeFormat::kFp8E4m3>();
    case DecodeFormat::kInt4:
      return with_head_dim.template operator()<DecodeFormat::kInt4>();
  }
}

/// What scores are multiplied by, log₂ e included: 2^x is an instruction, e^x is not.
inline float score_scale(int head_dim) {
  constexpr float kLog2E = 1.442695041F;
  return kLog2E / std::sqrt(static_cast<float>(head_dim));
}

/// A kernel whose blocks are splits: q, K and V, lengths, n_heads, what scores are multiplied by,
/// parts, arrived, out.
using SplitKernel = void(const half*, DecodeCache, const int*, int, float, SplitParts, unsigned*,
                         half*);

/// Launches it, a block for each split of each KV head of each sequence.
inline void launch_splits(const DecodeAttention& a, Stream stream, int threads, int shared_bytes,
                          SplitKernel* kernel) {
  const dim3 grid(static_cast<unsigned>(a.splits), static_cast<unsigned>(a.kv.n_kv_heads),
                  static_cast<unsigned>(a.kv.batch));
  enqueue(stream, grid, static_cast<unsigned>(threads), static_cast<std::size_t>(shared_bytes),
          kernel, a.q, a.kv, a.device_lengths, a.n_heads, score_scale(a.kv.head_dim), a.parts,
          a.arrived, a.out);
}

}  // namespace qlab::decode
