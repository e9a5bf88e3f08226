// SPDX-License-Identifier: Apache-2.0
/// \file
/// Isa: which instructions a rung needs, which ones this processor has, and how a rung is chosen.
///
/// One program runs everywhere: a SIMD rung is compiled for its instructions by an attribute on its
/// functions, not by flags for the file, so that nothing else in the program uses them by accident.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "common/thread_pool.h"

namespace qlab {

/// In rising order; each level holds the ones before it. The names are what `--isa` takes and what
/// a report prints as the path a kernel took.
enum class Isa {
  kScalar,      ///< portable C++
  kAvx2,        ///< AVX2, FMA and F16C: x86 since 2013
  kAvx512,      ///< AVX-512 F, BW, DQ, VL
  kAvx512Vnni,  ///< AVX-512 and VNNI: four INT8 products in one 32-bit lane
  kAvx512Bf16,  ///< and BF16: two BF16 products in one 32-bit lane
  kAmx,         ///< and AMX: tiles of INT8 and BF16, multiplied as matrices
};

inline constexpr Isa kAllIsas[] = {Isa::kScalar,     Isa::kAvx2,       Isa::kAvx512,
                                   Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmx};

/// "scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx".
std::string_view isa_name(Isa isa);

/// The level of that name, or nothing.
std::optional<Isa> isa_named(std::string_view name);

/// The highest level that this processor and its operating system have. Asks Linux, once, for leave
/// to use the tiles of AMX: a process that never asked may not.
Isa best_isa();

/// What a call runs on: the threads it may use, and the highest level of instructions it may take.
struct Machine {
  ThreadPool& threads;
  Isa isa = best_isa();
};

/// One implementation of an operation. A ladder is an array of them, each better than the last.
template <class Run>
struct Rung {
  std::string_view name;
  Run* run;
  Isa needs;
};

/// The highest rung that `isa` can run. The first rung of a ladder is portable, so there is one.
template <class Run, std::size_t kCount>
constexpr const Rung<Run>& best_rung(const Rung<Run> (&ladder)[kCount], Isa isa) {
  const Rung<Run>* best = &ladder[0];
  for (const Rung<Run>& rung : ladder) {
    if (rung.needs <= isa) best = &rung;
  }
  return *best;
}

#if defined(__x86_64__)
#define QLAB_X86 1
/// Compiles one function for the instructions of Isa::kAvx2.
#define QLAB_AVX2 __attribute__((target("avx2,fma,f16c")))
/// The same for Isa::kAvx512.
#define QLAB_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
/// The same for Isa::kAvx512Vnni.
#define QLAB_AVX512_VNNI \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")))
/// The same for Isa::kAvx512Bf16 and Isa::kAmx; the tiles have instructions of their own, common/amx.h.
#define QLAB_AVX512_BF16                                                          \
  __attribute__((                                                                 \
      target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma," \
             "f16c")))
#else
#define QLAB_X86 0
#endif

}  // namespace qlab
