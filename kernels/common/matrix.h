// SPDX-License-Identifier: Apache-2.0
/// \file
/// Matrix: a row-major matrix that owns its memory, aligned for any vector load.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

#include "common/contract.h"

namespace qlab {

/// [rows, cols] of zeros, rows one behind the other. Large ones ask for huge pages: a kernel that
/// streams weights would otherwise wait for a page table entry every 4 KiB.
template <class T>
class Matrix {
  static_assert(std::is_trivially_copyable_v<T>, "elements are filled bytewise");

 public:
  Matrix() : Matrix(0, 0) {}
  /// [rows, cols] of T{}. \throws ContractError for a side under 0.
  Matrix(std::int64_t rows, std::int64_t cols) : rows_(rows), cols_(cols) {
    QLAB_CHECK(rows >= 0 && cols >= 0, "Matrix: [", rows, ", ", cols, "] has a negative side");
    const std::size_t align = bytes() >= kHugePage ? kHugePage : kLine;
    const std::size_t size = (bytes() + align - 1) / align * align;
    data_.reset(static_cast<T*>(std::aligned_alloc(align, size == 0 ? align : size)));
    if (!data_) throw std::bad_alloc();
    if (align == kHugePage) madvise(data_.get(), size, MADV_HUGEPAGE);  // a wish: failing is fine
    std::memset(static_cast<void*>(data_.get()), 0, bytes());
  }

  /// Copies the elements.
  Matrix(const Matrix& other) : Matrix(other.rows_, other.cols_) {
    std::memcpy(static_cast<void*>(data_.get()), other.data_.get(), bytes());
  }
  /// Copies the elements.
  Matrix& operator=(const Matrix& other) { return *this = Matrix(other); }
  /// Takes the memory over.
  Matrix(Matrix&&) noexcept = default;
  /// Takes the memory over.
  Matrix& operator=(Matrix&&) noexcept = default;

  /// Rows.
  std::int64_t rows() const { return rows_; }
  /// Columns.
  std::int64_t cols() const { return cols_; }
  /// Of all elements.
  std::size_t bytes() const { return static_cast<std::size_t>(rows_ * cols_) * sizeof(T); }

  /// [rows · cols], row after row.
  T* data() { return data_.get(); }
  /// The same, to read.
  const T* data() const { return data_.get(); }
  /// All of it, for as long as this lives.
  MatrixView<T> view() { return {data_.get(), rows_, cols_, cols_}; }
  /// The same, to read.
  MatrixView<const T> view() const { return {data_.get(), rows_, cols_, cols_}; }
  /// The element in row r and column c; unchecked.
  T& operator()(std::int64_t r, std::int64_t c) { return data_.get()[r * cols_ + c]; }
  /// The same, to read.
  const T& operator()(std::int64_t r, std::int64_t c) const { return data_.get()[r * cols_ + c]; }

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::int64_t rows_, cols_;
  std::unique_ptr<T, Free> data_;
};

}  // namespace qlab
