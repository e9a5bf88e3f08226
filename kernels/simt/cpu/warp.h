// SPDX-License-Identifier: Apache-2.0
/// \file
/// Barriers and warp-level intrinsics. Each one stops the fiber until the others are there.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "simt/cpu/runtime.h"
#include "simt/cpu/sanitizers.h"

inline void __syncthreads(SIMT_HERE) { qlab::simt::cpu::block_barrier("__syncthreads", false, at); }
inline int __syncthreads_count(int predicate, SIMT_HERE) {
  return qlab::simt::cpu::block_barrier("__syncthreads_count", predicate != 0, at);
}
inline int __syncthreads_or(int predicate, SIMT_HERE) {
  return qlab::simt::cpu::block_barrier("__syncthreads_or", predicate != 0, at) > 0;
}
inline int __syncthreads_and(int predicate, SIMT_HERE) {
  return qlab::simt::cpu::block_barrier("__syncthreads_and", predicate == 0, at) == 0;
}

namespace qlab::simt::cpu {

enum class Shuffle { index, up, down, bitwise };

struct ShuffleOperands {
  std::uint64_t value;  // in: this lane's; out: the source lane's
  unsigned lane_operand;
  unsigned width;
};

/// The source lane by the rule of PTX `shfl.sync`: lanes outside of the segment leave the value.
constexpr unsigned shuffle_source(Shuffle kind, unsigned lane, unsigned b, unsigned width) {
  const unsigned first = lane & ~(width - 1);
  const unsigned last = first + width - 1;
  unsigned source = lane;
  if (kind == Shuffle::index) source = first | (b & (width - 1));
  if (kind == Shuffle::up) source = lane >= first + b ? lane - b : lane;
  if (kind == Shuffle::down) source = lane + b <= last ? lane + b : lane;
  if (kind == Shuffle::bitwise) source = (lane ^ b) <= last ? lane ^ b : lane;
  return source;
}

template <Shuffle kKind>
SIMT_HARDWARE void execute_shuffle(std::uint32_t lanes, void* const* operands) {
  std::uint64_t values[32] = {};
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes >> lane & 1u) values[lane] = static_cast<ShuffleOperands*>(operands[lane])->value;
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((lanes >> lane & 1u) == 0) continue;
    auto& mine = *static_cast<ShuffleOperands*>(operands[lane]);
    const unsigned source = shuffle_source(kKind, lane, mine.lane_operand & 31, mine.width);
    if ((lanes >> source & 1u) == 0) {
      fail("a shuffle: lane " + std::to_string(lane) + " reads lane " + std::to_string(source) +
           ", which has exited or is not in the mask");
    }
    mine.value = values[source];
  }
}

template <Shuffle kKind, class T>
T shuffle(const char* name, unsigned mask, T value, unsigned b, int width, Site at) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
    fail(std::string(name) + ": width " + std::to_string(width) +
         " is not a power of two up to 32");
  }
  ShuffleOperands operands{0, b, static_cast<unsigned>(width)};
  std::memcpy(&operands.value, &value, sizeof(T));
  WarpCall call{name, mask, execute_shuffle<kKind>, &operands, at};
  warp_call(call);
  std::memcpy(&value, &operands.value, sizeof(T));
  return value;
}

/// Collectives that give every lane the same answer.
struct ReduceOperands {
  std::uint32_t value;  // in and out
};
template <class Combine>
SIMT_HARDWARE void execute_reduce(std::uint32_t lanes, void* const* operands) {
  std::uint32_t result = 0;
  bool first = true;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((lanes >> lane & 1u) == 0) continue;
    const std::uint32_t value = static_cast<ReduceOperands*>(operands[lane])->value;
    result = first ? value : Combine{}(result, value);
    first = false;
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes >> lane & 1u) static_cast<ReduceOperands*>(operands[lane])->value = result;
  }
}
template <class Combine>
std::uint32_t reduce(const char* name, unsigned mask, std::uint32_t value, Site at,
                     bool orders = false) {
  ReduceOperands operands{value};
  WarpCall call{name, mask, execute_reduce<Combine>, &operands, at, false, orders};
  warp_call(call);
  return operands.value;
}

using Bits = std::uint32_t;
struct BitOr {
  Bits operator()(Bits a, Bits b) const { return a | b; }
};
struct BitAnd {
  Bits operator()(Bits a, Bits b) const { return a & b; }
};
struct BitXor {
  Bits operator()(Bits a, Bits b) const { return a ^ b; }
};
struct Sum {
  Bits operator()(Bits a, Bits b) const { return a + b; }
};
template <class T>
struct Min {
  Bits operator()(Bits a, Bits b) const { return T(b) < T(a) ? b : a; }
};
template <class T>
struct Max {
  Bits operator()(Bits a, Bits b) const { return T(a) < T(b) ? b : a; }
};

}  // namespace qlab::simt::cpu

#define SIMT_SHUFFLE(NAME, KIND, OPERAND)                                \
  template <class T>                                                     \
  T NAME(unsigned mask, T value, OPERAND b, int width = 32, SIMT_HERE) { \
    return qlab::simt::cpu::shuffle<qlab::simt::cpu::Shuffle::KIND>(     \
        #NAME, mask, value, static_cast<unsigned>(b), width, at);        \
  }
SIMT_SHUFFLE(__shfl_sync, index, int)
SIMT_SHUFFLE(__shfl_up_sync, up, unsigned)
SIMT_SHUFFLE(__shfl_down_sync, down, unsigned)
SIMT_SHUFFLE(__shfl_xor_sync, bitwise, int)
#undef SIMT_SHUFFLE

/// Only this one makes a warp's writes to memory visible to its other lanes.
inline void __syncwarp(unsigned mask = 0xffffffffu, SIMT_HERE) {
  qlab::simt::cpu::reduce<qlab::simt::cpu::BitOr>("__syncwarp", mask, 0, at, true);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, SIMT_HERE) {
  const unsigned mine = predicate != 0 ? 1u << qlab::simt::cpu::self().lane() : 0u;
  return qlab::simt::cpu::reduce<qlab::simt::cpu::BitOr>("__ballot_sync", mask, mine, at);
}
inline int __any_sync(unsigned mask, int predicate, SIMT_HERE) {
  return qlab::simt::cpu::reduce<qlab::simt::cpu::BitOr>("__any_sync", mask, predicate != 0, at) !=
         0;
}
inline int __all_sync(unsigned mask, int predicate, SIMT_HERE) {
  return qlab::simt::cpu::reduce<qlab::simt::cpu::BitAnd>("__all_sync", mask, predicate != 0, at) !=
         0;
}

#define SIMT_REDUCE(NAME, T, COMBINE)                                        \
  inline T NAME(unsigned mask, T value, SIMT_HERE) {                         \
    return static_cast<T>(qlab::simt::cpu::reduce<qlab::simt::cpu::COMBINE>( \
        #NAME, mask, static_cast<unsigned>(value), at));                     \
  }
SIMT_REDUCE(__reduce_add_sync, int, Sum)
SIMT_REDUCE(__reduce_add_sync, unsigned, Sum)
SIMT_REDUCE(__reduce_min_sync, int, Min<int>)
SIMT_REDUCE(__reduce_min_sync, unsigned, Min<unsigned>)
SIMT_REDUCE(__reduce_max_sync, int, Max<int>)
SIMT_REDUCE(__reduce_max_sync, unsigned, Max<unsigned>)
SIMT_REDUCE(__reduce_and_sync, unsigned, BitAnd)
SIMT_REDUCE(__reduce_or_sync, unsigned, BitOr)
SIMT_REDUCE(__reduce_xor_sync, unsigned, BitXor)
#undef SIMT_REDUCE
