// SPDX-License-Identifier: Apache-2.0
/// \file
#include "simt/cpu/guarded_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "simt/cpu/sanitizers.h"

namespace qlab::simt::cpu {
namespace {

constexpr unsigned char kCanary = 0xA5;

struct Region {
  const char* mapping;
  std::size_t mapping_bytes;
  const char* data;
  std::size_t bytes;
  std::string name;
};

struct Registry {
  std::mutex mutex;
  std::vector<Region> regions;
};

Registry& registry() {
  static Registry* const the = new Registry;  // outlives every static Buffer
  return *the;
}

// Made before main: in this code, which it does not instrument, ThreadSanitizer would not see that
// the first use by one worker comes before the others' use.
[[maybe_unused]] const Registry& made_before_main = registry();

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

}  // namespace

GuardedMemory::GuardedMemory(std::size_t bytes, std::size_t alignment, std::string name)
    : bytes_(bytes), name_(std::move(name)) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t usable = round_up(std::max<std::size_t>(bytes, 1), alignment);
  const std::size_t body = round_up(usable, page);
  mapping_bytes_ = body + page;
  void* memory = mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<char*>(memory);
  mprotect(mapping_ + body, page, PROT_NONE);
  data_ = mapping_ + body - usable;
  std::memset(mapping_, kCanary, static_cast<std::size_t>(data_ - mapping_));
  std::memset(data_ + bytes_, kCanary, usable - bytes_);
  fill_with_poison();
  poison(mapping_, static_cast<std::size_t>(data_ - mapping_));
  poison(data_ + bytes_, usable - bytes_);
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.regions.push_back({mapping_, mapping_bytes_, data_, bytes_, name_});
}

void GuardedMemory::release_pages() {
  if (mapping_ == nullptr) return;
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.regions, [&](const Region& r) { return r.mapping == mapping_; });
  unpoison(mapping_, mapping_bytes_);
  munmap(mapping_, mapping_bytes_);
  mapping_ = nullptr;
}

GuardedMemory::~GuardedMemory() { release_pages(); }

GuardedMemory::GuardedMemory(GuardedMemory&& other) noexcept { *this = std::move(other); }

GuardedMemory& GuardedMemory::operator=(GuardedMemory&& other) noexcept {
  if (this == &other) return *this;
  release_pages();
  mapping_ = std::exchange(other.mapping_, nullptr);
  mapping_bytes_ = other.mapping_bytes_;
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  name_ = std::move(other.name_);
  return *this;
}

bool GuardedMemory::contains(const void* p) const {
  const char* c = static_cast<const char*>(p);
  return data_ != nullptr && c >= data_ && c < data_ + bytes_;
}

void GuardedMemory::fill_with_poison() { cpu::fill_with_poison(data_, bytes_); }

void fill_with_poison(void* p, std::size_t bytes) {
  auto* c = static_cast<unsigned char*>(p);
  for (std::size_t i = 0; i < bytes; ++i) {
    c[i] = static_cast<unsigned char>(i % 2 == 0 ? kPoison & 0xFF : kPoison >> 8);
  }
}

bool GuardedMemory::canary_broken() const {
#if defined(SIMT_ASAN)
  return false;  // AddressSanitizer has already stopped at the write itself
#else
  const auto not_canary = [](char c) { return static_cast<unsigned char>(c) != kCanary; };
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  char* usable_end = mapping_ + mapping_bytes_ - page;
  return std::any_of(mapping_, data_, not_canary) ||
         std::any_of(data_ + bytes_, usable_end, not_canary);
#endif
}

std::string describe_address(const void* address) {
  const char* p = static_cast<const char*>(address);
  Registry& all = registry();
  const std::unique_lock lock(all.mutex, std::try_to_lock);  // called from a signal handler
  if (!lock.owns_lock()) return "";
  for (const Region& r : all.regions) {
    if (p < r.mapping || p >= r.mapping + r.mapping_bytes) continue;
    const std::string what = "'" + r.name + "' (" + std::to_string(r.bytes) + " bytes)";
    if (p < r.data) return std::to_string(r.data - p) + " bytes before the start of " + what;
    if (p < r.data + r.bytes) return "inside " + what;
    const auto past = p - (r.data + r.bytes);
    if (past == 0) return "just past the end of " + what;
    return std::to_string(past) + " bytes past the end of " + what;
  }
  return "";
}

}  // namespace qlab::simt::cpu
