// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory that answers an out-of-bounds access with a message instead of a wrong number.
///
///   | page … | slack (canary) | the user's bytes | guard page, no access |
///
/// The bytes end where an inaccessible page begins, so one element too far is a fault, which the
/// runtime turns into an Error naming the allocation, the block and the thread. Before the first
/// byte lies a canary that tells of writes there; in an AddressSanitizer build both sides are
/// poisoned to the byte.
#pragma once

#include <cstddef>
#include <string>

namespace qlab::simt::cpu {

class GuardedMemory {
 public:
  GuardedMemory() = default;
  GuardedMemory(std::size_t bytes, std::size_t alignment, std::string name);
  ~GuardedMemory();
  GuardedMemory(GuardedMemory&& other) noexcept;
  GuardedMemory& operator=(GuardedMemory&& other) noexcept;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  bool contains(const void* p) const;

  /// Fills with a pattern that is NaN as float, half and bfloat16 and a conspicuous -51 as int16:
  /// a read of memory that nobody wrote shows in the result.
  void fill_with_poison();

  /// Whether something wrote just before the first or just after the last byte.
  bool canary_broken() const;

  const std::string& name() const { return name_; }

 private:
  void release_pages();
  char* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::string name_;
};

/// The 16-bit poison: NaN in binary16 and bfloat16; two of them are NaN in binary32.
inline constexpr unsigned short kPoison = 0xFFCD;
void fill_with_poison(void* p, std::size_t bytes);

/// "4 bytes past the end of 'x' (1024 bytes)" if the address lies in or near a live allocation,
/// an empty string otherwise. Used by the fault handler.
std::string describe_address(const void* address);

}  // namespace qlab::simt::cpu
