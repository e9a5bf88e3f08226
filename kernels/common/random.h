// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random: a counter-based generator, the same numbers on every machine and standard library (of
/// normal(), the last bit is the mathematics library's).
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014
/// (SplitMix64). std::normal_distribution differs between standard libraries, so it is not used.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace qlab {

/// Random numbers that are the same everywhere.
class Random {
 public:
  /// Equal seeds give equal numbers, on every machine.
  explicit Random(std::uint64_t seed) : state_(seed) {}

  /// 64 random bits.
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, 1), a multiple of 2⁻⁵³.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// Between low and high, evenly.
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Uniform in 0 … n - 1: the high half of the 128-bit product, biased by less than n / 2⁶⁴.
  std::int64_t below(std::int64_t n) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::int64_t>((Wide{bits()} * static_cast<std::uint64_t>(n)) >> 64);
  }

  /// Mean 0, deviation 1 (Box and Muller 1958; one of the pair is thrown away).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

}  // namespace qlab
