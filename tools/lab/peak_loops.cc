// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sums enough to hide the latency of each instruction, in registers, and no memory at all.
///
/// Every sum depends on itself only, or the compiler would take its product out of the loop; and
/// sums begin with different values, or it would find out that they stay equal and keep one.
#include "lab/peak_loops.h"

#include "common/isa.h"

#if QLAB_X86
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace qlab {
namespace {

constexpr int kSums = 12;  // latencies are four to six cycles, and two start in each
// Where a product needs a register before it is added, twelve would not fit sixteen registers.
constexpr int kPairs = 10;

#if QLAB_X86
std::uint64_t floats_scalar(std::int64_t steps) {
  const __m128 factor = _mm_set1_ps(0.999F), term = _mm_set1_ps(1.0F);
  __m128 sums[kSums];
  for (int j = 0; j < kSums; ++j) sums[j] = _mm_set1_ps(static_cast<float>(j));
  for (std::int64_t i = 0; i < steps; ++i) {
    // Unrolled here and below, or the sums live in an array in memory.
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm_add_ps(_mm_mul_ps(sums[j], factor), term);
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm_add_ps(sums[0], sums[j]);
  return static_cast<std::uint32_t>(_mm_cvtss_si32(sums[0]));
}

std::uint64_t bytes_scalar(std::int64_t steps) {
  const __m128i factor = _mm_set1_epi16(3);
  __m128i sums[kPairs];
  for (int j = 0; j < kPairs; ++j) sums[j] = _mm_set1_epi32(j);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 10
    for (int j = 0; j < kPairs; ++j) {
      sums[j] = _mm_add_epi32(sums[j], _mm_madd_epi16(sums[j], factor));
    }
  }
  for (int j = 1; j < kPairs; ++j) sums[0] = _mm_add_epi32(sums[0], sums[j]);
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(sums[0]));
}

QLAB_AVX2 std::uint64_t floats_avx2(std::int64_t steps) {
  const __m256 factor = _mm256_set1_ps(0.999F), term = _mm256_set1_ps(1.0F);
  __m256 sums[kSums];
  for (int j = 0; j < kSums; ++j) sums[j] = _mm256_set1_ps(static_cast<float>(j));
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm256_fmadd_ps(sums[j], factor, term);
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm256_add_ps(sums[0], sums[j]);
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(_mm256_cvtss_f32(sums[0])));
}

QLAB_AVX2 std::uint64_t bytes_avx2(std::int64_t steps) {
  const __m256i factor = _mm256_set1_epi8(1);
  __m256i sums[kPairs];
  for (int j = 0; j < kPairs; ++j) sums[j] = _mm256_set1_epi32(j);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 10
    for (int j = 0; j < kPairs; ++j) {
      sums[j] = _mm256_add_epi16(sums[j], _mm256_maddubs_epi16(sums[j], factor));
    }
  }
  for (int j = 1; j < kPairs; ++j) sums[0] = _mm256_add_epi16(sums[0], sums[j]);
  return static_cast<std::uint32_t>(_mm256_extract_epi32(sums[0], 0));
}

QLAB_AVX512 std::uint64_t floats_avx512(std::int64_t steps) {
  const __m512 factor = _mm512_set1_ps(0.999F), term = _mm512_set1_ps(1.0F);
  __m512 sums[kSums];
  for (int j = 0; j < kSums; ++j) sums[j] = _mm512_set1_ps(static_cast<float>(j));
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_fmadd_ps(sums[j], factor, term);
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm512_add_ps(sums[0], sums[j]);
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(_mm512_cvtss_f32(sums[0])));
}

/// By way of memory: GCC 12 warns falsely of the intrinsic that cuts a register.
QLAB_AVX512 std::uint64_t low_word(__m512i value) {
  std::uint32_t words[16];
  _mm512_storeu_si512(words, value);
  return words[0];
}

QLAB_AVX512 std::uint64_t bytes_avx512(std::int64_t steps) {
  const __m512i factor = _mm512_set1_epi8(1);
  __m512i sums[kSums];
  for (int j = 0; j < kSums; ++j) sums[j] = _mm512_set1_epi32(j);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) {
      sums[j] = _mm512_add_epi16(sums[j], _mm512_maddubs_epi16(sums[j], factor));
    }
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm512_add_epi16(sums[0], sums[j]);
  return low_word(sums[0]);
}

QLAB_AVX512_VNNI std::uint64_t bytes_vnni(std::int64_t steps) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sums[kSums];
  for (int j = 0; j < kSums; ++j) sums[j] = _mm512_set1_epi32(j);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], ones, ones);
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm512_add_epi32(sums[0], sums[j]);
  return low_word(sums[0]);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))) std::uint64_t
floats_bf16(std::int64_t steps) {
  const auto ones = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3F80));  // 1.0 in BF16
  __m512 sums[kSums];
  for (int j = 0; j < kSums; ++j) sums[j] = _mm512_set1_ps(static_cast<float>(j));
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_dpbf16_ps(sums[j], ones, ones);
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm512_add_ps(sums[0], sums[j]);
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(_mm512_cvtss_f32(sums[0])));
}

/// Eight tiles of 16 rows of 64 bytes, as LDTILECFG reads them.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

constexpr int kTileSums = 4;  // a product takes 16 cycles and its sum is ready after 52

__attribute__((target("amx-tile,amx-int8"))) std::uint64_t bytes_amx(std::int64_t steps) {
  const TileConfig config;
  alignas(64) std::int32_t tile[256];
  for (std::int32_t& word : tile) word = 0x01010101;
  _tile_loadconfig(&config);
  _tile_loadd(4, tile, 64);
  _tile_loadd(5, tile, 64);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t i = 0; i < steps; ++i) {
    _tile_dpbssd(0, 4, 5);
    _tile_dpbssd(1, 4, 5);
    _tile_dpbssd(2, 4, 5);
    _tile_dpbssd(3, 4, 5);
  }
  _tile_stored(0, tile, 64);
  _tile_release();
  return static_cast<std::uint32_t>(tile[0]);
}

__attribute__((target("amx-tile,amx-bf16"))) std::uint64_t floats_amx(std::int64_t steps) {
  const TileConfig config;
  alignas(64) std::int32_t tile[256];
  for (std::int32_t& word : tile) word = 0x3F803F80;  // two of 1.0
  _tile_loadconfig(&config);
  _tile_loadd(4, tile, 64);
  _tile_loadd(5, tile, 64);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t i = 0; i < steps; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_stored(0, tile, 64);
  _tile_release();
  return static_cast<std::uint32_t>(tile[0]);
}

// Not every compiler's __builtin_cpu_supports knows these names. Intel, "Architecture Instruction
// Set Extensions", CPUID leaf 7.
bool has_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (best_isa() < Isa::kAvx512 || __get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return false;
  return (a >> 5 & 1) != 0;
}

/// Also asks the system for the state of tiles, which it saves only for programs that do.
bool has_amx(int bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d >> 24 & 1) == 0) return false;
  if ((d >> bit & 1) == 0) return false;
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

template <Isa kIsa>
bool has() {
  return best_isa() >= kIsa;
}
bool has_amx_bytes() { return has_amx(25); }
bool has_amx_floats() { return has_amx(22); }

constexpr auto kFloat = Products::kFloat;
constexpr auto kInt8 = Products::kInt8;
// Limits: what the widest processors start in a cycle, times what an instruction does. Units of one
// width share their ports, so their ratio is that of their operations an instruction, whatever the
// clock does; half of it means a loop that the compiler or a neighbour spoilt.
constexpr PeakLoop loop(std::string_view level, std::string_view instruction, Products products,
                        double ops_per_step, PeakLimits limits, bool (*here)(),
                        std::uint64_t (*run)(std::int64_t)) {
  return {level, instruction, products, ops_per_step, limits, here, run};
}

constexpr PeakLoop kLoops[] = {
    loop("scalar", "mulps, addps, 128 bits", kFloat, 8 * kSums, {16, "", 0, 0}, has<Isa::kScalar>,
         floats_scalar),
    loop("avx2", "vfmadd, 256 bits", kFloat, 16 * kSums, {32, "scalar", 1.4, 9}, has<Isa::kAvx2>,
         floats_avx2),
    loop("avx512", "vfmadd, 512 bits", kFloat, 32 * kSums, {64, "avx2", 0.7, 2.3},
         has<Isa::kAvx512>, floats_avx512),
    loop("avx512_bf16", "vdpbf16ps, 512 bits", kFloat, 64 * kSums, {128, "avx512", 0.4, 2.3},
         has_bf16, floats_bf16),
    loop("amx", "tdpbf16ps, tiles", kFloat, 16384 * kTileSums, {1024, "avx512", 6, 18},
         has_amx_floats, floats_amx),
    loop("scalar", "pmaddwd, 128 bits", kInt8, 16 * kPairs, {64, "", 0, 0}, has<Isa::kScalar>,
         bytes_scalar),
    loop("avx2", "vpmaddubsw, 256 bits", kInt8, 64 * kPairs, {192, "scalar", 1.4, 9},
         has<Isa::kAvx2>, bytes_avx2),
    loop("avx512", "vpmaddubsw, 512 bits", kInt8, 128 * kSums, {256, "avx2", 0.7, 2.3},
         has<Isa::kAvx512>, bytes_avx512),
    loop("avx512_vnni", "vpdpbusd, 512 bits", kInt8, 128 * kSums, {256, "avx512", 0.9, 4.4},
         has<Isa::kAvx512Vnni>, bytes_vnni),
    loop("amx", "tdpbssd, tiles", kInt8, 32768 * kTileSums, {2048, "avx512_vnni", 4, 9},
         has_amx_bytes, bytes_amx),
};
#else
std::uint64_t floats_portable(std::int64_t steps) {
  float sums[4 * kSums] = {};
  for (std::int64_t i = 0; i < steps; ++i) {
    for (float& sum : sums) sum = sum * 0.999F + 1.0F;
  }
  for (int j = 1; j < 4 * kSums; ++j) sums[0] += sums[j];
  return static_cast<std::uint64_t>(sums[0]);
}

std::uint64_t bytes_portable(std::int64_t steps) {
  std::uint32_t sums[4 * kSums] = {1};
  for (std::int64_t i = 0; i < steps; ++i) {
    for (std::uint32_t& sum : sums) sum = sum * 3 + 1;
  }
  for (int j = 1; j < 4 * kSums; ++j) sums[0] += sums[j];
  return sums[0];
}

bool always() { return true; }
constexpr PeakLoop kLoops[] = {
    {"scalar",
     "multiply, add",
     Products::kFloat,
     8 * kSums,
     {0, "", 0, 0},
     always,
     floats_portable},
    {"scalar", "multiply, add", Products::kInt8, 8 * kSums, {0, "", 0, 0}, always, bytes_portable},
};
#endif

}  // namespace

std::span<const PeakLoop> peak_loops() { return kLoops; }

double clock_loop(std::int64_t steps, std::uint64_t& result) {
  for (std::int64_t i = 0; i < steps; ++i) result *= result | 5;
  return QLAB_X86 != 0 ? 4 : 0;
}

}  // namespace qlab
