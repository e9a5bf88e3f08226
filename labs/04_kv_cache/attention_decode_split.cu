// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_split: your turn. Replace each todo() with your code, then run `./lab check attention_decode_split`.
#include "04_kv_cache/attention_decode_split.h"

#include <cmath>

#include "04_kv_cache/kv_tiles.h"

namespace qlab::exercise {
namespace {

constexpr int kLanes = 32, kThreads = kSplitWarps * kLanes;
constexpr int kTile = kSplitTile;           // a token a lane
constexpr int kStep = kSplitWarps * kTile;  // from one tile of a warp to its next
constexpr unsigned kAllLanes = 0xFFFF'FFFF;

struct TokenRange {
  int begin, end;
};

/// The tokens of split number `split`.
__device__ TokenRange tokens_of(int split, int splits, int length) {
  TokenRange range{0, 0};
  // TODO [attention_decode_split_range] Cut the context into splits
  // Set range.begin and range.end, the end exclusive. A split has ⌈length / splits⌉ tokens, rounded
  // up to a multiple of kTile; the last one that has any stops at `length`, and those behind it are
  // empty: begin = end = length.
  todo("attention_decode_split_range");
  return range;
}

/// A warp's softmax over the tokens that it has seen so far, for each query head of the group.
template <int kGroup, int kChannels>
struct Running {
  float m[kGroup];  // largest score of the warp; the same in all lanes
  float l[kGroup];  // Σ e^(score - m) over this lane's tokens
  float o[kGroup]
         [kChannels];  // Σ e^(score - m) · v over the warp's tokens, in this lane's channels
};

/// Takes a tile into the softmax: this lane's token has the products `dot` with the query heads.
template <int kGroup, int kChannels>
__device__ void take_scores(Running<kGroup, kChannels>& sum, const float (&dot)[kGroup],
                            float score_scale, float v_scale, bool exists, float* weights,
                            int lane) {
  QLAB_UNROLL
  for (int h = 0; h < kGroup; ++h) {
    // TODO [attention_decode_split_softmax] Update the softmax of one query head
    // The score of this lane's token is dot[h] * score_scale, or -INFINITY if the token does not
    // exist. Set sum.m[h] to the largest score so far, of all lanes; bring sum.l[h] and each
    // sum.o[h][c] to it; add this lane's e^(score - m) to sum.l[h]. Write the weight of this lane's
    // token, with V's scale, to weights[h * kTile + lane]. __shfl_xor_sync(kAllLanes, x, d) is the
    // x of lane ^ d.
    todo("attention_decode_split_softmax");
  }
}

/// Adds weight · V of all tokens of a tile, in this lane's channels kChannels · lane and following.
template <KvDeviceFormat kFormat, int kGroup, int kChannels>
__device__ void take_values(Running<kGroup, kChannels>& sum, const float4* weights,
                            const Channels<kFormat, kChannels>* values, int lane) {
  for (int t = 0; t < kTile; t += 4) {
    float v[4][kChannels];
    for (int i = 0; i < 4; ++i) {
      const Channels<kFormat, kChannels> codes = values[(t + i) * kLanes + lane];
      for (int c = 0; c < kChannels; c += 2) {
        const float2 pair = KvCodes<kFormat>::widen(codes.pair[c / 2]);
        v[i][c] = pair.x;
        v[i][c + 1] = pair.y;
      }
    }
    QLAB_UNROLL
    for (int h = 0; h < kGroup; ++h) {
      // TODO [attention_decode_split_values] Add four weighted tokens to the output
      // Add to sum.o[h][c], for every channel c of this lane, the weights of the tokens t … t + 3
      // times their v[0][c] … v[3][c]. weights[h * kTile / 4 + t / 4] holds the four of head h.
      todo("attention_decode_split_values");
    }
  }
}

struct Merged {
  float m, l, o;
};

/// One head and channel of `parts` softmaxes: m[i], l[i] and o[i * stride] of part i.
__device__ Merged merge(const float* m, const float* l, const float* o, int parts, int stride) {
  Merged all{-INFINITY, 0, 0};
  // TODO [attention_decode_split_merge] Merge parts of a softmax
  // Set all.m to the largest m, and all.l and all.o to the sums over the parts of l and o, each
  // brought from its own m to all.m. A part without tokens has m = -INFINITY and l = o = 0; where
  // no part has any, leave `all` as it is.
  todo("attention_decode_split_merge");
  return all;
}

/// A block has one split of one sequence, and one KV head with its group of query heads.
template <KvDeviceFormat kFormat, int kHeadDim, int kGroup>
__global__ void __launch_bounds__(kThreads)
    split_kernel(const half* __restrict__ q,       // [batch, n_heads, kHeadDim]
                 simt::traced<const uint4> K,      // [batch, n_kv_heads, capacity, pieces]
                 simt::traced<const uint4> V,      // [batch, n_kv_heads, capacity, pieces]
                 KvDeviceCache kv,                 //
                 const int* __restrict__ lengths,  // [batch]
                 int n_heads, float softmax_scale, SplitParts parts) {
  using Memory = WarpMemory<kFormat, kHeadDim, kGroup, kTile>;
  constexpr int kRow = Memory::kRow, kStride = Memory::kKeyStride, kChannels = kHeadDim / kLanes;
  DYNAMIC_SHARED(unsigned char, memory);
  float* const query = reinterpret_cast<float*>(memory);  // [kGroup, kHeadDim]
  unsigned char* const of_warps = memory + kGroup * kHeadDim * sizeof(float);

  // Who am I: this block's split, KV head and sequence; this warp's tiles of the split.
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kLanes, warp = thread / kLanes;
  const int split = static_cast<int>(blockIdx.x), splits = static_cast<int>(gridDim.x);
  const int g = static_cast<int>(blockIdx.y), b = static_cast<int>(blockIdx.z);
  const int group = n_heads / kv.n_kv_heads;
  const std::size_t first_head = static_cast<std::size_t>(b * n_heads + g * group);
  const std::size_t first_row =
      static_cast<std::size_t>(b * kv.n_kv_heads + g) * static_cast<std::size_t>(kv.capacity);
  const auto [begin, end] = tokens_of(split, splits, lengths[b]);
  unsigned char* const mine = of_warps + warp * Memory::kBytes;
  float* const weights = reinterpret_cast<float*>(mine + Memory::kWeights);

  // Load:    q → shared, zeros for heads that the group does not have; the first K and V.
  for (int i = thread; i < kGroup * kHeadDim; i += kThreads) {
    query[i] = i < group * kHeadDim ? __half2float(q[first_head * kHeadDim + i]) : 0;
  }
  int t0 = begin + warp * kTile;
  fetch<kTile, kRow, kStride>(mine + Memory::kKeys, K, first_row, t0, end, lane);
  ptx::cp_async_commit();
  fetch<kTile, kRow, kRow>(mine + Memory::kValues, V, first_row, t0, end, lane);
  ptx::cp_async_commit();
  TokenScales scales = load_scales<kFormat>(kv, g, first_row, t0 + lane, end);
  __syncthreads();  // q was written above, all warps read it below

  // Compute: a tile's scores while its V is on the way, then its V while the next K is.
  Running<kGroup, kChannels> sum{};
  for (float& m : sum.m) m = -INFINITY;
  for (; t0 < end; t0 += kStep) {
    ptx::cp_async_wait<1>();
    __syncwarp();  // each lane has waited for its own copies of K, and reads those of others
    float dot[kGroup] = {};
    multiply_keys<kFormat, kHeadDim>(
        dot, reinterpret_cast<const float4*>(query),
        reinterpret_cast<const uint4*>(mine + Memory::kKeys + lane * kStride));
    __syncwarp();  // K was read, and is overwritten
    fetch<kTile, kRow, kStride>(mine + Memory::kKeys, K, first_row, t0 + kStep, end, lane);
    ptx::cp_async_commit();
    const TokenScales next = load_scales<kFormat>(kv, g, first_row, t0 + kStep + lane, end);

    take_scores(sum, dot, softmax_scale * scales.k, scales.v, t0 + lane < end, weights, lane);
    ptx::cp_async_wait<1>();
    __syncwarp();  // V has come, and the weights of all lanes are written
    take_values<kFormat>(
        sum, reinterpret_cast<const float4*>(weights),
        reinterpret_cast<const Channels<kFormat, kChannels>*>(mine + Memory::kValues), lane);
    __syncwarp();  // V and the weights were read, and are overwritten
    fetch<kTile, kRow, kRow>(mine + Memory::kValues, V, first_row, t0 + kStep, end, lane);
    ptx::cp_async_commit();
    scales = next;
  }

  // Store:   the warps' parts → shared → one part, global.
  __syncthreads();  // the last tiles were read; the parts take their place
  float* const o_parts = reinterpret_cast<float*>(of_warps);         // [kGroup, warps, kHeadDim]
  float* const m_parts = o_parts + kGroup * kSplitWarps * kHeadDim;  // [kGroup, warps]
  float* const l_parts = m_parts + kGroup * kSplitWarps;             // [kGroup, warps]
  static_assert((kHeadDim + 2) * kGroup * int{sizeof(float)} <= Memory::kBytes);
  QLAB_UNROLL
  for (int h = 0; h < kGroup; ++h) {
    const int part = h * kSplitWarps + warp;
    for (int d = kLanes / 2; d > 0; d /= 2) sum.l[h] += __shfl_xor_sync(kAllLanes, sum.l[h], d);
    for (int c = 0; c < kChannels; ++c) {
      o_parts[part * kHeadDim + lane * kChannels + c] = sum.o[h][c];
    }
    if (lane == 0) m_parts[part] = sum.m[h], l_parts[part] = sum.l[h];
  }
  __syncthreads();  // the warps' parts are written, and merged below
  for (int i = thread; i < group * kHeadDim; i += kThreads) {
    const int part = i / kHeadDim * kSplitWarps, d = i % kHeadDim;
    const Merged all =
        merge(m_parts + part, l_parts + part, o_parts + part * kHeadDim + d, kSplitWarps, kHeadDim);
    const std::size_t row = (first_head + i / kHeadDim) * splits + split;
    parts.o[row * kHeadDim + d] = all.o;
    if (d == 0) parts.m[row] = all.m, parts.l[row] = all.l;
  }
}

/// A block has one query head of one sequence, a thread one channel.
__global__ void combine_kernel(SplitParts parts, int splits, float* __restrict__ out) {
  const int d = static_cast<int>(threadIdx.x), head_dim = static_cast<int>(blockDim.x);
  const std::size_t head = std::size_t{blockIdx.y} * gridDim.x + blockIdx.x;
  const std::size_t first = head * static_cast<std::size_t>(splits);
  const Merged all =
      merge(parts.m + first, parts.l + first, parts.o + first * head_dim + d, splits, head_dim);
  out[head * head_dim + d] = all.o / all.l;
}

template <KvDeviceFormat kFormat, int kHeadDim, int kGroup>
void launch_split(const SplitAttention& a, Stream stream) {
  constexpr int kBytes = kGroup * kHeadDim * int{sizeof(float)} +
                         kSplitWarps * WarpMemory<kFormat, kHeadDim, kGroup, kTile>::kBytes;
  const dim3 grid(static_cast<unsigned>(a.splits), static_cast<unsigned>(a.kv.n_kv_heads),
                  static_cast<unsigned>(a.kv.batch));
  enqueue(stream, grid, kThreads, kBytes, split_kernel<kFormat, kHeadDim, kGroup>, a.q,
          simt::trace("K", static_cast<const uint4*>(a.kv.k.codes)),
          simt::trace("V", static_cast<const uint4*>(a.kv.v.codes)), a.kv, a.device_lengths,
          a.n_heads, 1 / std::sqrt(static_cast<float>(kHeadDim)), a.parts);
}

template <KvDeviceFormat kFormat, int kHeadDim>
void choose_group(const SplitAttention& a, Stream stream) {
  const int group = a.n_heads / a.kv.n_kv_heads;
  if (group == 1) return launch_split<kFormat, kHeadDim, 1>(a, stream);
  if (group <= 4) return launch_split<kFormat, kHeadDim, 4>(a, stream);
  launch_split<kFormat, kHeadDim, kSplitMaxGroup>(a, stream);
}

template <KvDeviceFormat kFormat>
void choose_head_dim(const SplitAttention& a, Stream stream) {
  if (a.kv.head_dim == 64) return choose_group<kFormat, 64>(a, stream);
  choose_group<kFormat, 128>(a, stream);
}

}  // namespace

void attention_decode_split(const SplitAttention& attention, Stream stream) {
  check_split_attention(attention);
  switch (attention.kv.format) {
    case KvDeviceFormat::kFp16:
      choose_head_dim<KvDeviceFormat::kFp16>(attention, stream);
      break;
    case KvDeviceFormat::kInt8:
      choose_head_dim<KvDeviceFormat::kInt8>(attention, stream);
      break;
    case KvDeviceFormat::kFp8E4m3:
      choose_head_dim<KvDeviceFormat::kFp8E4m3>(attention, stream);
      break;
  }
  const dim3 grid(static_cast<unsigned>(attention.n_heads),
                  static_cast<unsigned>(attention.kv.batch));
  enqueue(stream, grid, static_cast<unsigned>(attention.kv.head_dim), 0, combine_kernel,
          attention.parts, attention.splits, attention.out);
}

}  // namespace qlab::exercise
