// SPDX-License-Identifier: Apache-2.0
/// \file
/// AMX: the tile instructions, one thin function each, and what its kernels share: X cut into tiles.
///
/// Eight registers of 16 rows of 64 bytes. C += A · B takes A as it lies in memory, rows of X with 64
/// bytes of k, and B with four bytes of k of one column side by side, as panels have it. A unit does
/// 16 · 16 sums of 64 INT8 (32 BF16) products in 16 cycles, eight times as many as VNNI; the tiles
/// have to be loaded meanwhile, so four sums share two tiles of A and two of B:
///
///     tmm0 tmm1    upper half of the rows     tmm4: A, upper    tmm6 tmm7: B, columns 0…15, 16…31
///     tmm2 tmm3    lower half                 tmm5: A, lower
///
/// Source: Intel, "Architecture Instruction Set Extensions Programming Reference", 2022, chapter 3.
/// The compiler knows nothing of tiles: each function says that it touches memory, so that no store
/// to a buffer is moved behind the load of a tile.
#pragma once

#include "common/isa.h"

#if QLAB_X86

#include <cstdint>
#include <cstring>

#include "common/panels.h"
#include "common/thread_pool.h"

namespace qlab::amx {

inline constexpr std::int64_t kTileRows = 16;
inline constexpr std::int64_t kTileBytes = 64;        // of a row: 64 INT8, 32 BF16, 16 sums
inline constexpr std::int64_t kRows = 2 * kTileRows;  // of X that share the tiles of W
inline constexpr std::int64_t kPanelStride = 128;     // bytes from word to word of a panel
inline constexpr std::int64_t kTile = kTileRows * kTileBytes;

/// The shapes of the eight tiles, as ldtilecfg reads them.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};

/// The shapes for `rows` ≤ kRows rows of X: the upper half has as many as the lower, or one more.
inline void configure(int rows) {
  TileShapes shapes;
  const auto upper = static_cast<std::uint8_t>(rows <= kTileRows ? rows : (rows + 1) / 2);
  const auto lower = static_cast<std::uint8_t>(rows <= kTileRows ? 0 : rows / 2);
  const std::uint8_t height[8] = {upper, upper, lower, lower, upper, lower, 16, 16};
  for (int t = 0; t < 8; ++t) {
    // A tile without rows is one that may not be used.
    shapes.rows[t] = height[t];
    shapes.row_bytes[t] = height[t] == 0 ? 0 : static_cast<std::uint16_t>(kTileBytes);
  }
  asm volatile("ldtilecfg %0" : : "m"(shapes) : "memory");
}

/// Gives the tiles back: a thread without them is switched faster.
inline void release() { asm volatile("tilerelease" : : : "memory"); }

/// Tile T = 0.
template <int T>
void zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(T) : "memory");
}
/// Tile T from rows `stride` bytes apart.
template <int T>
void load(const void* from, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(T) : "memory");
}
/// Tile T to rows `stride` bytes apart.
template <int T>
void store(void* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(T) : "memory");
}

/// C += A · B of signed bytes, sums in int32, which wrap around.
struct Int8Products {
  /// C += A · B; tiles by their numbers.
  template <int C, int A, int B>
  static void add() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B) : "memory");
  }
};
/// C += A · B of BF16, sums in FP32, each rounded to nearest; subnormal operands count as 0.
struct Bf16Products {
  /// C += A · B; tiles by their numbers.
  template <int C, int A, int B>
  static void add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B) : "memory");
  }
};

/// X in tiles of at most kRows rows whose heights differ by one at most, 33 rows as 17 and 16; in a
/// tile, 64 bytes of every row, then the next 64. `planes` of it: FP16 is two numbers of BF16.
class Rows {
 public:
  /// M rows of `steps` times 64 bytes, in the scratch memory of the threads; not yet filled.
  Rows(ThreadPool& threads, std::int64_t M, std::int64_t steps, int planes = 1)
      : M_(M),
        steps_(steps),
        planes_(planes),
        count_((M + kRows - 1) / kRows),
        memory_(threads.scratch<std::uint8_t>(M * steps * planes * kTileBytes)) {}

  /// How many tiles there are.
  std::int64_t count() const { return count_; }
  /// The first row of tile t.
  std::int64_t first(std::int64_t t) const { return M_ * t / count_; }
  /// How many rows tile t has.
  int rows(std::int64_t t) const { return static_cast<int>(first(t + 1) - first(t)); }
  /// Step s of tile t: [planes, rows, 64 bytes].
  std::uint8_t* step(std::int64_t t, std::int64_t s) {
    return memory_ + (first(t) * steps_ + s * rows(t)) * planes_ * kTileBytes;
  }
  /// Calls fill(m, s, to, plane_stride) for every row m and step s: it writes 64 bytes of each plane.
  template <class Fill>
  void fill(ThreadPool& threads, const Fill& fill_step) {
    threads.run(count_, [&](std::int64_t t) {
      for (int r = 0; r < rows(t); ++r) {
        for (std::int64_t s = 0; s < steps_; ++s) {
          fill_step(first(t) + r, s, step(t, s) + r * kTileBytes, rows(t) * kTileBytes);
        }
      }
    });
  }

 private:
  std::int64_t M_, steps_;
  int planes_;
  std::int64_t count_;
  std::uint8_t* memory_;
};

/// The first `count` elements of a row [count], at most 64 bytes [64], and zeros behind them.
template <class T>
void copy_step(const T* from, std::int64_t count, std::uint8_t* to) {
  if (count * static_cast<std::int64_t>(sizeof(T)) >= kTileBytes) {
    std::memcpy(to, from, kTileBytes);
    return;
  }
  std::memset(to, 0, kTileBytes);
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
}

/// The sums of a tile, [rows, 32] of 4 bytes, to and from memory.
struct Sums {
  int rows;
  void* memory;

  /// Where the lower half starts.
  char* lower() const {
    return static_cast<char*>(memory) + (rows + 1) / 2 * kPanelColumns * std::int64_t{4};
  }
  /// All 0, in the tiles.
  void zero() const {
    amx::zero<0>();
    amx::zero<1>();
    if (rows > kTileRows) {
      amx::zero<2>();
      amx::zero<3>();
    }
  }
  /// From memory to the tiles.
  void load() const {
    char* upper = static_cast<char*>(memory);
    amx::load<0>(upper, kPanelStride);
    amx::load<1>(upper + kTileBytes, kPanelStride);
    if (rows > kTileRows) {
      amx::load<2>(lower(), kPanelStride);
      amx::load<3>(lower() + kTileBytes, kPanelStride);
    }
  }
  /// From the tiles to memory.
  void store() const {
    char* upper = static_cast<char*>(memory);
    amx::store<0>(upper, kPanelStride);
    amx::store<1>(upper + kTileBytes, kPanelStride);
    if (rows > kTileRows) {
      amx::store<2>(lower(), kPanelStride);
      amx::store<3>(lower() + kTileBytes, kPanelStride);
    }
  }
};

/// Tiles 4 and 5 from a step of X: `rows` rows of 64 bytes.
inline void load_a(int rows, const void* a) {
  load<4>(a, kTileBytes);
  if (rows > kTileRows) {
    load<5>(static_cast<const char*>(a) + (rows + 1) / 2 * kTileBytes, kTileBytes);
  }
}
/// Tiles 6 and 7 from 16 words of a panel.
inline void load_b(const void* b) {
  load<6>(b, kPanelStride);
  load<7>(static_cast<const char*>(b) + kTileBytes, kPanelStride);
}
/// The sums += A · B.
template <class Products>
void add_products(int rows) {
  Products::template add<0, 4, 6>();
  Products::template add<1, 4, 7>();
  if (rows > kTileRows) {
    Products::template add<2, 5, 6>();
    Products::template add<3, 5, 7>();
  }
}

/// The sums += 64 bytes of k of `rows` rows of X · the same of a panel; `b` is 16 words of it.
template <class Products>
void add_step(int rows, const void* a, const void* b) {
  load_b(b);
  load_a(rows, a);
  add_products<Products>(rows);
}

}  // namespace qlab::amx

#endif  // QLAB_X86
