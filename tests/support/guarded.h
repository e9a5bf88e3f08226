// SPDX-License-Identifier: Apache-2.0
/// \file
/// Guarded: an output matrix that notices an element not written and a write outside.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "common/contract.h"
#include "common/matrix.h"

namespace qlab::test {

/// [rows, cols] inside a larger buffer, all of it poison: 64 bytes before and behind, and a gap
/// after each row. The poison 0xFF is a NaN in every float format of the lab, so it spreads through
/// any sum it gets into. Integers have no NaN: a test runs twice, over kPoison and kOtherPoison.
template <class T>
class Guarded {
 public:
  static constexpr unsigned char kPoison = std::is_integral_v<T> ? 0xA5 : 0xFF;
  static constexpr unsigned char kOtherPoison = 0x5A;

  Guarded(std::int64_t rows, std::int64_t cols, unsigned char poison = kPoison)
      : rows_(rows),
        cols_(cols),
        poison_(poison),
        buffer_(1, kGuard + rows * (cols + kGap) + kGuard) {
    std::memset(static_cast<void*>(buffer_.data()), poison, buffer_.bytes());
  }

  MatrixView<T> view() { return {buffer_.data() + kGuard, rows_, cols_, cols_ + kGap}; }
  MatrixView<const T> view() const { return {buffer_.data() + kGuard, rows_, cols_, cols_ + kGap}; }

  /// Success if every element was written and no byte around them. For types with a NaN only.
  testing::AssertionResult written_exactly() const requires(!std::is_integral_v<T>) {
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < cols_; ++c) {
        if (is_poison(view()(r, c))) return failure(r, c) << "was never written";
      }
    }
    return untouched_outside();
  }

  /// The same for any type: `other` is the output of the same call on another poison. Elements that
  /// differ were not written, or computed from what was there before.
  testing::AssertionResult written_exactly(const Guarded& other) const {
    QLAB_CHECK(poison_ != other.poison_ && rows_ == other.rows_ && cols_ == other.cols_,
               "Guarded: two runs need one shape and two poisons");
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < cols_; ++c) {
        const T &one = view()(r, c), &two = other.view()(r, c);
        if (is_poison(one) && other.is_poison(two)) return failure(r, c) << "was never written";
        if (std::memcmp(&one, &two, sizeof(T)) != 0) {
          return failure(r, c) << "depends on what the output held before the call";
        }
      }
    }
    testing::AssertionResult untouched = untouched_outside();
    return untouched ? other.untouched_outside() : untouched;
  }

  /// Success if no byte around the elements was written.
  testing::AssertionResult untouched_outside() const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(buffer_.data());
    const auto first = static_cast<std::int64_t>(kGuard * sizeof(T));
    const auto row = static_cast<std::int64_t>((cols_ + kGap) * sizeof(T));
    const auto used = static_cast<std::int64_t>(cols_ * sizeof(T));
    for (std::int64_t b = 0; b < static_cast<std::int64_t>(buffer_.bytes()); ++b) {
      const std::int64_t place = b - first;
      const bool in_rows = place >= 0 && place < rows_ * row;
      if (bytes[b] == poison_ || (in_rows && place % row < used)) continue;
      testing::AssertionResult outside = testing::AssertionFailure();
      if (place < 0) return outside << "wrote " << -place << " bytes before the first row";
      if (!in_rows) {  // the gap of the last row is part of the distance
        return outside << "wrote " << place - rows_ * row + row - used + 1
                       << " bytes past the end of the last row";
      }
      return outside << "wrote " << place % row - used + 1 << " bytes past the end of row "
                     << place / row << ", columns end at " << cols_;
    }
    return testing::AssertionSuccess();
  }

 private:
  static constexpr std::int64_t kGap = 5;  // odd: rows do not start on a vector's boundary
  static constexpr std::int64_t kGuard = 64 / sizeof(T);
  static_assert(64 % sizeof(T) == 0);

  bool is_poison(const T& value) const {
    unsigned char poison[sizeof(T)];
    std::memset(poison, poison_, sizeof(T));
    return std::memcmp(&value, poison, sizeof(T)) == 0;
  }

  testing::AssertionResult failure(std::int64_t r, std::int64_t c) const {
    return testing::AssertionFailure()
           << "[" << r << ", " << c << "] of [" << rows_ << ", " << cols_ << "] ";
  }

  std::int64_t rows_, cols_;
  unsigned char poison_;
  Matrix<T> buffer_;
};

}  // namespace qlab::test
