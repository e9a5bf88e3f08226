// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of KvCache share: its bytes, and small caches whose rows can be read.
#pragma once

#include <cstdint>
#include <vector>

#include "04_kv_cache/kv_cache.h"
#include "common/formats.h"

namespace qlab::test {

inline constexpr KvFormat kFormats[] = {KvFormat::kFp32, KvFormat::kFp16, KvFormat::kInt8,
                                        KvFormat::kFp8E4m3};

/// All bytes of a layer, so that two states can be compared.
inline std::vector<std::uint8_t> bytes_of(const KvCache& cache, std::int64_t layer) {
  const KvView view = cache.layer(layer);
  const std::int64_t rows = view.n_kv_heads * view.capacity;
  const std::int64_t scale_bytes = view.k.scale == nullptr ? 0 : 2;
  const std::int64_t code_bytes = kv_row_bytes(view.format, view.head_dim) - scale_bytes;
  std::vector<std::uint8_t> bytes;
  for (const KvTensor& tensor : {view.k, view.v}) {
    const auto* codes = static_cast<const std::uint8_t*>(tensor.codes);
    const auto* scale = reinterpret_cast<const std::uint8_t*>(tensor.scale);
    bytes.insert(bytes.end(), codes, codes + rows * code_bytes);
    if (scale != nullptr) bytes.insert(bytes.end(), scale, scale + rows * scale_bytes);
  }
  return bytes;
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
  const Code* const first = static_cast<const Code*>(tensor.codes);
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
