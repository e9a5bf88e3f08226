// SPDX-License-Identifier: Apache-2.0
/// \file
#include "simt/cpu/runtime.h"

#include <cstring>

#include "simt/cpu/worker.h"

namespace qlab::simt::cpu {
namespace {

Thread& running(const char* asked) {
  Thread* t = Worker::running_thread();
  if (t == nullptr) throw Error(std::string(asked) + " outside a kernel");
  return *t;
}

bool is_aligned(const void* p, unsigned bytes) {
  return reinterpret_cast<std::uintptr_t>(p) % bytes == 0;
}

}  // namespace

const Coordinates& self() { return *Worker::running_thread(); }

void fail(const std::string& what) { throw Error(what); }

int block_barrier(const char* name, bool predicate, Site at) {
  Thread& t = running(name);
  return t.worker->wait_at_barrier(t, name, predicate, at);
}

void warp_call(WarpCall& call) {
  Thread& t = running(call.name);
  t.worker->enter_warp_call(t, call);
}

void* dynamic_shared() { return running("DYNAMIC_SHARED").worker->shared().dynamic(); }

bool may_be_shared(const void* p, std::size_t bytes) {
  const SharedMemory& shared = running("may_be_shared").worker->shared();
  const char* last = static_cast<const char*>(p) + bytes - 1;
  if (shared.contains(p)) return shared.contains(last);
  return !shared_variables_are_known() && describe_address(p).empty();
}

void async_copy(void* shared, const void* global, unsigned bytes, unsigned valid_bytes, Site at) {
  Thread& t = running("cp.async");
  const Worker::Undisturbed undisturbed(*t.worker);
  const auto where = [&] { return std::string(" (line ") + std::to_string(at.line) + ")"; };
  if (!is_aligned(shared, bytes) || !is_aligned(global, bytes)) {
    fail("cp.async of " + std::to_string(bytes) + " bytes needs addresses that are multiples of " +
         std::to_string(bytes) + where());
  }
  if (!may_be_shared(shared, bytes)) {
    fail("cp.async: the destination is not in shared memory" + where());
  }
  fill_with_poison(shared, bytes);
  t.copies.push_back({shared, global, bytes, valid_bytes, t.copy_group});
}

void async_commit() { ++running("cp.async.commit_group").copy_group; }

void async_wait(unsigned groups_still_in_flight) {
  Thread& t = running("cp.async.wait_group");
  const Worker::Undisturbed undisturbed(*t.worker);
  std::size_t kept = 0;
  for (const AsyncCopy& copy : t.copies) {
    const bool complete = copy.group + groups_still_in_flight < t.copy_group;
    if (!complete) {
      t.copies[kept++] = copy;
      continue;
    }
    std::memcpy(copy.to, copy.from, copy.valid_bytes);
    std::memset(static_cast<char*>(copy.to) + copy.valid_bytes, 0, copy.bytes - copy.valid_bytes);
  }
  t.copies.resize(kept);
}

}  // namespace qlab::simt::cpu
