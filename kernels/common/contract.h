// SPDX-License-Identifier: Apache-2.0
/// \file
/// How an operation states its operands and refuses wrong ones: MatrixView, Cost, QLAB_CHECK.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>

namespace qlab {

/// The caller broke a contract. what() names the operation, the operand and the way out.
struct ContractError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// Throws ContractError with the parts joined. Use it through QLAB_CHECK.
template <class... Parts>
[[noreturn]] void fail_contract(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw ContractError(text.str());
}

/// Refuses a wrong argument with one sentence: what is wrong, where, and how to mend it.
/// The parts are not evaluated while the condition holds.
#define QLAB_CHECK(condition, ...)                        \
  do {                                                    \
    if (!(condition)) ::qlab::fail_contract(__VA_ARGS__); \
  } while (false)

/// An exercise whose body the learner has not written yet.
struct NotWrittenYet : std::logic_error {
  using std::logic_error::logic_error;
};

#if defined(__CUDACC__)
#define QLAB_HOST_DEVICE __host__ __device__
#else
#define QLAB_HOST_DEVICE
#endif

/// Stands in a stub where the learner's code goes, and ends its test with the place. A GPU cannot
/// throw: there the output stays as it was, which the test sees.
QLAB_HOST_DEVICE inline void todo([[maybe_unused]] const char* id,
                                  [[maybe_unused]] const char* file = __builtin_FILE(),
                                  [[maybe_unused]] int line = __builtin_LINE()) {
#if !defined(__CUDA_ARCH__) && !defined(QLAB_TODO_DOES_NOTHING)
  throw NotWrittenYet(std::string(file) + ":" + std::to_string(line) + ": " + id +
                      " is not written yet");
#endif
}

/// A row-major matrix somebody else owns: element (r, c) stands at data[r * row_stride + c].
template <class T>
class MatrixView {
 public:
  /// \param data [rows, cols], rows `row_stride` elements apart; not owned.
  MatrixView(T* data, std::int64_t rows, std::int64_t cols, std::int64_t row_stride)
      : data_(data), rows_(rows), cols_(cols), row_stride_(row_stride) {
    QLAB_CHECK(rows >= 0 && cols >= 0, "MatrixView: [", rows, ", ", cols, "] has a negative side");
    QLAB_CHECK(row_stride >= cols, "MatrixView: row_stride ", row_stride, " is under ", cols,
               " columns; rows would overlap");
  }

  /// A view that may write turns into one that may not, never the other way.
  operator MatrixView<const T>() const { return {data_, rows_, cols_, row_stride_}; }

  /// Rows.
  std::int64_t rows() const { return rows_; }
  /// Columns.
  std::int64_t cols() const { return cols_; }
  /// Elements from a row to the next; at least cols.
  std::int64_t row_stride() const { return row_stride_; }

  /// The first element of row r.
  T* row(std::int64_t r) const { return data_ + r * row_stride_; }
  /// The element in row r and column c; unchecked.
  T& operator()(std::int64_t r, std::int64_t c) const { return data_[r * row_stride_ + c]; }

  /// Columns [first, first + count) of row r.
  std::span<T> row(std::int64_t r, std::int64_t first, std::int64_t count) const {
    return {row(r) + first, static_cast<std::size_t>(count)};
  }

  /// Rows [first, first + count), all columns.
  MatrixView rows_from(std::int64_t first, std::int64_t count) const {
    return {row(first), count, cols_, row_stride_};
  }

 private:
  T* data_;
  std::int64_t rows_, cols_, row_stride_;
};

/// Refuses a matrix whose shape is not [rows, cols].
template <class T>
void check_shape(const char* operation, const char* operand, const MatrixView<T>& view,
                 std::int64_t rows, std::int64_t cols) {
  QLAB_CHECK(view.rows() == rows && view.cols() == cols, operation, ": ", operand, " is [",
             view.rows(), ", ", view.cols(), "], expected [", rows, ", ", cols, "]");
}

/// What one call must at least move and compute; the roofline is drawn from it.
struct Cost {
  std::int64_t bytes;
  std::int64_t flops;
};

}  // namespace qlab
