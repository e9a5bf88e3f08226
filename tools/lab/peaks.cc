// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times the loops of the units, and reads what lies in the caches.
#include "lab/peaks.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <limits>

#include "common/matrix.h"
#include "lab/peak_loops.h"

#if QLAB_X86
#include <immintrin.h>
#endif

namespace qlab {
namespace {

constexpr int kPasses = 15;
constexpr std::int64_t kFewSteps = 1024;
constexpr double kShortestPass = 2e-3;  // seconds: far longer than waking the threads

/// The compiler must believe that somebody looks at the results, or it drops the loops.
void keep(std::uint64_t value) {
  static std::atomic<std::uint64_t> sink;
  sink.fetch_xor(value, std::memory_order_relaxed);
}

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Calls run(steps) for as many steps as take a while. \returns the most steps a second.
double best_rate(std::int64_t steps, const std::function<void(std::int64_t)>& run) {
  while (seconds_of([&] { run(steps); }) < kShortestPass) steps *= 2;
  double least = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < kPasses; ++pass) {
    least = std::min(least, seconds_of([&] { run(steps); }));
  }
  return static_cast<double>(steps) / least;
}

double cycles_per_second() {
  std::uint64_t result = 3;
  double cycles_a_step = 0;
  const double steps =
      best_rate(kFewSteps, [&](std::int64_t n) { cycles_a_step = clock_loop(n, result); });
  keep(result);
  return steps * cycles_a_step;
}

const Peak* find(const std::vector<Peak>& peaks, Products products, std::string_view level) {
  for (const Peak& peak : peaks) {
    if (peak.products == products && peak.level == level) return &peak;
  }
  return nullptr;
}

#if QLAB_X86
QLAB_AVX512 std::uint64_t read_avx512(const char* data, std::int64_t size) {
  __m512i low = _mm512_setzero_si512(), high = low;
  for (std::int64_t i = 0; i < size; i += 128) {
    low = _mm512_xor_si512(low, _mm512_loadu_si512(data + i));
    high = _mm512_xor_si512(high, _mm512_loadu_si512(data + i + 64));
  }
  std::uint64_t words[8];  // GCC 12 warns falsely of the intrinsic that cuts a register
  _mm512_storeu_si512(words, _mm512_xor_si512(low, high));
  return words[0];
}

QLAB_AVX2 std::uint64_t read_avx2(const char* data, std::int64_t size) {
  __m256i sums[4] = {};
  for (std::int64_t i = 0; i < size; i += 128) {
    for (int j = 0; j < 4; ++j) {
      const auto* part = reinterpret_cast<const __m256i*>(data + i + 32 * j);
      sums[j] = _mm256_xor_si256(sums[j], _mm256_loadu_si256(part));
    }
  }
  sums[0] =
      _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]), _mm256_xor_si256(sums[2], sums[3]));
  return static_cast<std::uint64_t>(_mm256_extract_epi64(sums[0], 0));
}
#endif

std::uint64_t read_portable(const char* data, std::int64_t size) {
  std::uint64_t sums[16] = {};
  for (std::int64_t i = 0; i < size; i += 128) {
    std::uint64_t words[16];
    std::memcpy(words, data + i, sizeof words);
    for (int j = 0; j < 16; ++j) sums[j] ^= words[j];
  }
  for (int j = 1; j < 16; ++j) sums[0] ^= sums[j];
  return sums[0];
}

std::uint64_t (*reader())(const char*, std::int64_t) {
#if QLAB_X86
  if (best_isa() >= Isa::kAvx512) return read_avx512;
  if (best_isa() >= Isa::kAvx2) return read_avx2;
#endif
  return read_portable;
}

}  // namespace

std::vector<Peak> measure_peaks(ThreadPool& threads) {
  std::vector<Peak> peaks;
  for (const PeakLoop& loop : peak_loops()) {
    if (!loop.here()) continue;
    // The clock depends on the instructions that ran last, so it is read beside each loop.
    const double steps = best_rate(kFewSteps, [&](std::int64_t n) {
      threads.run(threads.size(), [&](std::int64_t) { keep(loop.run(n)); });
    });
    const double clock = cycles_per_second();
    const double ops_of_one = steps * loop.ops_per_step;
    const double ops = ops_of_one * threads.size();
    const double per_cycle = clock == 0 ? 0 : ops_of_one / clock;
    const Peak* beside = find(peaks, loop.products, loop.limits.beside);
    const double ratio = beside == nullptr ? 0 : ops / beside->ops_per_second;
    peaks.push_back({loop.level, loop.instruction, loop.products, ops, per_cycle,
                     doubt_about(loop.limits, per_cycle, ratio)});
  }
  return peaks;
}

void keep_better(std::vector<Peak>& peaks, const std::vector<Peak>& later) {
  for (Peak& peak : peaks) {
    const Peak* again = find(later, peak.products, peak.level);
    if (again == nullptr) continue;
    // A reading that cannot be true is not better for being higher.
    const bool mends = !peak.doubt.empty() && again->doubt.empty();
    const bool spoils = peak.doubt.empty() && !again->doubt.empty();
    if (mends || (!spoils && again->ops_per_second > peak.ops_per_second)) peak = *again;
  }
}

const Peak* ceiling_of(const std::vector<Peak>& peaks, Products products, Isa path) {
  const Peak* best = nullptr;
  for (const Peak& peak : peaks) {
    const std::optional<Isa> level = isa_named(peak.level);
    if (peak.products != products || !level || *level > path) continue;
    if (best == nullptr || peak.ops_per_second > best->ops_per_second) best = &peak;
  }
  return best;
}

std::string doubt_about(const PeakLimits& limits, double ops_per_cycle, double ratio) {
  constexpr double kClockMayDiffer = 1.15;
  if (limits.most_per_cycle > 0 && ops_per_cycle > kClockMayDiffer * limits.most_per_cycle) {
    return fmt::format("{:.0f} operations a cycle, and no processor does more than {:.0f}",
                       ops_per_cycle, limits.most_per_cycle);
  }
  if (ratio > 0 && (ratio < limits.least || ratio > limits.most)) {
    return fmt::format("{:.2g} times that of {}, where {:.2g} to {:.2g} belong", ratio,
                       limits.beside, limits.least, limits.most);
  }
  return "";
}

double warm_read_bytes_per_second(ThreadPool& threads, std::int64_t bytes) {
  const std::int64_t part = std::max<std::int64_t>(bytes / threads.size() / 128 * 128, 128);
  Matrix<char> buffer(1, part * threads.size());
  std::memset(buffer.data(), 1, buffer.bytes());
  const auto read = reader();
  // A short buffer is read several times by each task: waking the threads is not reading.
  const double passes = best_rate(1, [&](std::int64_t n) {
    threads.run(threads.size(), [&](std::int64_t t) {
      for (std::int64_t pass = 0; pass < n; ++pass) keep(read(buffer.data() + t * part, part));
    });
  });
  return passes * static_cast<double>(buffer.bytes());
}

}  // namespace qlab
