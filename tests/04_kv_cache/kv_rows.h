// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of KvCache share: its bytes, and small caches whose rows can be read.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "04_kv_cache/kv_cache.h"
#include "common/formats.h"

namespace qlab::test {

/// The bytes of one side of a layer: codes, scales, minima, window. With a copy of each, so that a test
/// can compare two states.
inline void add_bytes(const KvView& view, const KvTensor& tensor,
                      std::vector<std::uint8_t>& bytes) {
  const std::int64_t rows = view.n_kv_heads * view.pool_blocks;
  const auto add = [&](const void* from, std::int64_t count) {
    if (from == nullptr) return;
    const auto* first = static_cast<const std::uint8_t*>(from);
    bytes.insert(bytes.end(), first, first + count);
  };
  add(tensor.codes, rows * view.block_tokens * kv_code_bytes(tensor.format, view.head_dim));
  add(tensor.scale, rows * tensor.scales_per_block * 2);
  add(tensor.minimum, rows * tensor.scales_per_block * 2);
  add(tensor.window, view.n_kv_heads * 2 * kKvWindow * view.head_dim * 2);
}

/// All bytes of a layer, so that two states can be compared.
inline std::vector<std::uint8_t> bytes_of(const KvCache& cache, std::int64_t layer) {
  const KvView view = cache.layer(layer);
  std::vector<std::uint8_t> bytes;
  add_bytes(view, view.k, bytes);
  add_bytes(view, view.v, bytes);
  return bytes;
}

/// Fills everything that a layer stores with NaNs of every format. The cache owns it and is not const.
inline void poison(const KvCache& cache, std::int64_t layer) {
  const KvView view = cache.layer(layer);
  const std::int64_t rows = view.n_kv_heads * view.pool_blocks;
  const auto fill = [&](const void* to, std::int64_t count) {
    if (to != nullptr) std::memset(const_cast<void*>(to), 0xFF, static_cast<std::size_t>(count));
  };
  for (const KvTensor& tensor : {view.k, view.v}) {
    fill(tensor.codes, rows * view.block_tokens * kv_code_bytes(tensor.format, view.head_dim));
    fill(tensor.scale, rows * tensor.scales_per_block * 2);
    fill(tensor.minimum, rows * tensor.scales_per_block * 2);
    fill(tensor.window, view.n_kv_heads * 2 * kKvWindow * view.head_dim * 2);
  }
}

/// The head_dim nearest to `wanted` that a format takes.
inline std::int64_t fitting_dim(KvFormats formats, std::int64_t wanted) {
  const bool packed = kv_traits(formats.k).bits < 8 || kv_traits(formats.v).bits < 8;
  return packed ? (wanted + kKvGroup - 1) / kKvGroup * kKvGroup : wanted;
}

/// The cache of one token of one head.
inline KvCache cache_of(KvFormat format, const std::vector<float>& k) {
  const auto D = static_cast<std::int64_t>(k.size());
  KvCache cache(format, 1, 1, D, 1);
  cache.append(0, {k.data(), 1, D, D}, {k.data(), 1, D, D});
  return cache;
}

template <class Code>
std::vector<Code> codes_of(const KvTensor& tensor, std::size_t count) {
  const Code* const first = reinterpret_cast<const Code*>(tensor.codes);
  return {first, first + count};
}

template <class Format>
std::vector<int> bits_of(const KvTensor& tensor, std::size_t count) {
  std::vector<int> bits;
  for (const Format code : codes_of<Format>(tensor, count)) bits.push_back(code.bits);
  return bits;
}

struct Int8Row {
  float scale;
  std::vector<int> codes;
};
inline Int8Row int8_row(const std::vector<float>& x) {
  const KvCache cache = cache_of(KvFormat::kInt8, x);
  const KvView view = cache.layer(0);
  const auto codes = codes_of<std::int8_t>(view.k, x.size());
  return {to_float(view.k.scale[0]), {codes.begin(), codes.end()}};
}

}  // namespace qlab::test
