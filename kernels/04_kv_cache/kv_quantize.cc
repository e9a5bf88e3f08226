// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rounding of rows and groups of a cache.
#include "04_kv_cache/kv_quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace qlab {
namespace {

template <class Format>
void round_to(std::span<const float> x, float scale, std::uint8_t* codes) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Format code = from_float<Format>(x[i] / scale);
    std::memcpy(codes + i * sizeof(Format), &code, sizeof(Format));
  }
}

/// FP16 of a positive step, never 0: a scale divides.
half_t stored_scale(float step) {
  const half_t scale = from_float<half_t>(step);
  return scale.bits == 0 ? half_t{1} : scale;
}

float largest_code(KvFormat format) { return format == KvFormat::kInt8 ? 127 : 7; }

}  // namespace

float kv_too_large(KvFormat format) {
  switch (kv_traits(format).v) {
    case KvScales::kToken:
      return largest_code(format) * 65520;
    case KvScales::kChannelGroups:
    case KvScales::kTokenGroups:
      return 65520;
    case KvScales::kNone:
    case KvScales::kHead:
      break;
  }
  return format == KvFormat::kFp16 ? 65520 : std::numeric_limits<float>::infinity();
}

void round_kv_row(KvFormat format, std::span<const float> x, float scale, std::uint8_t* codes) {
  if (format == KvFormat::kFp32) std::memcpy(codes, x.data(), x.size_bytes());
  if (format == KvFormat::kFp16) round_to<half_t>(x, 1, codes);
  if (format == KvFormat::kFp8E4m3) round_to<fp8_e4m3_t>(x, scale, codes);
  if (format == KvFormat::kFp8E5m2) round_to<fp8_e5m2_t>(x, scale, codes);
}

half_t quantize_kv_row(KvFormat format, std::span<const float> x, std::uint8_t* codes) {
  float absmax = 0;
  for (const float value : x) absmax = std::max(absmax, std::fabs(value));
  const float largest = largest_code(format);
  const half_t stored = absmax == 0 ? from_float<half_t>(1) : stored_scale(absmax / largest);
  const float scale = to_float(stored);
  const int bits = kv_traits(format).bits;
  std::memset(codes, 0, x.size() * static_cast<std::size_t>(bits) / 8);
  for (std::size_t i = 0; i < x.size(); ++i) {
    // The stored scale may be smaller than absmax / largest: the clamp comes before the cast.
    const float code = std::clamp(std::nearbyint(x[i] / scale), -largest, largest);
    const int offset = format == KvFormat::kInt4Head ? 8 : 0;  // nibbles have no sign
    put_kv_code(codes, static_cast<std::int64_t>(i), bits,
                static_cast<std::uint8_t>(static_cast<int>(code) + offset));
  }
  return stored;
}

KvGroupScale quantize_kv_group(std::span<const float> x, int bits, std::uint8_t* codes) {
  const auto [least, most] = std::ranges::minmax(x);
  const auto largest = static_cast<float>((1 << bits) - 1);
  const half_t minimum = from_float<half_t>(least);
  if (least == most) {  // no step: every code is 0
    std::fill_n(codes, x.size(), std::uint8_t{0});
    return {.scale = from_float<half_t>(1), .minimum = minimum};
  }
  const half_t stored = stored_scale((most - least) / largest);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float steps = (x[i] - to_float(minimum)) / to_float(stored);
    codes[i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(steps), 0.0F, largest));
  }
  return {.scale = stored, .minimum = minimum};
}

}  // namespace qlab
