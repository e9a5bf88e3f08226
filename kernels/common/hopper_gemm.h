// SPDX-License-Identifier: Apache-2.0
/// \file
/// The product Y = X · Wᵀ on Hopper, whatever its elements: copies, products and stores at once.
///
/// Bottleneck   large M: the tensor cores; what feeds them must never make them wait
/// Teaches      warps with roles. One thread asks for tiles, stages ahead; two warpgroups multiply 64 rows
///              each; the sums of one tile are stored while the next is loaded
/// Leaves out   clusters that share a tile (multicast); several blocks on one tile where M is small
///
/// A block stays for all its tiles (persistent). `full` tells that a stage has arrived, `empty` that both
/// warpgroups are done with it; both count phases, so no thread ever waits for the whole block. The
/// producer gives registers away, for a consumer needs 128 for its sums alone. For nvcc only.
#pragma once

#if defined(__CUDACC__)

#include <algorithm>

#include "simt/enqueue.h"
#include "simt/tensor_map.h"
#include "simt/wgmma.h"

namespace qlab::hopper {

inline constexpr int kTileM = 128;                       // rows of Y, for a block
inline constexpr int kRowBytes = 128;                    // of a row of X and W in a stage
inline constexpr int kGroup = 128;                       // threads of a warpgroup
inline constexpr int kConsumers = 2;                     // warpgroups that multiply
inline constexpr int kPartM = kTileM / kConsumers;       // rows of Y of a warpgroup
inline constexpr int kStripeBytes = kPartM * kRowBytes;  // 64 columns of them: a box of the store

/// kTileN columns of Y for a block. 256 read the least; 128 make twice as many blocks.
template <int kTileN>
struct Tile {
  static constexpr int kN = kTileN;
  static constexpr int kSums = kN / 2;  ///< of a thread
  static constexpr int kStages = kN == 256 ? 3 : 5;
  static constexpr int kStageBytes = (kTileM + kN) * kRowBytes;
  static constexpr int kPartBytes = kPartM * kN * 2;  ///< a warpgroup's part of Y, 16 bits each
  static constexpr int kSharedBytes =
      kStages * kStageBytes + kConsumers * kPartBytes + 2 * kStages * 8 + 1024;  // 1024: to align
};

struct TileAt {
  int m0, n0;
};

/// Tile number t: 16 rows of tiles, column after column, so that what runs at once is nearly a square
/// and shares its X and W in the L2.
template <class Tile>
__device__ TileAt tile_at(int t, int tiles_m, int tiles_n) {
  constexpr int kBand = 16;
  const int band = t / (kBand * tiles_n), first = band * kBand;
  const int rows = min(tiles_m - first, kBand), in_band = t - first * tiles_n;
  return {(first + in_band % rows) * kTileM, in_band / rows * Tile::kN};
}

/// What a block's stages and roles share.
template <class Tile>
struct Shared {
  unsigned char* stages;  // [kStages][X tile, W tile]
  unsigned char* parts;   // [kConsumers][stripe of 64 columns]
  Barrier *full, *empty;  // [kStages]

  __device__ unsigned char* x(int stage) const { return stages + stage * Tile::kStageBytes; }
  __device__ unsigned char* w(int stage) const { return x(stage) + kTileM * kRowBytes; }
};

/// The barriers of a ring of stages, which then exist for the whole block: one thread says that a stage is
/// full, each warpgroup that it has emptied it.
template <int kStages>
__device__ __forceinline__ void make_barriers(Barrier* full, Barrier* empty) {
  if (threadIdx.x == 0) {
    for (int s = 0; s < kStages; ++s) {
      barrier_init(&full[s], 1);
      barrier_init(&empty[s], kConsumers);
    }
    barrier_init_done();
  }
  __syncthreads();  // barriers exist
}

/// Where in the ring of stages a role is, and the parity of its phase.
template <class Tile>
struct Turn {
  int stage = 0, phase = 0;
  __device__ void advance() {
    if (++stage == Tile::kStages) {
      stage = 0;
      phase ^= 1;
    }
  }
};

/// Loads the tiles of X and W, step by step, tile by tile of Y. One thread.
template <class Tile>
__device__ void produce(const Shared<Tile>& shared, const CUtensorMap* x_map,
                        const CUtensorMap* w_map, int tiles_m, int tiles_n, int steps,
                        int step_columns) {
  Turn<Tile> turn;
  for (int t = static_cast<int>(blockIdx.x); t < tiles_m * tiles_n;
       t += static_cast<int>(gridDim.x)) {
    const TileAt at = tile_at<Tile>(t, tiles_m, tiles_n);
    for (int step = 0; step < steps; ++step) {
      barrier_wait(&shared.empty[turn.stage], turn.phase ^ 1);  // new stages count as empty
      barrier_expect(&shared.full[turn.stage], Tile::kStageBytes);
      Barrier* const full = &shared.full[turn.stage];
      tma_load(shared.x(turn.stage), x_map, full, step * step_columns, at.m0);
      tma_load(shared.w(turn.stage), w_map, full, step * step_columns, at.n0);
      turn.advance();
    }
  }
}

/// This warpgroup's sums of one tile.
template <class Format, class Tile>
__device__ __forceinline__ void multiply(const Shared<Tile>& shared, Turn<Tile>& turn, int group,
                                         int steps, typename Format::Sum (&d)[Tile::kSums]) {
  const bool speaks = threadIdx.x % kGroup == 0;
  int before = -1;
  for (int step = 0; step < steps; ++step) {
    barrier_wait(&shared.full[turn.stage], turn.phase);
    const std::uint64_t x = wgmma_operand(shared.x(turn.stage) + group * kPartM * kRowBytes);
    const std::uint64_t w = wgmma_operand(shared.w(turn.stage));
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < kRowBytes / 32; ++i) Format::multiply(d, x + 2 * i, w + 2 * i, step + i);
    wgmma_commit();
    // One step may be under way while the next is issued: the one before it is over now.
    wgmma_wait<1>();
    if (speaks && before >= 0) barrier_arrive(&shared.empty[before]);
    before = turn.stage;
    turn.advance();
  }
  wgmma_wait<0>();
  if (speaks) barrier_arrive(&shared.empty[before]);
}

/// Rounds the sums to 16 bits and hands them to the copy engine, which leaves out what is not in Y.
template <class Tile, class Epilogue, class Sum>
__device__ __forceinline__ void store(unsigned char* part, const CUtensorMap* y_map, int group,
                                      const TileAt& at, int N, const Epilogue& epilogue,
                                      const Sum (&d)[Tile::kSums]) {
  const int thread = static_cast<int>(threadIdx.x) % kGroup, lane = thread % 32;
  const int warp_row = thread / 32 * 16;
  const int m = at.m0 + group * kPartM + warp_row + lane / 4;
  if (thread == 0) tma_store_wait_read();  // the tile before has left this memory
  named_barrier(1 + group, kGroup);
  const auto row_of = epilogue.rows(m);
  const int row = warp_row + lane % 16;  // that this lane points at, in chunk lane / 16
#pragma unroll
  for (int j = 0; j < Tile::kN / 8; j += 2) {  // two chunks of 8 columns
    const int n = at.n0 + 8 * j + 2 * (lane % 4);
    const int chunk = j + lane / 16;
    unsigned char* to =
        part + chunk / 8 * kStripeBytes + row * kRowBytes + ((chunk % 8) ^ (row % 8)) * 16;
    const auto left = epilogue.columns(n), right = epilogue.columns(n + 8);
    stmatrix_x4(to, epilogue.pair(row_of, 0, left, d[4 * j], d[4 * j + 1]),
                epilogue.pair(row_of, 1, left, d[4 * j + 2], d[4 * j + 3]),
                epilogue.pair(row_of, 0, right, d[4 * j + 4], d[4 * j + 5]),
                epilogue.pair(row_of, 1, right, d[4 * j + 6], d[4 * j + 7]));
  }
  fence_async();
  named_barrier(1 + group, kGroup);
  if (thread != 0) return;
  constexpr int kStripe = kRowBytes / 2;  // columns
  for (int s = 0; s < Tile::kN / kStripe && at.n0 + s * kStripe < N; ++s) {
    tma_store(y_map, part + s * kStripeBytes, at.n0 + s * kStripe, at.m0 + group * kPartM);
  }
  tma_store_commit();
}

/// \tparam Format    Element, Sum, and multiply(d, a, b, add): 32 bytes along K
/// \tparam Epilogue  rows(m), columns(n): what it wants of rows m and m + 8, of columns n and n + 1;
///                   pair(rows, upper or lower, columns, sum, sum): two elements of Y in a word
template <class Format, class Epilogue, class Tile>
__global__ void __launch_bounds__((1 + kConsumers) * kGroup, 1)
    persistent_gemm(const __grid_constant__ CUtensorMap x_map,  // X [M, K]
                    const __grid_constant__ CUtensorMap w_map,  // W [N, K]
                    const __grid_constant__ CUtensorMap y_map,  // Y [M, N]
                    Epilogue epilogue, int M, int N, int K) {
  DYNAMIC_SHARED(unsigned char, memory);
  Shared<Tile> shared;
  shared.stages = memory + (1024 - ptx::shared_address(memory) % 1024) % 1024;
  shared.parts = shared.stages + Tile::kStages * Tile::kStageBytes;
  shared.full = reinterpret_cast<Barrier*>(shared.parts + kConsumers * Tile::kPartBytes);
  shared.empty = shared.full + Tile::kStages;
  make_barriers<Tile::kStages>(shared.full, shared.empty);

  constexpr int kStep = kRowBytes / static_cast<int>(sizeof(typename Format::Element));
  const int tiles_m = (M + kTileM - 1) / kTileM, tiles_n = (N + Tile::kN - 1) / Tile::kN;
  const int steps = (K + kStep - 1) / kStep;
  const int role = static_cast<int>(threadIdx.x) / kGroup;
  if (role == kConsumers) {
    registers_give<40>();
    if (threadIdx.x % kGroup == 0) {
      produce(shared, &x_map, &w_map, tiles_m, tiles_n, steps, kStep);
    }
    return;
  }
  registers_take<232>();
  Turn<Tile> turn;
  typename Format::Sum d[Tile::kSums];
  for (int t = static_cast<int>(blockIdx.x); t < tiles_m * tiles_n;
       t += static_cast<int>(gridDim.x)) {
    multiply<Format>(shared, turn, role, steps, d);
    store<Tile>(shared.parts + role * Tile::kPartBytes, &y_map, role,
                tile_at<Tile>(t, tiles_m, tiles_n), N, epilogue, d);
  }
  if (threadIdx.x % kGroup == 0) tma_store_wait_read();
}

/// One block a multiprocessor, or a tile a block where there are fewer.
template <class Tile, class Format, class Epilogue, class Y>
void enqueue_tiles(const typename Format::Element* x, const typename Format::Element* w, Y* y,
                   const Epilogue& epilogue, int M, int N, int K, int blocks, Stream stream) {
  enqueue(stream, static_cast<unsigned>(blocks), (1 + kConsumers) * kGroup, Tile::kSharedBytes,
          persistent_gemm<Format, Epilogue, Tile>, tensor_map(x, M, K, kTileM),
          tensor_map(w, N, K, Tile::kN), tensor_map(y, M, N, kPartM), epilogue, M, N, K);
}

/// With the tile that is done sooner: what counts is how often the fullest multiprocessor takes one.
template <class Format, class Epilogue, class Y>
void enqueue_persistent_gemm(const typename Format::Element* x, const typename Format::Element* w,
                             Y* y, const Epilogue& epilogue, int M, int N, int K, Stream stream) {
  static_assert(sizeof(Y) == 2, "Y has 16 bits");
  const int processors = multiprocessors();
  const auto tiles = [&](int columns) {
    return (M + kTileM - 1) / kTileM * ((N + columns - 1) / columns);
  };
  const auto turns = [&](int columns) { return (tiles(columns) + processors - 1) / processors; };
  // Assumed, not measured: half a tile takes somewhat more than half the time, as it reads X for fewer
  // columns.
  constexpr double kHalfTile = 0.57;
  if (turns(256) <= kHalfTile * turns(128)) {
    enqueue_tiles<Tile<256>, Format>(x, w, y, epilogue, M, N, K, std::min(tiles(256), processors),
                                     stream);
  } else {
    enqueue_tiles<Tile<128>, Format>(x, w, y, epilogue, M, N, K, std::min(tiles(128), processors),
                                     stream);
  }
}

}  // namespace qlab::hopper

#endif
