// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fenced: a read-only copy of an input whose last byte touches memory that nobody may read.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

#include "common/contract.h"

namespace qlab::test {

/// Reading one byte past the last element, or writing any, ends the process with a signal: guard
/// bands cannot see reads, and a padded buffer hides them. Rows start where elements of T may, no
/// better aligned, and keep the distance they have in the original; the gap between them is 0xFF.
template <class T>
class Fenced {
  static_assert(std::is_trivially_copyable_v<T>, "elements are copied bytewise");

 public:
  explicit Fenced(MatrixView<const T> values)
      : rows_(values.rows()), cols_(values.cols()), row_stride_(values.row_stride()) {
    const std::size_t elements =
        rows_ == 0 ? 0 : static_cast<std::size_t>((rows_ - 1) * row_stride_ + cols_);
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t readable = (elements * sizeof(T) + page - 1) / page * page;
    size_ = readable + page;
    void* const map =
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<char*>(map);
    std::memset(map_, 0xFF, size_);
    T* const data = reinterpret_cast<T*>(map_ + readable) - elements;
    for (std::int64_t r = 0; r < rows_ && cols_ > 0; ++r) {  // nothing may have no address
      std::memcpy(static_cast<void*>(data + r * row_stride_), values.row(r),
                  static_cast<std::size_t>(cols_) * sizeof(T));
    }
    data_ = data;
    const bool fenced =
        mprotect(map_, size_, PROT_READ) == 0 && mprotect(map_ + readable, page, PROT_NONE) == 0;
    if (!fenced) {  // never a fence that is not there
      munmap(map_, size_);
      throw std::bad_alloc();
    }
  }
  ~Fenced() { munmap(map_, size_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  MatrixView<const T> view() const { return {data_, rows_, cols_, row_stride_}; }
  const T* data() const { return data_; }

 private:
  std::int64_t rows_, cols_, row_stride_;
  std::size_t size_;
  char* map_;
  const T* data_;
};

}  // namespace qlab::test
