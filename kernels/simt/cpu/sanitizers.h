// SPDX-License-Identifier: Apache-2.0
/// \file
/// What AddressSanitizer and ThreadSanitizer must be told about fibers and poisoned memory.
/// Every function is empty in a build without the sanitizer.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIMT_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define SIMT_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define SIMT_TSAN 1
#endif

// The runtime moves data between fibers on behalf of the threads (a shuffle, an mma). Those moves
// are the hardware's, not the kernel's, so ThreadSanitizer must not see them as accesses.
#if defined(SIMT_TSAN)
#define SIMT_HARDWARE __attribute__((no_sanitize("thread"), noinline))
#else
#define SIMT_HARDWARE
#endif

#if defined(SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SIMT_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
#endif

namespace qlab::simt::cpu {

inline void poison([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(SIMT_ASAN)
  ASAN_POISON_MEMORY_REGION(p, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(SIMT_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
#endif
}

/// What happened before release(x) in one fiber is visible after acquire(x) in another.
inline void release([[maybe_unused]] void* x) {
#if defined(SIMT_TSAN)
  __tsan_release(x);
#endif
}

inline void acquire([[maybe_unused]] void* x) {
#if defined(SIMT_TSAN)
  __tsan_acquire(x);
#endif
}

/// While one lives, ThreadSanitizer overlooks what this fiber does, system calls included: memory
/// that appears on a thread's first use of it was there for all threads from the start.
struct Unseen {
#if defined(SIMT_TSAN)
  Unseen() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~Unseen() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
#else
  Unseen() {}
#endif
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;
};

}  // namespace qlab::simt::cpu
