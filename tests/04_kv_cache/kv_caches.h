// SPDX-License-Identifier: Apache-2.0
/// \file
/// Caches: what kv_cuda_bench measures on, drawn on the device, and the samples that it compares.
/// For nvcc only.
#pragma once

#include <cmath>
#include <cstdio>
#include <vector>

#include "04_kv_cache/attention_decode_split.h"
#include "04_kv_cache/attention_decode_split_ref.h"
#include "common/random.h"
#include "support/cuda_bench.h"

namespace qlab::test {

inline constexpr int kHeads = 32, kKvHeads = 8, kHeadDim = 128;  // of Llama-3-8B
inline constexpr std::size_t kColdBytes = std::size_t{320} << 20;

inline __device__ std::uint32_t mix(std::uint64_t i) {  // SplitMix64's last steps
  i = (i + 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9;
  return static_cast<std::uint32_t>((i ^ i >> 31) >> 16);
}

/// Codes that are finite: FP16 within 1, INT8 any, E4M3 within 1.875.
inline __global__ void draw_codes(KvDeviceFormat format, std::uint32_t* words, std::size_t count) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const std::uint32_t bits = mix(i);
    words[i] = format == KvDeviceFormat::kFp16   ? bits & 0xBBFF'BBFF
               : format == KvDeviceFormat::kInt8 ? bits
                                                 : bits & 0xBFBF'BFBF;
  }
}
inline __global__ void draw_scales(half* scales, std::size_t count) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    scales[i] = __float2half(0.004F + 0x1p-39F * static_cast<float>(mix(~i)));
  }
}

/// Caches of one format, so many that a pass over them is larger than the L2, and what is computed.
class Caches {
 public:
  Caches(KvDeviceFormat format, int batch, int context, int max_splits)
      : format_(format),
        batch_(batch),
        context_(context),
        rows_(std::size_t(batch) * kKvHeads * std::size_t(context)),
        codes_bytes_(rows_ * kHeadDim * std::size_t(kv_code_bytes(format))),
        copies_((kColdBytes + 2 * codes_bytes_ - 1) / (2 * codes_bytes_)),
        lengths_(std::size_t(batch), context),
        codes_(2 * copies_ * codes_bytes_ +
               codes_bytes_ / 16),  // a read takes the scales' share too
        scales_(format == KvDeviceFormat::kInt8 ? 2 * copies_ * rows_ : 1),
        head_scale_(std::vector<float>(kKvHeads, 0.5F)),
        device_lengths_(lengths_),
        q_(random_q(batch)),
        q_device_(q_),
        m_(heads() * std::size_t(max_splits)),
        l_(heads() * std::size_t(max_splits)),
        o_(heads() * std::size_t(max_splits) * kHeadDim),
        out_(heads() * kHeadDim) {
    simt::launch(4096, 256, 0, draw_codes, format, reinterpret_cast<std::uint32_t*>(codes_.data()),
                 codes_.size() / 4);
    simt::launch(1024, 256, 0, draw_scales, scales_.data(), scales_.size());
  }

  std::size_t heads() const { return std::size_t(batch_) * kHeads; }
  std::size_t copies() const { return copies_; }
  Cost cost() const {
    return attention_decode_split_cost(format_, batch_, kHeads, kKvHeads, kHeadDim,
                                       std::int64_t{batch_} * context_);
  }

  void attend(std::size_t copy, int splits, cudaStream_t stream) {
    exercise::attention_decode_split({.q = q_device_.data(),
                                      .kv = {.format = format_,
                                             .batch = batch_,
                                             .n_kv_heads = kKvHeads,
                                             .head_dim = kHeadDim,
                                             .capacity = context_,
                                             .k = tensor(copy, 0),
                                             .v = tensor(copy, 1)},
                                      .lengths = lengths_,
                                      .device_lengths = device_lengths_.data(),
                                      .n_heads = kHeads,
                                      .splits = splits,
                                      .parts = {.m = m_.data(), .l = l_.data(), .o = o_.data()},
                                      .out = out_.data()},
                                     stream);
  }
  void read(std::size_t copy, unsigned blocks, cudaStream_t stream) {
    const uint4* const from = static_cast<const uint4*>(tensor(copy, 0).codes);
    const std::size_t words = static_cast<std::size_t>(cost().bytes) / 16;
    read_all<<<blocks, 256, 0, stream>>>(from, words, reinterpret_cast<unsigned*>(m_.data()));
    check(cudaGetLastError(), "read");
  }
  void poison(cudaStream_t stream) {
    check(cudaMemsetAsync(out_.data(), 0xFF, out_.size() * sizeof(float), stream),
          "poison");  // NaN
  }

  /// Whether the output is right for this copy, in the first, the last and some other heads.
  bool is_right(std::size_t copy) {
    const std::vector<float> out = out_.to_host();
    Random random(7);
    for (int i = 0; i < 6; ++i) {
      const auto head = i == 0   ? 0
                        : i == 1 ? heads() - 1
                                 : std::size_t(random.below(static_cast<std::int64_t>(heads())));
      const AttentionHeadRef ref = reference(copy, head);
      for (std::size_t d = 0; d < kHeadDim; ++d) {
        const double came = out[head * kHeadDim + d];
        if (std::fabs(came - ref.value[d]) <= ref.tolerance[d]) continue;
        std::fprintf(stderr, "MISMATCH in head %zu, channel %zu: expected %.9g, got %.9g\n", head,
                     d, ref.value[d], came);
        return false;
      }
    }
    return true;
  }

 private:
  static std::vector<half> random_q(int batch) {
    Random random(3);
    std::vector<half> q(std::size_t(batch) * kHeads * kHeadDim);
    for (half& x : q) x = __float2half(static_cast<float>(random.uniform(-1, 1)));
    return q;
  }
  KvDeviceTensor tensor(std::size_t copy, std::size_t which) const {
    const std::size_t i = 2 * copy + which;
    return {.codes = codes_.data() + i * codes_bytes_,
            .token_scale = format_ == KvDeviceFormat::kInt8 ? scales_.data() + i * rows_ : nullptr,
            .head_scale = format_ == KvDeviceFormat::kFp8E4m3 ? head_scale_.data() : nullptr};
  }
  AttentionHeadRef reference(std::size_t copy, std::size_t head) const {
    const std::size_t tokens = std::size_t(context_);
    const std::size_t row =
        (head / kHeads * kKvHeads + head % kHeads / (kHeads / kKvHeads)) * tokens;
    const std::size_t row_bytes = codes_bytes_ / rows_;
    std::vector<std::uint8_t> codes[2];
    std::vector<half_t> scales[2];
    for (std::size_t i = 0; i < 2; ++i) {
      codes[i].resize(tokens * row_bytes);
      scales[i].resize(tokens);
      const KvDeviceTensor from = tensor(copy, i);
      check(cudaMemcpy(codes[i].data(), static_cast<const char*>(from.codes) + row * row_bytes,
                       codes[i].size(), cudaMemcpyDefault),
            "codes");
      if (from.token_scale == nullptr) continue;
      check(cudaMemcpy(scales[i].data(), from.token_scale + row, 2 * tokens, cudaMemcpyDefault),
            "scales");
    }
    half_t q[kHeadDim];
    for (std::size_t d = 0; d < kHeadDim; ++d)
      q[d].bits = __half_as_ushort(q_[head * kHeadDim + d]);
    return attention_head_ref(q, {.format = format_,
                                  .length = context_,
                                  .head_dim = kHeadDim,
                                  .k = {codes[0].data(), scales[0].data(), 0.5F},
                                  .v = {codes[1].data(), scales[1].data(), 0.5F}});
  }

  KvDeviceFormat format_;
  int batch_, context_;
  std::size_t rows_, codes_bytes_, copies_;  // of K, or of V, in one cache
  std::vector<int> lengths_;
  simt::Buffer<std::uint8_t> codes_;  // [copies, K and V, batch, n_kv_heads, context, head_dim]
  simt::Buffer<half> scales_;         // [copies, K and V, batch, n_kv_heads, context]
  simt::Buffer<float> head_scale_;
  simt::Buffer<int> device_lengths_;
  std::vector<half> q_;
  simt::Buffer<half> q_device_;
  simt::Buffer<float> m_, l_, o_, out_;
};

}  // namespace qlab::test
