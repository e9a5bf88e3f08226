// SPDX-License-Identifier: Apache-2.0
/// \file
/// How values become codes of a cache: a row of one token and head, or a group with a minimum.
///
/// Bottleneck   a few operations a value, once a token
/// Bytes moved  4 a value read, bits / 8 written
/// FLOPs        about 4 a value
/// Teaches      codes are computed with the scale as stored, so its rounding costs no accuracy twice
/// Leaves out   where the codes go (KvCache)
#pragma once

#include <cstdint>
#include <span>

#include "04_kv_cache/kv_format.h"
#include "common/formats.h"

namespace qlab {

/// The least magnitude that a format cannot hold: 65520 is the least that rounds to FP16's infinity, for
/// a value, a minimum, or a scale of a 127th or a 7th. Infinity for FP32 and FP8, which saturates.
float kv_too_large(KvFormat format);

/// FP32, FP16, FP8: codes of x / scale, saturating. x [D], codes [kv_code_bytes].
void round_kv_row(KvFormat format, std::span<const float> x, float scale, std::uint8_t* codes);

/// kInt8, kInt4Head: scale = FP16(max |x| / largest code), code = nearest(x / scale), ties to even, with
/// the scale as stored. Zeros get scale 1. No scale is under 2⁻²⁴, FP16's least: there a scale rounds
/// coarsely and a value may be clipped, by at most `largest code` · 2⁻²⁵. x [D], codes [kv_code_bytes].
half_t quantize_kv_row(KvFormat format, std::span<const float> x, std::uint8_t* codes);

/// What a group of codes shares.
struct KvGroupScale {
  half_t scale, minimum;
};

/// minimum = FP16(min x), scale = FP16((max x - min x) / (2^bits - 1)), code = nearest((x - minimum) /
/// scale) in 0 … 2^bits - 1, with both as stored. Equal values get codes 0 and scale 1. Source: Liu et
/// al., "KIVI", 2024, section 3.1, which stores the minimum as a number, not as a zero point.
/// \param codes  [x.size()], one a byte
KvGroupScale quantize_kv_group(std::span<const float> x, int bits, std::uint8_t* codes);

/// ORs code number i of `bits` bits into a row [bytes] of zeros: the first lowest in its byte.
inline void put_kv_code(std::uint8_t* row, std::int64_t i, int bits, unsigned code) {
  row[i * bits / 8] |= static_cast<std::uint8_t>(code << (i * bits % 8));
}
/// Code number i of a row [bytes].
inline unsigned kv_code(const std::uint8_t* row, std::int64_t i, int bits) {
  return (static_cast<unsigned>(row[i * bits / 8]) >> (i * bits % 8)) & ((1U << bits) - 1);
}

}  // namespace qlab
