// SPDX-License-Identifier: Apache-2.0
/// \file
/// A pointer that counts what its accesses cost: 32-byte sectors of global memory, bank conflicts
/// of shared memory. On a GPU it is the plain pointer, so a kernel can keep it.
///
///   __global__ void k(simt::traced<const float> x, …)   x[i] and x[i] = v as with a pointer
///   simt::Tracing tracing;                               counts launches while it lives (CPU)
///   simt::launch(…, simt::trace("x", x.data()), …);
///   std::cout << tracing.report();
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "simt/simt.h"

namespace qlab::simt {

/// One line's accesses to one array, over all warps. A request is what a warp's lanes ask for at
/// once; `units` is what it took, `ideal` what as many bytes need at best: sectors of global
/// memory, passes over the banks of shared memory.
struct AccessCounts {
  std::string array;
  int line = 0;
  bool store = false;
  bool shared = false;
  std::uint64_t requests = 0;
  std::uint64_t lanes = 0;
  std::uint64_t units = 0;
  std::uint64_t ideal = 0;
};

#if defined(__CUDACC__)

template <class T>
using traced = T*;
template <class T>
__host__ __device__ T* trace(const char*, T* p) {
  return p;
}
template <class T>
__device__ T* trace_shared(const char*, T* p) {
  return p;
}

#else

/// Counts accesses for as long as it lives.
class Tracing {
 public:
  Tracing();
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;
  /// What was counted so far.
  std::vector<AccessCounts> counts() const;
  /// A sentence a line of source:
  /// "x, line 12, load: 32 lanes took 32 sectors a request; 4 would do (1 requests)".
  std::string report() const;
};

namespace cpu {
/// Notes an access of `bytes` bytes at byte `byte` of an array.
void record_access(const char* array, int line, bool store, bool shared, std::ptrdiff_t byte,
                   unsigned bytes);
/// Whether accesses are counted now.
bool tracing();
}  // namespace cpu

/// A pointer that counts what is done through it.
template <class T>
class traced {
 public:
  /// An index that remembers the line it was written on.
  struct Index {
    std::ptrdiff_t i;
    int line;
    /// An index, and the line that uses it.
    template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
    Index(I index, int at = __builtin_LINE()) : i(static_cast<std::ptrdiff_t>(index)), line(at) {}
  };

  /// x[i]: reading it is a load, assigning to it a store, += both.
  class Element {
   public:
    /// A load.
    operator std::remove_const_t<T>() const {
      note(false);
      return owner_.p_[index_.i];
    }
    /// A store.
    const Element& operator=(const std::remove_const_t<T>& value) const {
      note(true);
      owner_.p_[index_.i] = value;
      return *this;
    }
    /// A load and a store.
    const Element& operator=(const Element& other) const {
      return *this = std::remove_const_t<T>(other);
    }
    /// A load and a store.
    const Element& operator+=(const std::remove_const_t<T>& value) const {
      return *this = std::remove_const_t<T>(*this) + value;
    }

   private:
    friend class traced;
    Element(const traced& owner, Index index) : owner_(owner), index_(index) {}
    void note(bool store) const {
      if (!cpu::tracing()) return;
      cpu::record_access(owner_.name_, index_.line, store, owner_.shared_,
                         index_.i * static_cast<std::ptrdiff_t>(sizeof(T)), sizeof(T));
    }
    const traced& owner_;
    Index index_;
  };

  /// p [any], under a name for messages.
  traced(const char* name, T* p, bool shared) : name_(name), p_(p), shared_(shared) {}
  /// The element; its loads and stores are counted.
  Element operator[](Index index) const { return {*this, index}; }
  /// The pointer itself; what is done with it is not counted.
  T* data() const { return p_; }

 private:
  const char* name_;
  T* p_;
  bool shared_;
};

/// Offsets count from `p`, which is taken to start a 256-byte segment as cudaMalloc's blocks do.
template <class T>
traced<T> trace(const char* name, T* p) {
  return {name, p, false};
}
/// An array in shared memory, counted.
template <class T>
traced<T> trace_shared(const char* name, T* p) {
  return {name, p, true};
}

#endif

}  // namespace qlab::simt
