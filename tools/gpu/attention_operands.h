// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the problems of attention_decode_cuda read: caches with random codes, in one piece or as a
/// pool of pages in random order, and a plain read of as many bytes. For nvcc only.
#pragma once

#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "04_kv_cache/attention_decode_cuda.h"
#include "04_kv_cache/attention_decode_cuda_ref.h"
#include "gpu/ladder.h"
#include "gpu/operands.h"

namespace qlab::gpu {

inline constexpr int kHeads = 32, kKvHeads = 8, kHeadDim = 128;  // of Llama-3-8B
inline constexpr float kHeadScale = 0.5F;

/// Codes that are finite: FP16 within 1, E4M3 within 1.875, INT8 and INT4 any.
inline __global__ void codes_kernel(DecodeFormat format, std::uint32_t* words, std::size_t count) {
  const std::uint32_t mask = format == DecodeFormat::kFp16      ? 0xBBFF'BBFF
                             : format == DecodeFormat::kFp8E4m3 ? 0xBFBF'BFBF
                                                                : 0xFFFF'FFFF;
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    words[i] = scattered(i, 1) & mask;
  }
}

/// Scales of INT8 around 0.01; grids of INT4 around 0.1, from about -0.75 on.
inline __global__ void scales_kernel(half* scales, half2* grids, std::size_t count) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const float part = static_cast<float>(scattered(i, 2)) * 0x1p-32F;
    if (scales != nullptr) scales[i] = __float2half_rn(0.005F + 0.01F * part);
    if (grids != nullptr) grids[i] = __floats2half2_rn(0.05F + 0.1F * part, -1.5F * part);
  }
}

/// How the same memory is read: as [blocks, n_kv_heads, block_size] rows. In one piece a sequence is
/// one block. All layers of a model have one table, which therefore stays warm.
struct Paging {
  int block_size;                            // tokens
  std::vector<int> blocks;                   // [batch, context / block_size]
  std::unique_ptr<simt::Buffer<int>> table;  // the same on the device; null: in one piece
};
inline Paging one_piece(int batch, int context) {
  Paging paging{context, std::vector<int>(static_cast<std::size_t>(batch)), nullptr};
  std::iota(paging.blocks.begin(), paging.blocks.end(), 0);
  return paging;
}
/// Every block of the pool, at random.
inline Paging shuffled_pages(int batch, int context, int block_size) {
  const int count = batch * (context / block_size);
  Paging paging{block_size, std::vector<int>(static_cast<std::size_t>(count)), nullptr};
  std::iota(paging.blocks.begin(), paging.blocks.end(), 0);
  Random random(11);
  for (int i = count - 1; i > 0; --i) {
    std::swap(paging.blocks[static_cast<std::size_t>(i)],
              paging.blocks[static_cast<std::size_t>(random.below(i + 1))]);
  }
  paging.table = std::make_unique<simt::Buffer<int>>(paging.blocks);
  return paging;
}

/// Appends `count` elements from the device.
template <class T>
void fetch(std::vector<T>& to, const void* from, std::size_t count) {
  to.resize(to.size() + count);
  simt::check(cudaMemcpy(to.data() + to.size() - count, from, count * sizeof(T), cudaMemcpyDefault),
              "fetch");
}

/// The operands of one problem, in so many copies that none is left in the L2.
class Attention {
 public:
  Attention(DecodeFormat format, int batch, int context, int kv_heads = kKvHeads)
      : format_(format),
        kv_heads_(kv_heads),
        batch_(batch),
        context_(context),
        splits_(choose_decode_splits(format, batch, kv_heads_, context, multiprocessors())),
        rows_(static_cast<std::size_t>(batch) * static_cast<std::size_t>(kv_heads) *
              static_cast<std::size_t>(context)),
        codes_bytes_(rows_ * kHeadDim * static_cast<std::size_t>(decode_bits(format)) / 8),
        copies_(copies_of(static_cast<std::size_t>(cost().bytes))),
        lengths_(static_cast<std::size_t>(batch), context),
        codes_(2 * copies_ * codes_bytes_ +
               codes_bytes_ / 4),  // a read takes the scales' share too
        scales_(format == DecodeFormat::kInt8 ? 2 * copies_ * rows_ : 0),
        grids_(format == DecodeFormat::kInt4 ? 2 * copies_ * rows_ : 0),
        head_scale_(std::vector<float>(static_cast<std::size_t>(kv_heads), kHeadScale)),
        device_lengths_(lengths_),
        q_(heads() * kHeadDim),
        m_(heads() * static_cast<std::size_t>(splits_)),
        l_(heads() * static_cast<std::size_t>(splits_)),
        o_(heads() * static_cast<std::size_t>(splits_) * kHeadDim),
        arrived_(std::vector<unsigned>(
            static_cast<std::size_t>(batch) * static_cast<std::size_t>(kv_heads), 0)),
        out_(heads() * kHeadDim) {
    simt::launch(4096, 256, 0, codes_kernel, format,
                 reinterpret_cast<std::uint32_t*>(codes_.data()), codes_.size() / 4);
    const bool has_scales = scales_.size() > 0, has_grids = grids_.size() > 0;
    simt::launch(1024, 256, 0, scales_kernel, has_scales ? scales_.data() : nullptr,
                 has_grids ? reinterpret_cast<half2*>(grids_.data()) : nullptr,
                 std::max(scales_.size(), grids_.size()));
    fill_uniform(q_.data(), q_.size(), 3);
  }

  std::size_t copies() const { return copies_; }
  Cost cost() const {
    return attention_decode_cuda_cost(format_, batch_, kHeads, kv_heads_, kHeadDim,
                                      std::int64_t{batch_} * context_);
  }
  void run(DecodeFunction* rung, const Paging& paging, std::size_t copy, Stream stream) {
    const bool in_pages = paging.table != nullptr;
    rung({.q = q_.data(),
          .kv = {.format = format_,
                 .batch = batch_,
                 .n_kv_heads = kv_heads_,
                 .head_dim = kHeadDim,
                 .capacity = context_,
                 .k = tensor(copy, 0),
                 .v = tensor(copy, 1),
                 .pages = {.table = in_pages ? paging.table->data() : nullptr,
                           .n_blocks = in_pages ? static_cast<int>(paging.blocks.size()) : 0,
                           .block_size = in_pages ? paging.block_size : 0}},
          .lengths = lengths_,
          .device_lengths = device_lengths_.data(),
          .block_table = in_pages ? std::span<const int>(paging.blocks) : std::span<const int>(),
          .n_heads = kHeads,
          .splits = splits_,
          .parts = {.m = m_.data(), .l = l_.data(), .o = o_.data()},
          .arrived = arrived_.data(),
          .out = out_.data()},
         stream);
  }
  void read(std::size_t copy, Stream stream) {
    plain_.enqueue_read(tensor(copy, 0).codes, static_cast<std::size_t>(cost().bytes), stream);
  }
  void poison(Stream stream) { poison_nan(out_, stream); }

  /// Whether the first head, the last and some between are right.
  bool right(const Paging& paging, std::size_t copy) {
    std::vector<Sample>& samples = samples_[{paging.block_size, copy}];
    if (samples.empty()) {
      Random random(7);
      for (int i = 0; i < 5; ++i) {
        const std::size_t head =
            i == 0   ? 0
            : i == 1 ? heads() - 1
                     : static_cast<std::size_t>(random.below(static_cast<std::int64_t>(heads())));
        samples.push_back({head, reference(paging, copy, head)});
      }
    }
    const std::vector<half> out = out_.to_host();
    for (const Sample& sample : samples) {
      for (std::size_t d = 0; d < kHeadDim; ++d) {
        const double got = __half2float(out[sample.head * kHeadDim + d]);
        if (!(std::fabs(got - sample.ref.value[d]) <= sample.ref.tolerance[d])) return false;
      }
    }
    for (const half x : out) {
      if (!std::isfinite(__half2float(x))) return false;
    }
    return true;
  }

 private:
  struct Sample {
    std::size_t head;
    DecodeHead ref;
  };

  std::size_t heads() const { return static_cast<std::size_t>(batch_) * kHeads; }
  DecodeTensor tensor(std::size_t copy, std::size_t which) const {
    const std::size_t i = 2 * copy + which;
    return {.codes = codes_.data() + i * codes_bytes_,
            .token_scale = format_ == DecodeFormat::kInt8 ? scales_.data() + i * rows_ : nullptr,
            .head_scale = format_ == DecodeFormat::kFp8E4m3 ? head_scale_.data() : nullptr,
            .token_grid = format_ == DecodeFormat::kInt4
                              ? reinterpret_cast<const half2*>(grids_.data()) + i * rows_
                              : nullptr};
  }
  DecodeHead reference(const Paging& paging, std::size_t copy, std::size_t head) const {
    const auto tokens = static_cast<std::size_t>(paging.block_size);  // of a block
    const std::size_t blocks = static_cast<std::size_t>(context_) / tokens;
    const std::size_t kv_heads = static_cast<std::size_t>(kv_heads_);
    const std::size_t g = head % kHeads / (kHeads / kv_heads), row_bytes = codes_bytes_ / rows_;
    std::vector<std::uint8_t> codes[2];
    std::vector<std::uint16_t> scales[2];
    DecodeHeadTensor tensors[2];
    for (std::size_t i = 0; i < 2; ++i) {
      const DecodeTensor from = tensor(copy, i);
      for (std::size_t j = 0; j < blocks; ++j) {
        const auto block = static_cast<std::size_t>(paging.blocks[head / kHeads * blocks + j]);
        const std::size_t row = (block * kv_heads + g) * tokens;
        fetch(codes[i], static_cast<const std::uint8_t*>(from.codes) + row * row_bytes,
              tokens * row_bytes);
        if (from.token_scale != nullptr) fetch(scales[i], from.token_scale + row, tokens);
        if (from.token_grid != nullptr) fetch(scales[i], from.token_grid + row, 2 * tokens);
      }
      tensors[i] = {.codes = codes[i].data(),
                    .scale = scales[i].data(),
                    .minimum = scales[i].data() + 1,
                    .stride = from.token_grid != nullptr ? 2 : 1,
                    .head_scale = kHeadScale};
    }
    std::vector<std::uint16_t> q;
    fetch(q, q_.data() + head * kHeadDim, kHeadDim);
    return decode_head_ref(q.data(), {.format = format_,
                                      .length = context_,
                                      .head_dim = kHeadDim,
                                      .k = tensors[0],
                                      .v = tensors[1]});
  }

  DecodeFormat format_;
  int kv_heads_, batch_, context_, splits_;
  std::size_t rows_, codes_bytes_, copies_;  // of K, or of V, in one cache
  std::vector<int> lengths_;
  PlainRead plain_;
  simt::Buffer<std::uint8_t> codes_;   // [copies, K and V, batch, n_kv_heads, context, row]
  simt::Buffer<half> scales_;          // [copies, K and V, batch, n_kv_heads, context]
  simt::Buffer<std::uint32_t> grids_;  // [copies, K and V, batch, n_kv_heads, context]
  simt::Buffer<float> head_scale_;
  simt::Buffer<int> device_lengths_;
  simt::Buffer<half> q_;
  simt::Buffer<float> m_, l_, o_;
  simt::Buffer<unsigned> arrived_;
  simt::Buffer<half> out_;
  std::map<std::pair<int, std::size_t>, std::vector<Sample>> samples_;  // by block_size and copy
};

}  // namespace qlab::gpu
