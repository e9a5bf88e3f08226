// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory that kernels read and write: the GPU's under nvcc, guarded host memory otherwise.
/// Included by simt.h.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if !defined(__CUDACC__)
#include "simt/cpu/guarded_memory.h"
#endif

namespace qlab::simt {

/// `size` elements, uninitialised (on the CPU: NaN and -51, so that a read of them shows), or a
/// copy of a host vector. `name` appears in the CPU's error messages.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// \param size elements; what they hold is unspecified.
  explicit Buffer(std::size_t size, std::string name = "a Buffer") : size_(size) {
    allocate(std::move(name));
  }
  /// A copy of `host` [size].
  explicit Buffer(const std::vector<T>& host, std::string name = "a Buffer") : size_(host.size()) {
    allocate(std::move(name));
    copy(data(), host.data());
  }

  /// What a kernel gets. Not for the host to follow: on a GPU it points into the GPU's memory.
  T* data() { return static_cast<T*>(memory()); }
  /// [size] on the device.
  const T* data() const { return static_cast<const T*>(memory()); }
  /// Elements.
  std::size_t size() const { return size_; }

  /// A copy [size] on the host.
  std::vector<T> to_host() const {
    std::vector<T> host(size_);
    copy(host.data(), data());
    return host;
  }

#if defined(__CUDACC__)
  Buffer(Buffer&& other) noexcept
      : size_(other.size_), memory_(std::exchange(other.memory_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(size_, other.size_), std::swap(memory_, other.memory_);
    return *this;
  }
  ~Buffer() { cudaFree(memory_); }

 private:
  void allocate(std::string) { check(cudaMalloc(&memory_, size_ * sizeof(T) + 1), "Buffer"); }
  void* memory() const { return memory_; }
  void copy(void* to, const void* from) const {
    if (size_ > 0) check(cudaMemcpy(to, from, size_ * sizeof(T), cudaMemcpyDefault), "Buffer copy");
  }
  std::size_t size_;
  void* memory_ = nullptr;
#else
  /// Throws if a kernel wrote just before the first element.
  void check_edges() const {
    if (memory_.canary_broken()) throw Error("a write just outside '" + memory_.name() + "'");
  }

 private:
  // 16 bytes: the widest vector access. A shorter tail leaves up to 15 bytes of canary.
  void allocate(std::string name) {
    memory_ = cpu::GuardedMemory(size_ * sizeof(T), 16, std::move(name));
  }
  void* memory() const { return memory_.data(); }
  void copy(void* to, const void* from) const {
    check_edges();
    if (size_ > 0) std::memcpy(to, from, size_ * sizeof(T));
  }
  std::size_t size_;
  cpu::GuardedMemory memory_;
#endif
};

}  // namespace qlab::simt
