// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_mma: codes go from shared memory to a register, become FP16 there, and are
/// multiplied.
///
/// Bottleneck   few tokens: memory, and the time that a tile is on its way; many: shared memory
/// Teaches      a lane's eight codes are eight consecutive k, and so are its eight halves of X
/// Leaves out   an order of the codes that saves the byte shuffle; K split over blocks; wgmma
#include "03_int4_weight_only/w4a16_gemm_mma.h"

#include "03_int4_weight_only/half_words.h"
#include "simt/ptx.h"
#include "simt/traced.h"

namespace qlab::exercise {
namespace {

constexpr int kWarps = 4, kLanes = 32, kThreads = kWarps * kLanes;
constexpr int kMmaM = 16, kMmaN = 8;  // rows of X and of W that one mma multiplies
constexpr int kStep = 32;             // of K: a word of codes for each lane, two mmas
constexpr int kStages = 4;            // tiles of K: one is multiplied, the others are on their way

/// How a block cuts its work. All warps share its rows of X; each has rows of W of its own, so that
/// no code is unpacked twice.
template <int kRowTiles, int kColumns, int kDepth_>
struct Tiling {
  static constexpr int R = kRowTiles;                // mmas of a warp, one below the other
  static constexpr int C = kColumns;                 // and side by side
  static constexpr int kDepth = kDepth_;             // of K, in a tile
  static constexpr int kTileM = kMmaM * R;           // rows of X in a tile
  static constexpr int kTileN = kMmaN * C * kWarps;  // rows of W in a tile
  // Padding, so that the eight rows of a fragment's load lie in different banks: rows of codes are
  // 12 or 36 words apart, rows of X 16 words and a multiple of 32. Still multiples of 16 bytes.
  static constexpr int kWStride = kDepth / 2 + 16;   // bytes
  static constexpr int kXStride = kDepth * 2 + 64;   // bytes
  static constexpr int kXBytes = kTileM * kXStride;  // the tile of X comes first
  static constexpr int kStageBytes = kXBytes + kTileN * kWStride;
};
using ManyTokens = Tiling<4, 2, 64>;  // 64 × 64: each fragment of X serves two of W, of W four of X
using FewTokens = Tiling<1, 1, 256>;  // 16 × 32: more blocks, and more bytes on their way

/// Copies `kRows` rows of a matrix to a tile, 16 bytes at a time: kBytes of each, from byte `from`
/// on; what the matrix does not have becomes 0.
template <int kRows, int kBytes, int kStride>
__device__ void fill(unsigned char* tile, const void* matrix, int rows, int row_bytes, int first,
                     int from) {
  constexpr int kPieces = kBytes / 16;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kPieces; i += kThreads) {
    const int row = i / kPieces, byte = i % kPieces * 16;
    const bool valid = first + row < rows && from + byte < row_bytes;
    const unsigned char* source = static_cast<const unsigned char*>(matrix);
    if (valid) source += static_cast<std::size_t>(first + row) * row_bytes + from + byte;
    ptx::cp_async_16_zfill(tile + row * kStride + byte, source, valid);
  }
}

/// What a lane needs of one group: g = lane / 4 and t = lane % 4 as in the fragments.
template <int C>
struct Group {
  std::uint32_t zero_point[C];  // of the row of W that is column g of B
  float scale[C][2];            // of the rows of W that are columns 2t and 2t + 1 of the sums
};

/// Group `number`, or the last one, of C times eight rows of W from row n on; of the last one again
/// for rows that do not exist.
template <int C>
__device__ void load_group(Group<C>& group, const half* scale, const std::uint8_t* zero_point,
                           int number, int groups, int n, int N, int lane) {
  const auto at = [=](int row) {
    return static_cast<std::size_t>(min(row, N - 1)) * groups + min(number, groups - 1);
  };
  for (int c = 0; c < C; ++c) {
    const int first = n + kMmaN * c;
    group.zero_point[c] = zero_point[at(first + lane / 4)];
    for (int i = 0; i < 2; ++i) {
      group.scale[c][i] = __half2float(scale[at(first + lane % 4 * 2 + i)]);
    }
  }
}

/// pairs[j] = the codes 2j and 2j + 1, each less the zero point, as FP16.
__device__ void unpack(std::uint32_t (&pairs)[4], std::uint32_t word, std::uint32_t zero_point) {
  // BEGIN SOLUTION [w4a16_gemm_mma_unpack] Turn eight codes into pairs of neighbours
  // Set pairs[j] to the codes 2j and 2j + 1 of `word`, each less zero_point, as two FP16, the first
  // in the lower half. Both are in byte j, the first in its lower four bits, and ptx::prmt(word, 0,
  // 0x1111 * j) is that byte four times. as_half2 and as_word see a register one way or the other.

  // dequant_bits masks the same four bits of both halves; here the upper half takes the four bits
  // above, which count 16 times. 0x6400 is 1024; -(1024 + z) is 0xE400 | z, and -(64 + z) is
  // 0xD400 | z << 4, so a zero point costs a multiplication of an integer.
  const half2 factor = as_half2(0x2C003C00);  // 1/16 above, 1 below
  const half2 excess = as_half2(0xD400E400 | zero_point * 0x0010'0001);
  for (int j = 0; j < 4; ++j) {
    constexpr int kMaskAndInsert = (0xF0 & 0xCC) | 0xAA;
    const std::uint32_t twice = ptx::prmt(word, 0, 0x1111 * j);
    const std::uint32_t bits = ptx::lop3<kMaskAndInsert>(twice, 0x00F0000F, 0x64006400);
    pairs[j] = as_word(__hfma2(as_half2(bits), factor, excess));
  }
  // END SOLUTION [w4a16_gemm_mma_unpack]
}

/// sum += part · scale, part = 0.
template <int R, int C>
__device__ void close_group(float (&sum)[R][C][4], float (&part)[R][C][4], const Group<C>& group) {
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      // BEGIN SOLUTION [w4a16_gemm_mma_close] Scale the sums of a group
      // Add part[r][c][i], times its scale, to sum[r][c][i], for i = 0 … 3, and set it to 0.
      // Elements 0 and 2 belong to column 2t and have group.scale[c][0]; 1 and 3 to the next one.

      // Codes would need a multiplication each, and round in FP16; sums need one for every group
      // and each element of Y, in FP32.
      for (int i = 0; i < 4; ++i) {
        sum[r][c][i] = __fmaf_rn(part[r][c][i], group.scale[c][i % 2], sum[r][c][i]);
        part[r][c][i] = 0;
      }
      // END SOLUTION [w4a16_gemm_mma_close]
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    w4a16_gemm_mma_kernel(const half* __restrict__ X,                   // [M, K]
                          const std::uint8_t* __restrict__ W,           // [N, K / 2]
                          const half* __restrict__ scale,               // [N, groups]
                          const std::uint8_t* __restrict__ zero_point,  // [N, groups]
                          float* __restrict__ Y,                        // [M, N]
                          int M, int N, int K, int group_size) {
  constexpr int R = T::R, C = T::C;
  DYNAMIC_SHARED(unsigned char, memory);  // [kStages]  a tile of X, then one of W
  const auto fill_stage = [&](int tile, int m0, int n0) {
    unsigned char* const stage = memory + tile % kStages * T::kStageBytes;
    const int k = tile * T::kDepth;
    fill<T::kTileM, T::kDepth * 2, T::kXStride>(stage, X, M, K * 2, m0, k * 2);
    fill<T::kTileN, T::kDepth / 2, T::kWStride>(stage + T::kXBytes, W, N, K / 2, n0, k / 2);
  };

  // Who am I: this block owns kTileM rows and kTileN columns of Y, this warp all of these rows and
  // 8·C of the columns.
  const int lane = static_cast<int>(threadIdx.x) % kLanes, g = lane / 4, t = lane % 4;
  const int warp = static_cast<int>(threadIdx.x) / kLanes;
  const int m0 = static_cast<int>(blockIdx.y) * T::kTileM;
  const int n0 = static_cast<int>(blockIdx.x) * T::kTileN, my_n = kMmaN * C * warp;
  const int groups = (K + group_size - 1) / group_size;
  float sum[R][C][4] = {}, part[R][C][4] = {};  // of Y; of Y, the group at hand, not scaled yet
  Group<C> group = {}, next;                    // loaded a group ahead: nothing waits for it
  int border = 0, number = 0;                   // where the next group begins, and its number
  const auto load_next = [&] {
    load_group(next, scale, zero_point, number++, groups, n0 + my_n, N, lane);
  };
  load_next();

  // Load:    global → shared, kStages - 1 tiles ahead. An empty commit keeps the count.
  const int tiles = (K + T::kDepth - 1) / T::kDepth;
  for (int tile = 0; tile < kStages - 1; ++tile) {
    if (tile < tiles) fill_stage(tile, m0, n0);
    ptx::cp_async_commit();
  }
  for (int tile = 0; tile < tiles; ++tile) {
    ptx::cp_async_wait<kStages - 2>();
    __syncthreads();  // the copies of this tile have arrived, the reads of the last one are done
    if (tile + kStages - 1 < tiles) fill_stage(tile + kStages - 1, m0, n0);
    ptx::cp_async_commit();
    // Compute: shared → fragments → tensor cores.
    const unsigned char* const stage = memory + tile % kStages * T::kStageBytes;
    const auto x_tile = simt::trace_shared("X tile", reinterpret_cast<const uint4*>(stage));
    const auto w_tile =
        simt::trace_shared("W tile", reinterpret_cast<const std::uint32_t*>(stage + T::kXBytes));
    for (int k = tile * T::kDepth; k < min(K, (tile + 1) * T::kDepth); k += kStep) {
      const int step = k % T::kDepth / kStep;
      // BEGIN SOLUTION [w4a16_gemm_mma_border] Change groups at a border
      // Where k is the `border`: close_group(sum, part, group), make `next` the group at hand, call
      // load_next() for the one after it, and move the border on.

      // The order matters: what was summed has the scales of the group that ends here. At k = 0
      // that is nothing. The group after is asked for now, to be there when its turn comes.
      if (k == border) {
        close_group(sum, part, group);
        group = next;
        load_next();
        border += group_size;
      }
      // END SOLUTION [w4a16_gemm_mma_border]

      // What this lane holds of a row of either tile: eight codes in a word, and eight halves in
      // four words, pairs of neighbours. Both are k = 8t … 8t + 7 of this step's 32.
      const auto codes = [&](int row) -> std::uint32_t {
        return w_tile[row * T::kWStride / 4 + 4 * step + t];
      };
      const auto halves = [&](int row) -> uint4 {
        return x_tile[row * T::kXStride / 16 + 4 * step + t];
      };
      // BEGIN SOLUTION [w4a16_gemm_mma_multiply] Multiply 32 of K on the tensor cores
      // Add to part[r][c], for all r and c, the products of the 16 rows of X from kMmaM * r on and
      // the 8 rows of W from my_n + kMmaN * c on: row g of these is column g of B, rows g and g + 8
      // are this lane's of A. unpack() each word of codes once. The first of two mmas takes the
      // pairs 0 and 1 of all rows, which are .x and .y of halves(), the second the pairs 2 and 3.
      // The words of A are the first of row g, of row g + 8, the second of row g, of row g + 8.

      // An mma sums over 16 of K, in whatever order its operands have them in common: lane t brings
      // the k of its word, in A and in B. So a word of codes serves one lane, as it lies in memory.
      std::uint32_t b[C][4];
      for (int c = 0; c < C; ++c) {
        unpack(b[c], codes(my_n + kMmaN * c + g), group.zero_point[c]);
      }
      for (int r = 0; r < R; ++r) {
        const uint4 upper = halves(kMmaM * r + g), lower = halves(kMmaM * r + g + 8);
        for (int c = 0; c < C; ++c) {
          ptx::mma_m16n8k16_f16(part[r][c], {upper.x, lower.x, upper.y, lower.y},
                                {b[c][0], b[c][1]});
          ptx::mma_m16n8k16_f16(part[r][c], {upper.z, lower.z, upper.w, lower.w},
                                {b[c][2], b[c][3]});
        }
      }
      // END SOLUTION [w4a16_gemm_mma_multiply]
    }
  }
  close_group(sum, part, group);

  // Store:   sums → global, elements past the last row or column masked.
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      for (int i = 0; i < 4; ++i) {
        const int m = m0 + kMmaM * r + g + i / 2 * 8;
        const int n = n0 + my_n + kMmaN * c + 2 * t + i % 2;
        if (m < M && n < N) Y[static_cast<std::size_t>(m) * N + n] = sum[r][c][i];
      }
    }
  }
}

template <class T>
void launch(const half* X, const Int4DeviceWeights& W, float* Y, int M, int N, int K) {
  const dim3 grid(static_cast<unsigned>((N + T::kTileN - 1) / T::kTileN),
                  static_cast<unsigned>((M + T::kTileM - 1) / T::kTileM));
  simt::launch(grid, kThreads, kStages * T::kStageBytes, w4a16_gemm_mma_kernel<T>, X, W.qweight,
               W.scale, W.zero_point, Y, M, N, K, W.group_size);
}

}  // namespace

void w4a16_gemm_mma(const half* X, const Int4DeviceWeights& W, float* Y, int M, int N, int K) {
  QLAB_CHECK(M >= 1, "w4a16_gemm_mma: M is ", M, "; a product has at least one token");
  check_int4_pieces("w4a16_gemm_mma", N, K, W, X);
  (M <= kMmaM ? launch<FewTokens> : launch<ManyTokens>)(X, W, Y, M, N, K);
}

}  // namespace qlab::exercise
