// SPDX-License-Identifier: Apache-2.0
/// \file
/// wgmma of one step of 32 bytes along K, for N = 32, 64, 128 and 256, in FP16, BF16 and INT8; in FP16 for
/// the last three also with A in registers. For nvcc only.
///
///   wgmma(d, a, b, add)   D = A · Bᵀ, added to D if `add`. A thread's d[4·j + i] is row
///                         16 · warp + lane / 4 + 8 · (i / 2), column 8·j + 2 · (lane % 4) + i % 2.
///                         A in registers: 16 rows a warp, as a warp's fragment of mma.m16n8k16
#pragma once

#if defined(__CUDACC__)

#include "simt/hopper.h"

namespace qlab::hopper {

#define QLAB_D16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define QLAB_D32                                           \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define QLAB_D64                                                     \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"           \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define QLAB_D128                                                                \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"                       \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"             \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"             \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63,"             \
  "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,"             \
  "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95,"             \
  "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111," \
  "%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define QLAB_INOUT4(c, i) "+" c(d[i]), "+" c(d[i + 1]), "+" c(d[i + 2]), "+" c(d[i + 3])
#define QLAB_INOUT16(c, i) \
  QLAB_INOUT4(c, i), QLAB_INOUT4(c, i + 4), QLAB_INOUT4(c, i + 8), QLAB_INOUT4(c, i + 12)
#define QLAB_INOUT32(c, i) QLAB_INOUT16(c, i), QLAB_INOUT16(c, i + 16)
#define QLAB_INOUT64(c, i) \
  QLAB_INOUT16(c, i), QLAB_INOUT16(c, i + 16), QLAB_INOUT16(c, i + 32), QLAB_INOUT16(c, i + 48)
#define QLAB_INOUT128(c, i) QLAB_INOUT64(c, i), QLAB_INOUT64(c, i + 64)

/// One function: the name, its elements of D and their letter, where a, b and add stand, the rest of the
/// instruction's name, and what follows the predicate.
#define QLAB_WGMMA(NAME, D, COUNT, LETTER, A, B, ADD, SHAPE, SCALES)                              \
  __device__ __forceinline__ void NAME(D(&d)[COUNT], std::uint64_t a, std::uint64_t b, int add) { \
    QLAB_SM90A("{\n.reg .pred p;\nsetp.ne.b32 p, %" ADD                                           \
               ", 0;\nwgmma.mma_async.sync.aligned." SHAPE " {" QLAB_D##COUNT "}, %" A ", %" B    \
                                                                              ", p" SCALES ";\n}" \
               : QLAB_INOUT##COUNT(LETTER, 0)                                                     \
               : "l"(a), "l"(b), "r"(add));                                                       \
  }

QLAB_WGMMA(wgmma_f16, float, 16, "f", "16", "17", "18", "m64n32k16.f32.f16.f16", ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_bf16, float, 16, "f", "16", "17", "18", "m64n32k16.f32.bf16.bf16", ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_s8, std::int32_t, 16, "r", "16", "17", "18", "m64n32k32.s32.s8.s8", "")
QLAB_WGMMA(wgmma_f16, float, 32, "f", "32", "33", "34", "m64n64k16.f32.f16.f16", ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_bf16, float, 32, "f", "32", "33", "34", "m64n64k16.f32.bf16.bf16", ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_s8, std::int32_t, 32, "r", "32", "33", "34", "m64n64k32.s32.s8.s8", "")
QLAB_WGMMA(wgmma_f16, float, 64, "f", "64", "65", "66", "m64n128k16.f32.f16.f16", ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_bf16, float, 64, "f", "64", "65", "66", "m64n128k16.f32.bf16.bf16", ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_s8, std::int32_t, 64, "r", "64", "65", "66", "m64n128k32.s32.s8.s8", "")
QLAB_WGMMA(wgmma_f16, float, 128, "f", "128", "129", "130", "m64n256k16.f32.f16.f16",
           ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_bf16, float, 128, "f", "128", "129", "130", "m64n256k16.f32.bf16.bf16",
           ", 1, 1, 0, 0")
QLAB_WGMMA(wgmma_s8, std::int32_t, 128, "r", "128", "129", "130", "m64n256k32.s32.s8.s8", "")

/// The same in FP16 with A in registers, which stay untouched until the product is done.
#define QLAB_WGMMA_A(COUNT, A0, A1, A2, A3, B, ADD, SHAPE)                                \
  __device__ __forceinline__ void wgmma_f16(float(&d)[COUNT], const std::uint32_t(&a)[4], \
                                            std::uint64_t b, int add) {                   \
    QLAB_SM90A("{\n.reg .pred p;\nsetp.ne.b32 p, %" ADD                                   \
               ", 0;\nwgmma.mma_async.sync.aligned." SHAPE ".f32.f16.f16 {" QLAB_D##COUNT \
               "}, {%" A0 ", %" A1 ", %" A2 ", %" A3 "}, %" B ", p, 1, 1, 0;\n}"          \
               : QLAB_INOUT##COUNT("f", 0)                                                \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));           \
  }

QLAB_WGMMA_A(32, "32", "33", "34", "35", "36", "37", "m64n64k16")
QLAB_WGMMA_A(64, "64", "65", "66", "67", "68", "69", "m64n128k16")
QLAB_WGMMA_A(128, "128", "129", "130", "131", "132", "133", "m64n256k16")

#undef QLAB_WGMMA_A
#undef QLAB_WGMMA
#undef QLAB_INOUT4
#undef QLAB_INOUT16
#undef QLAB_INOUT32
#undef QLAB_INOUT64
#undef QLAB_INOUT128
#undef QLAB_D16
#undef QLAB_D32
#undef QLAB_D64
#undef QLAB_D128

}  // namespace qlab::hopper

#endif
