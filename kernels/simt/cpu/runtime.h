// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a kernel compiled as C++ asks of the machine that runs it: who am I, wait here, stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "simt/cpu/cuda_words.h"

namespace qlab::simt {

/// A kernel did what a GPU does not allow, or would silently get wrong. The text names the block,
/// the threads, what they did and where.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace qlab::simt

namespace qlab::simt::cpu {

/// A line of kernel source. Functions that wait take it as a default argument:
/// `Site at = {__builtin_FILE(), __builtin_LINE()}` is the caller's line.
struct Site {
  const char* file;
  int line;
};

/// What a thread may know of itself.
struct Coordinates {
  uint3 thread_idx;
  uint3 block_idx;
  dim3 block_dim;
  dim3 grid_dim;
  unsigned rank;  // linear index in the block, x fastest
  unsigned lane() const { return rank % 32; }
  unsigned warp() const { return rank / 32; }
};

/// The running thread. A fiber never moves to another worker, so the answer never changes within
/// one, and the compiler may ask once.
[[gnu::const]] const Coordinates& self();

/// Ends the launch with an Error (by throwing it through the kernel); the message is preceded by
/// the block and the thread.
[[noreturn]] void fail(const std::string& what);

/// Waits until every thread of the block is here; returns how many came with a true predicate.
int block_barrier(const char* name, bool predicate, Site at);

/// A warp-level instruction: the last lane to arrive does the work for all of them.
/// `execute` gets the bit mask of the taking-part lanes and, by lane, their `operands`.
struct WarpCall {
  const char* name;
  std::uint32_t mask;
  void (*execute)(std::uint32_t lanes, void* const* operands);
  void* operands;
  Site at;
  bool whole_warp = false;     // .aligned instructions: all 32 lanes or undefined
  bool orders_memory = false;  // only __syncwarp does; a shuffle does not
};
void warp_call(WarpCall& call);

/// The block's dynamic shared memory, as large as the launch asked for.
void* dynamic_shared();

/// Whether the bytes lie in shared memory; true as well where the runtime cannot tell.
bool may_be_shared(const void* p, std::size_t bytes);

/// cp.async: see ptx.h. The destination holds poison until the matching wait.
void async_copy(void* shared, const void* global, unsigned bytes, unsigned valid_bytes, Site at);
void async_commit();
void async_wait(unsigned groups_still_in_flight);

struct Kernel {
  void (*call)(const void* object);
  const void* object;
};
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, Kernel kernel);

}  // namespace qlab::simt::cpu

#define threadIdx (::qlab::simt::cpu::self().thread_idx)
#define blockIdx (::qlab::simt::cpu::self().block_idx)
#define blockDim (::qlab::simt::cpu::self().block_dim)
#define gridDim (::qlab::simt::cpu::self().grid_dim)

#define SIMT_HERE ::qlab::simt::cpu::Site at = {__builtin_FILE(), __builtin_LINE()}
