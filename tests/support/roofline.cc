// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads a large buffer in a few patterns, and keeps the multiply-add units busy.
#include "support/roofline.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "common/isa.h"
#include "common/matrix.h"
#include "common/statistics.h"

#if QLAB_X86
#include <immintrin.h>
#endif

namespace qlab::test {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr int kPasses = 7;

// On some processors this counts the caches of all core complexes, of which a core fills only its
// own; so what follows from it is capped.
std::int64_t last_level_cache_bytes() {
#if defined(_SC_LEVEL3_CACHE_SIZE)
  if (const std::int64_t bytes = sysconf(_SC_LEVEL3_CACHE_SIZE); bytes > 0) return bytes;
#endif
  return 32 * kMiB;  // virtual machines often do not tell
}

/// The compiler must believe that somebody looks at the results, or it drops the loops.
void keep(std::uint64_t value) {
  static std::atomic<std::uint64_t> sink;
  sink.fetch_xor(value, std::memory_order_relaxed);
}

template <class Call>
double median_seconds(Call call) {
  std::vector<double> seconds(kPasses);
  for (double& pass : seconds) {
    const auto start = std::chrono::steady_clock::now();
    call();
    pass = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return median(seconds);
}

/// XOR of `size` bytes, as kStreams runs side by side: prefetchers follow several runs at once.
/// \param size  a multiple of 64 · kStreams
template <int kStreams>
std::uint64_t read_portable(const char* data, std::int64_t size) {
  std::uint64_t sums[8] = {};
  const std::int64_t run = size / kStreams;
  for (std::int64_t i = 0; i < run; i += 64) {
    for (int s = 0; s < kStreams; ++s) {
      std::uint64_t line[8];
      std::memcpy(line, data + s * run + i, sizeof line);
      for (int j = 0; j < 8; ++j) sums[j] ^= line[j];
    }
  }
  for (int j = 1; j < 8; ++j) sums[0] ^= sums[j];
  return sums[0];
}

#if QLAB_X86
template <int kStreams>
QLAB_AVX2 std::uint64_t read_avx2(const char* data, std::int64_t size) {
  __m256i low = _mm256_setzero_si256(), high = low;
  const std::int64_t run = size / kStreams;
  for (std::int64_t i = 0; i < run; i += 64) {
    for (int s = 0; s < kStreams; ++s) {
      const auto* line = reinterpret_cast<const __m256i*>(data + s * run + i);
      low = _mm256_xor_si256(low, _mm256_load_si256(line));
      high = _mm256_xor_si256(high, _mm256_load_si256(line + 1));
    }
  }
  const __m256i sum = _mm256_xor_si256(low, high);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(sum, 0) ^ _mm256_extract_epi64(sum, 1) ^
                                    _mm256_extract_epi64(sum, 2) ^ _mm256_extract_epi64(sum, 3));
}
#endif

constexpr std::int64_t kFmaSteps = 2'000'000;  // some milliseconds: longer than waking the threads

// A multiply-add takes four or five cycles and two start in each, so ten sums must be under way;
// twelve, and two operands, fit the sixteen registers.
constexpr int kSums = 12;

/// What a loop computed, so that it is not dropped, and how much that was.
struct FmaWork {
  float sum;
  std::int64_t flops;
};

FmaWork fma_portable() {
  float sums[4 * kSums] = {};
  for (std::int64_t i = 0; i < kFmaSteps; ++i) {
    for (float& sum : sums) sum = sum * 0.999F + 1.0F;  // not std::fma: without the unit, a call
  }
  for (int j = 1; j < 4 * kSums; ++j) sums[0] += sums[j];
  return {.sum = sums[0], .flops = 2 * 4 * kSums * kFmaSteps};
}

#if QLAB_X86
QLAB_AVX2 FmaWork fma_avx2() {
  const __m256 factor = _mm256_set1_ps(0.999F), term = _mm256_set1_ps(1.0F);
  __m256 sums[kSums];
  for (__m256& sum : sums) sum = term;
  for (std::int64_t i = 0; i < kFmaSteps; ++i) {
    // Unrolled, or the sums live in an array in memory.
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm256_fmadd_ps(sums[j], factor, term);
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm256_add_ps(sums[0], sums[j]);
  return {.sum = _mm256_cvtss_f32(sums[0]), .flops = 2 * 8 * kSums * kFmaSteps};
}

QLAB_AVX512 FmaWork fma_avx512() {
  const __m512 factor = _mm512_set1_ps(0.999F), term = _mm512_set1_ps(1.0F);
  __m512 sums[kSums];
  for (__m512& sum : sums) sum = term;
  for (std::int64_t i = 0; i < kFmaSteps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) sums[j] = _mm512_fmadd_ps(sums[j], factor, term);
  }
  for (int j = 1; j < kSums; ++j) sums[0] = _mm512_add_ps(sums[0], sums[j]);
  return {.sum = _mm512_cvtss_f32(sums[0]), .flops = 2 * 16 * kSums * kFmaSteps};
}
#endif

/// Sequential and side by side: which one is faster depends on the processor's prefetchers.
std::vector<std::uint64_t (*)(const char*, std::int64_t)> read_patterns() {
#if QLAB_X86
  if (best_isa() >= Isa::kAvx2) return {read_avx2<1>, read_avx2<2>, read_avx2<4>, read_avx2<8>};
#endif
  return {read_portable<1>, read_portable<2>, read_portable<4>, read_portable<8>};
}

FmaWork (*fma_loop())() {
#if QLAB_X86
  if (best_isa() >= Isa::kAvx512) return fma_avx512;
  if (best_isa() >= Isa::kAvx2) return fma_avx2;
#endif
  return fma_portable;
}

/// Pages that were never written are all the same page of zeros, which lies in the cache.
Matrix<char> written_bytes(std::int64_t size) {
  Matrix<char> bytes(1, size);
  std::memset(bytes.data(), 1, bytes.bytes());
  return bytes;
}

}  // namespace

double read_bytes_per_second(ThreadPool& threads) {
  const std::int64_t wanted =
      std::clamp(2 * last_level_cache_bytes(), 128 * kMiB, 256 * kMiB) / threads.size();
  const std::int64_t part = wanted / 4096 * 4096;  // each thread reads its own
  const Matrix<char> buffer = written_bytes(part * threads.size());
  double best = 0;
  for (const auto read : read_patterns()) {
    const double seconds = median_seconds([&] {
      threads.run(threads.size(),
                  [&](std::int64_t t) { keep(read(buffer.data() + t * part, part)); });
    });
    best = std::max(best, static_cast<double>(buffer.bytes()) / seconds);
  }
  return best;
}

double fma_flops_per_second(ThreadPool& threads) {
  std::vector<FmaWork> work(static_cast<std::size_t>(threads.size()));
  const double seconds = median_seconds([&] {
    threads.run(threads.size(),
                [&](std::int64_t t) { work[static_cast<std::size_t>(t)] = fma_loop()(); });
  });
  double flops = 0;
  for (const FmaWork& done : work) {
    keep(std::bit_cast<std::uint32_t>(done.sum));
    flops += static_cast<double>(done.flops);
  }
  return flops / seconds;
}

void flush_caches() {
  static Matrix<char> buffer =
      written_bytes(std::clamp(2 * last_level_cache_bytes(), 64 * kMiB, 128 * kMiB));
  for (std::size_t i = 0; i < buffer.bytes(); i += 64) ++buffer.data()[i];  // a line at a time
}

void flush_caches(ThreadPool& threads) {
  flush_caches();
  threads.run(threads.size(), [](std::int64_t) {});
}

}  // namespace qlab::test
