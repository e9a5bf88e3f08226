// SPDX-License-Identifier: Apache-2.0
/// \file
/// Asks the processor once what it can run.
#include "common/isa.h"

#if defined(__linux__) && QLAB_X86
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace qlab {
namespace {

#if QLAB_X86
/// Whether this process may use tiles. Their 8 KiB of state are kept only for those who ask.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequest = 0x1023;  // ARCH_REQ_XCOMP_PERM of asm/prctl.h, of Linux 5.16 and later
  constexpr long kTileData = 18;     // the number of the state, as in XCR0
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}
#endif

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "avx512_vnni";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
    case Isa::kAmx:
      return "amx";
  }
  return "unknown";
}

std::optional<Isa> isa_named(std::string_view name) {
  for (const Isa isa : kAllIsas) {
    if (isa_name(isa) == name) return isa;
  }
  return std::nullopt;
}

Isa best_isa() {
#if QLAB_X86
  // The builtin also asks the operating system whether it saves the wide registers.
  static const Isa best = [] {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("f16c")) {
      return Isa::kScalar;
    }
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
      return Isa::kAvx2;
    }
    if (!__builtin_cpu_supports("avx512vnni")) return Isa::kAvx512;
    if (!__builtin_cpu_supports("avx512bf16")) return Isa::kAvx512Vnni;
    const bool tiles = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8") &&
                       __builtin_cpu_supports("amx-bf16");
    return tiles && may_use_tiles() ? Isa::kAmx : Isa::kAvx512Bf16;
  }();
  return best;
#else
  return Isa::kScalar;
#endif
}

}  // namespace qlab
