// SPDX-License-Identifier: Apache-2.0
/// \file
#include "simt/cpu/shared_memory.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "simt/cpu/runtime.h"
#include "simt/cpu/sanitizers.h"
#include "simt/cpu/worker.h"

namespace qlab::simt::cpu {
namespace {
std::atomic<std::uintptr_t> known_variables{0};
}

bool shared_variables_are_known() { return known_variables.load() != 0; }

void SharedMemory::begin_block(std::size_t dynamic_bytes) {
  ++block_;
  static_bytes_ = 0;
  if (dynamic_.data() == nullptr || dynamic_.bytes() != dynamic_bytes) {
    dynamic_ = GuardedMemory(dynamic_bytes, 16, "dynamic shared memory");
  } else {
    dynamic_.fill_with_poison();
  }
}

void SharedMemory::end_block() const {
  const auto complain = [](const GuardedMemory& memory) {
    throw Error("a write just outside " + memory.name() + " (" + std::to_string(memory.bytes()) +
                " bytes); build with -fsanitize=address to see the line");
  };
  if (dynamic_.canary_broken()) complain(dynamic_);
  for (const Variable& v : variables_) {
    if (v.touched_in_block == block_ && v.memory.canary_broken()) complain(v.memory);
  }
}

void* SharedMemory::variable(std::size_t id, std::size_t bytes, std::size_t alignment) {
  const Unseen unseen;
  if (id >= variables_.size()) variables_.resize(id + 1);
  Variable& v = variables_[id];
  if (v.touched_in_block == block_) return v.memory.data();
  if (v.memory.data() == nullptr) {
    v.memory = GuardedMemory(bytes, alignment, "a __shared__ variable");
  } else {
    v.memory.fill_with_poison();
  }
  v.touched_in_block = block_;
  static_bytes_ += bytes;
  if (static_bytes_ > kMaxStaticSharedBytes) {
    Worker::running()->leave_fiber("the block's __shared__ variables need more than " +
                                   std::to_string(kMaxStaticSharedBytes) +
                                   " bytes; use DYNAMIC_SHARED for larger arrays");
  }
  return v.memory.data();
}

bool SharedMemory::contains(const void* p) const {
  if (dynamic_.contains(p)) return true;
  for (const Variable& v : variables_) {
    if (v.touched_in_block == block_ && v.memory.contains(p)) return true;
  }
  return false;
}

}  // namespace qlab::simt::cpu

// With -femulated-tls a compiler turns each access to a thread_local variable into a call of
// __emutls_get_address with a description of the variable (size, alignment, a number to be handed
// out, initial bytes). The function normally comes with the compiler's support library; this one
// takes its place, so that each __shared__ array gets guarded, poisoned memory of its own.
namespace {

struct EmulatedVariable {
  std::size_t size;
  std::size_t alignment;
  std::uintptr_t number;  // 0 until first used
  const void* initial;    // null: zeros
};

std::uintptr_t number_of(EmulatedVariable& v) {
  std::atomic_ref<std::uintptr_t> number(v.number);
  std::uintptr_t current = number.load(std::memory_order_acquire);
  if (current != 0) return current;
  const std::uintptr_t fresh = 1 + qlab::simt::cpu::known_variables.fetch_add(1);
  return number.compare_exchange_strong(current, fresh) ? fresh : current;
}

// Host code in the same source file may have thread_local variables too: plain ones.
void* host_variable(const EmulatedVariable& v, std::uintptr_t number) {
  thread_local std::unordered_map<std::uintptr_t, std::unique_ptr<char[]>> mine;
  std::unique_ptr<char[]>& memory = mine[number];
  if (memory == nullptr) {
    memory = std::make_unique<char[]>(v.size + v.alignment);
  }
  void* p = memory.get();
  std::size_t space = v.size + v.alignment;
  std::align(v.alignment, v.size, p, space);
  static thread_local std::unordered_map<std::uintptr_t, bool> initialised;
  if (!initialised[number]) {
    initialised[number] = true;
    if (v.initial != nullptr) std::memcpy(p, v.initial, v.size);
  }
  return p;
}

}  // namespace

extern "C" void* __emutls_get_address(void* description) {
  EmulatedVariable& v = *static_cast<EmulatedVariable*>(description);
  const std::uintptr_t number = number_of(v);
  qlab::simt::cpu::Worker* worker = qlab::simt::cpu::Worker::running();
  if (worker == nullptr) return host_variable(v, number);
  if (v.initial != nullptr) {
    worker->leave_fiber("a __shared__ variable cannot have an initial value");
  }
  const qlab::simt::cpu::Worker::Undisturbed undisturbed(*worker);
  return worker->shared().variable(number, v.size, v.alignment);
}
