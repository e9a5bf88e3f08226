// SPDX-License-Identifier: Apache-2.0
/// \file
/// The product Y = X · Wᵀ by mma.sync, whatever its elements: tensor cores, fed by copies that run while
/// they multiply.
///
/// Bottleneck   large M: the instructions of loads and products, which every warp issues itself
/// Teaches      in bytes, FP16, BF16 and INT8 are one kernel: fragments are words, an mma takes 32 bytes
///              of K, whatever is in them
/// Leaves out   splitting K where M is small and blocks are few
///
/// A block has 128 × 128 of Y, eight warps 64 × 32 each, and four stages of tiles: cp.async fills three
/// while ldmatrix and mma.sync work on one. A row of a tile is 64 bytes, four pieces of 16, and piece p of
/// row r lies at p ^ (r / 2 % 4): the eight rows of an ldmatrix meet 32 banks.
#pragma once

#include "simt/enqueue.h"
#include "simt/ptx.h"

namespace qlab::mma {

inline constexpr int kTile = 128, kStages = 4, kThreads = 256;
inline constexpr int kRowBytes = 64;            // of X or W in a stage
inline constexpr int kStepBytes = 32;           // of K, for one mma
inline constexpr int kPieces = kRowBytes / 16;  // copied and swizzled one by one
inline constexpr int kTileBytes = kTile * kRowBytes;
inline constexpr int kWarpM = 64, kWarpN = 32;                    // of Y, for a warp
inline constexpr int kRows = kWarpM / 16, kColumns = kWarpN / 8;  // mmas of a warp

/// Where piece `piece` of row `row` lies in a tile, in bytes.
__device__ inline int piece_at(int row, int piece) {
  return (row * kPieces + (piece ^ (row / 2 % kPieces))) * 16;
}

/// Rows first … first + 127 of a matrix [rows, K], 64 bytes from column k0 on, zeros where it ends.
template <class T>
__device__ void fill(unsigned char* tile, const T* matrix, int rows, int K, int first, int k0) {
  constexpr int kPiece = 16 / static_cast<int>(sizeof(T));
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kPieces; i += kThreads) {
    const int row = i / kPieces, piece = i % kPieces, k = k0 + piece * kPiece;
    const bool valid = first + row < rows && k < K;
    const T* const from = valid ? matrix + static_cast<std::size_t>(first + row) * K + k : matrix;
    ptx::cp_async_16_zfill(tile + piece_at(row, piece), from, valid);
  }
}

/// One stage: 64 × 32 sums of a warp. x and w: the tiles [128, 64 bytes] in shared memory.
template <class Format>
__device__ void add_stage(const unsigned char* x, const unsigned char* w, int row, int column,
                          int lane, typename Format::Sum (&sum)[kRows][kColumns][4]) {
  for (int step = 0; step < kRowBytes / kStepBytes; ++step) {
    // A lane points at a row of one of four matrices of 8 rows of 16 bytes: rows, rows + 8, then both
    // 16 bytes further along K.
    std::uint32_t a[kRows][4], b[kColumns / 2][4];
    QLAB_UNROLL
    for (int i = 0; i < kRows; ++i) {
      ptx::ldmatrix_x4(a[i], x + piece_at(row + 16 * i + lane % 16, 2 * step + lane / 16));
    }
    QLAB_UNROLL
    for (int j = 0; j < kColumns / 2; ++j) {  // here: 16 bytes further, then both for rows + 8
      ptx::ldmatrix_x4(
          b[j], w + piece_at(column + 16 * j + lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
    }
    QLAB_UNROLL
    for (int i = 0; i < kRows; ++i) {
      QLAB_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        const std::uint32_t both[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
        Format::mma(sum[i][j], a[i], both);
      }
    }
  }
}

/// \tparam Format    Element, Sum, and mma(d, a, b): 32 bytes along K
/// \tparam Epilogue  rows(m), columns(n): what it wants of rows m and m + 8, of columns n and n + 1;
///                   pair(rows, upper or lower, columns, sum, sum): two elements of Y in a word
template <class Format, class Epilogue>
__global__ void __launch_bounds__(kThreads, 2)
    gemm_kernel(const typename Format::Element* __restrict__ X,  // [M, K]
                const typename Format::Element* __restrict__ W,  // [N, K]
                std::uint32_t* __restrict__ Y,                   // [M, N / 2] pairs
                Epilogue epilogue, int M, int N, int K) {
  DYNAMIC_SHARED(unsigned char, memory);  // [kStages][X tile, W tile]
  constexpr int kDepth = kRowBytes / static_cast<int>(sizeof(typename Format::Element));
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int row = warp % 2 * kWarpM, column = warp / 2 * kWarpN;
  const int steps = (K + kDepth - 1) / kDepth;
  const auto load = [&](int step) {
    unsigned char* const stage = memory + step % kStages * 2 * kTileBytes;
    if (step < steps) {
      fill(stage, X, M, K, m0, step * kDepth);
      fill(stage + kTileBytes, W, N, K, n0, step * kDepth);
    }
    ptx::cp_async_commit();  // an empty group counts too: the wait below counts groups
  };
  for (int step = 0; step < kStages - 1; ++step) load(step);

  typename Format::Sum sum[kRows][kColumns][4] = {};
  for (int step = 0; step < steps; ++step) {
    ptx::cp_async_wait<kStages - 2>();
    __syncthreads();  // everybody's part of this stage is there, and the stage before is read
    load(step + kStages - 1);
    const unsigned char* const stage = memory + step % kStages * 2 * kTileBytes;
    add_stage<Format>(stage, stage + kTileBytes, row, column, lane, sum);
  }
  QLAB_UNROLL
  for (int i = 0; i < kRows; ++i) {
    const int m = m0 + row + 16 * i + lane / 4;
    const auto rows = epilogue.rows(m);
    QLAB_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      const int n = n0 + column + 8 * j + lane % 4 * 2;
      if (n >= N) continue;
      const auto columns = epilogue.columns(n);
      QLAB_UNROLL
      for (int part = 0; part < 2; ++part) {
        if (m + 8 * part >= M) continue;
        Y[(static_cast<std::size_t>(m + 8 * part) * N + n) / 2] =
            epilogue.pair(rows, part, columns, sum[i][j][2 * part], sum[i][j][2 * part + 1]);
      }
    }
  }
}

/// Y: elements of 16 bits, [M, N], N even. X [M, K], W [N, K]: rows of whole pieces of 16 bytes.
template <class Format, class Epilogue, class Y>
void enqueue_gemm(const typename Format::Element* x, const typename Format::Element* w, Y* y,
                  const Epilogue& epilogue, int M, int N, int K, Stream stream) {
  static_assert(sizeof(Y) == 2, "Y has 16 bits");
  const dim3 grid(static_cast<unsigned>((N + kTile - 1) / kTile),
                  static_cast<unsigned>((M + kTile - 1) / kTile));
  enqueue(stream, grid, kThreads, kStages * 2 * kTileBytes, gemm_kernel<Format, Epilogue>, x, w,
          reinterpret_cast<std::uint32_t*>(y), epilogue, M, N, K);
}

}  // namespace qlab::mma
