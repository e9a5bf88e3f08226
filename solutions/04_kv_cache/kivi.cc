// SPDX-License-Identifier: Apache-2.0
/// \file
/// kivi: when a token leaves the window, the codes of a group, and scores from codes.
///
/// Bottleneck   each sum waits for the one before: codes of 2 bits and of 4 take as long
/// Teaches      keys share scales along a channel, so they wait until a group of tokens is whole
/// Leaves out   SIMD; the softmax between scores and output
#include "04_kv_cache/kivi.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace qlab::exercise {
namespace {

/// tokens · channels = group values that share a scale, at (token, channel) of the cache.
struct Block {
  std::int64_t token, tokens, channel, channels;
};

/// Takes the block from the window and writes its codes, its scale and its minimum.
void quantize_block(const KiviShape& shape, Block b, KiviTensor& x) {
  QLAB_CHECK(b.tokens * b.channels == shape.group, "kivi: a block of ", b.tokens, " tokens and ",
             b.channels, " channels; a group has ", shape.group, " values");
  QLAB_CHECK(b.token >= 0 && b.token + b.tokens <= shape.capacity && b.channel >= 0 &&
                 b.channel + b.channels <= shape.head_dim,
             "kivi: the block at token ", b.token, ", channel ", b.channel, " leaves the cache");
  std::array<half_t, kKiviLargestGroup> values;
  std::array<std::uint8_t, kKiviLargestGroup> codes;
  const auto n = static_cast<std::size_t>(shape.group);
  const auto token = [&](std::size_t i) { return b.token + static_cast<int>(i) / b.channels; };
  const auto channel = [&](std::size_t i) { return b.channel + static_cast<int>(i) % b.channels; };
  for (std::size_t i = 0; i < n; ++i) values[i] = x.window(token(i) % shape.window, channel(i));
  const KiviGroup group = kivi_quantize_group({values.data(), n}, shape.bits, {codes.data(), n});
  for (std::size_t i = 0; i < n; ++i) {
    kivi_set_code(x.codes.view().row(token(i)), shape.bits, channel(i), codes[i]);
  }
  // Blocks are counted along the channels first: that is where both tensors keep their scales.
  const std::int64_t number =
      b.token / b.tokens * (shape.head_dim / b.channels) + b.channel / b.channels;
  x.scale.data()[number] = group.scale;
  x.min.data()[number] = group.min;
}

void check_token(const char* operand, std::span<const float> x, const KiviCache& cache) {
  QLAB_CHECK(std::ssize(x) == cache.shape.head_dim, "kivi_append: ", operand, " has ", x.size(),
             " channels, head_dim is ", cache.shape.head_dim);
  for (std::size_t d = 0; d < x.size(); ++d) {
    QLAB_CHECK(std::isfinite(to_float(from_float<half_t>(x[d]))), "kivi_append: ", operand,
               " of token ", cache.length, ", channel ", d, " is ", x[d],
               "; only what is finite in FP16 can be cached");
  }
}

/// Rounds a token into row `row` of the window.
void store(std::span<const float> x, KiviTensor& tensor, std::int64_t row) {
  for (std::size_t d = 0; d < x.size(); ++d) {
    tensor.window(row, static_cast<std::int64_t>(d)) = from_float<half_t>(x[d]);
  }
}

}  // namespace

KiviGroup kivi_quantize_group(std::span<const half_t> x, int bits, std::span<std::uint8_t> codes) {
  const auto last = static_cast<float>((1 << bits) - 1);  // the largest code
  float low = to_float(x[0]), high = low;
  half_t scale = from_float<half_t>(1);
  // BEGIN SOLUTION [kivi_group] Quantize one group
  // Set `low` to the smallest x and `high` to the largest, and `scale` to the step that takes code
  // 0 to `low` and code `last` to `high`: as FP16 keeps it, or 1 where that would be 0. Write
  // codes[i]: steps of that scale from `low` up to x[i], ties to even, 0 … `last`.

  for (const half_t value : x) {
    low = std::min(low, to_float(value));
    high = std::max(high, to_float(value));
  }
  // A constant group has no step, and one of 2⁻²⁴ may have none that FP16 holds: with scale 1 all
  // codes become 0, and every value is read as the minimum.
  const half_t step = from_float<half_t>((high - low) / last);
  if (to_float(step) > 0) scale = step;
  // Counted from the minimum itself: no code is spent on 0, which may lie far away. The clamp is
  // for subnormal scales, which FP16 may round down by a third.
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float steps = std::nearbyint((to_float(x[i]) - low) / to_float(scale));
    codes[i] = static_cast<std::uint8_t>(std::clamp(steps, 0.0F, last));
  }
  // END SOLUTION [kivi_group]
  return {.scale = scale, .min = from_float<half_t>(low)};
}

void kivi_append(std::span<const float> k, std::span<const float> v, KiviCache& cache) {
  const KiviShape& shape = cache.shape;
  const std::int64_t D = shape.head_dim, group = shape.group, R = shape.window;
  const std::int64_t token = cache.length;
  QLAB_CHECK(token < shape.capacity, "kivi_append: the cache is full with ", token,
             " tokens; make its capacity larger");
  check_token("k", k, cache);
  check_token("v", v, cache);
  // BEGIN SOLUTION [kivi_window] Append a token, and code what leaves the window
  // Store k and v in row token % R of their windows and set cache.length. Once R keys have
  // gathered, code all R with quantize_block(): a block is `group` tokens of one channel. Of
  // values, code the one token that is R older than the new one: a block is `group` channels of it.

  // The oldest value stands where the new one goes: it must be coded before it is overwritten.
  if (token >= R) {
    for (std::int64_t c = 0; c < D; c += group) {
      quantize_block(shape, {token - R, /*tokens=*/1, c, /*channels=*/group}, cache.v);
    }
  }
  store(k, cache.k, token % R);
  store(v, cache.v, token % R);
  cache.length = token + 1;
  // Only whole groups of tokens can be coded: a token that came later would move the minimum and
  // the scale under the codes of the others.
  if (cache.length % R == 0) {
    for (std::int64_t first = cache.length - R; first < cache.length; first += group) {
      for (std::int64_t d = 0; d < D; ++d) {
        quantize_block(shape, {first, /*tokens=*/group, d, /*channels=*/1}, cache.k);
      }
    }
  }
  // END SOLUTION [kivi_window]
}

void kivi_scores(std::span<const float> q, const KiviCache& cache, std::span<float> scores) {
  const KiviShape& shape = cache.shape;
  const std::int64_t D = shape.head_dim, group = shape.group;
  QLAB_CHECK(std::ssize(q) == D, "kivi_scores: q has ", q.size(), " channels, head_dim is ", D);
  QLAB_CHECK(std::ssize(scores) == cache.length, "kivi_scores: scores has ", scores.size(),
             " places, the cache ", cache.length, " tokens");
  const auto code = [&](std::int64_t t, std::size_t d) {
    const std::uint8_t* const row = cache.k.codes.view().row(t);
    return static_cast<float>(kivi_code(row, shape.bits, static_cast<std::int64_t>(d)));
  };
  std::vector<float> scaled(q.size());  // q, with a block's scales in it
  for (std::int64_t first = 0; first < cache.coded_keys(); first += group) {
    const half_t* const scale = cache.k.scale.view().row(first / group);  // [D]
    const half_t* const min = cache.k.min.view().row(first / group);      // [D]
    // BEGIN SOLUTION [kivi_scores] Score a block of keys by their codes
    // Write scores[t] for the `group` tokens from `first` on: the sum over d of q[d] times (scale ·
    // code + min). code(t, d) is a code; scale[d] and min[d] are the same for the whole block. Do
    // what only depends on d once a block, not once a token: `scaled` has room for D numbers.

    // Per token this leaves one product and one sum a channel, as many as for a key in FP16.
    float of_minima = 0;
    for (std::size_t d = 0; d < q.size(); ++d) {
      scaled[d] = q[d] * to_float(scale[d]);
      of_minima += q[d] * to_float(min[d]);
    }
    for (std::int64_t t = first; t < first + group; ++t) {
      float sum = of_minima;
      for (std::size_t d = 0; d < q.size(); ++d) sum += scaled[d] * code(t, d);
      scores[static_cast<std::size_t>(t)] = sum;
    }
    // END SOLUTION [kivi_scores]
  }
  for (std::int64_t t = cache.coded_keys(); t < cache.length; ++t) {
    const half_t* const key = cache.k.window.view().row(t % shape.window);
    float sum = 0;
    for (std::size_t d = 0; d < q.size(); ++d) sum += q[d] * to_float(key[d]);
    scores[static_cast<std::size_t>(t)] = sum;
  }
}

void kivi_output(std::span<const float> p, const KiviCache& cache, std::span<float> out) {
  const KiviShape& shape = cache.shape;
  const std::int64_t D = shape.head_dim, group = shape.group;
  QLAB_CHECK(std::ssize(p) == cache.length, "kivi_output: p has ", p.size(), " places, the cache ",
             cache.length, " tokens");
  QLAB_CHECK(std::ssize(out) == D, "kivi_output: out has ", out.size(), " channels, head_dim is ",
             D);
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::int64_t t = 0; t < cache.length; ++t) {
    const float weight = p[static_cast<std::size_t>(t)];
    if (t >= cache.coded_values()) {
      const half_t* const value = cache.v.window.view().row(t % shape.window);
      for (std::size_t d = 0; d < out.size(); ++d) out[d] += weight * to_float(value[d]);
      continue;
    }
    // A value's scale belongs to its token, as p does: here the two become one factor.
    for (std::int64_t d = 0; d < D; ++d) {
      const float scaled = weight * to_float(cache.v.scale(t, d / group));
      const float of_min = weight * to_float(cache.v.min(t, d / group));
      const float code = kivi_code(cache.v.codes.view().row(t), shape.bits, d);
      out[static_cast<std::size_t>(d)] += scaled * code + of_min;
    }
  }
}

}  // namespace qlab::exercise
