// SPDX-License-Identifier: Apache-2.0
/// \file
/// unpack_row: the codes of one token and head as floats, and the factor that makes values of them.
///
/// Bottleneck   a call for each token and head read
/// Bytes moved  kv_row_bytes read
/// FLOPs        2 · head_dim where groups have a minimum
/// Teaches      one factor for the whole row waits until after the sum; scales that vary inside do not
/// Leaves out   doing eight at a time (kv_codes_avx2)
#pragma once

#include "04_kv_cache/kv_cache.h"
#include "04_kv_cache/kv_quantize.h"

namespace qlab {

namespace kv_detail {

/// codes [count] to floats, out [count].
template <class Code>
void widen_row(const Code* codes, std::int64_t count, float* out) {
  for (std::int64_t d = 0; d < count; ++d) out[d] = to_float(codes[d]);
}

}  // namespace kv_detail

/// value[d] = factor · out[d], factor returned. From `window_start` on tokens are read from the FP16
/// window (k_window_start, v_window_start).
/// \param out  [head_dim]
inline float unpack_row(const KvView& kv, const KvTensor& tensor, std::int64_t window_start,
                        std::int64_t head, std::int64_t t, float* out) {
  const std::int64_t D = kv.head_dim;
  if (t >= window_start) {
    kv_detail::widen_row(kv.window_row(tensor, head, t), D, out);
    return 1;
  }
  const std::uint8_t* const row = kv.row(tensor, head, t);
  const int bits = kv_traits(tensor.format).bits;
  switch (tensor.format) {
    case KvFormat::kFp32:
      std::copy_n(kv.row<float>(tensor, head, t), D, out);
      return 1;
    case KvFormat::kFp16:
      kv_detail::widen_row(kv.row<half_t>(tensor, head, t), D, out);
      return 1;
    case KvFormat::kFp8E4m3:
      kv_detail::widen_row(kv.row<fp8_e4m3_t>(tensor, head, t), D, out);
      return tensor.head_scale[head];
    case KvFormat::kFp8E5m2:
      kv_detail::widen_row(kv.row<fp8_e5m2_t>(tensor, head, t), D, out);
      return tensor.head_scale[head];
    case KvFormat::kInt8:
      std::copy_n(kv.row<std::int8_t>(tensor, head, t), D, out);
      return to_float(tensor.scale[kv.scale_index(tensor, head, t)]);
    case KvFormat::kInt4Head:
      for (std::int64_t d = 0; d < D; ++d) {
        out[d] = static_cast<float>(static_cast<int>(kv_code(row, d, bits)) - 8);
      }
      return to_float(tensor.scale[kv.scale_index(tensor, head, t)]);
    case KvFormat::kInt4:
    case KvFormat::kInt2:
    case KvFormat::kKivi4:
    case KvFormat::kKivi2:
      break;
  }
  const std::int64_t first = kv.scale_index(tensor, head, t);
  for (std::int64_t d = 0; d < D; ++d) {
    const std::int64_t i = first + (tensor.scales == KvScales::kTokenGroups ? d : d / kKvGroup);
    out[d] = to_float(tensor.scale[i]) * static_cast<float>(kv_code(row, d, bits)) +
             to_float(tensor.minimum[i]);
  }
  return 1;
}

}  // namespace qlab
