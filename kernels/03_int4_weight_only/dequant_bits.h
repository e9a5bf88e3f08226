// SPDX-License-Identifier: Apache-2.0
/// \file
/// dequant_bits: a word of eight 4-bit codes to eight FP16 or BF16 values, by their bits.
///
/// Bottleneck   instructions: a conversion of an integer runs at a fraction of the rate of the rest
/// Bytes moved  read 4·count (words), written 16·count (values)
/// FLOPs        8·count: the subtraction of 8; two values an instruction
/// Teaches      a code below a fixed exponent is a float already, 1024 too large; a nibble four
///              bits higher counts 16 times; lop3 does any logic of three words at once
/// Leaves out   scales and zero points (w4a16_gemv_warp); words packed for other engines
///              (pack_int4)
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "simt/simt.h"

namespace qlab {

/// Output i of a word is its nibble kDequantOrder[i]; nibble 0 is in bits 0-3, nibble 7 in bits
/// 28-31.
///
/// One instruction works on both halves of a word, so nibbles come out in pairs that are 16 bits
/// apart. AWQ packs column i of eight into nibble kDequantOrder[i]; its columns come out in order.
inline constexpr int kDequantOrder[8] = {0, 4, 1, 5, 2, 6, 3, 7};

/// The exercise: written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// out[8·i + j] = nibble kDequantOrder[j] of words[i], minus 8, exactly. Launches one kernel and
/// waits for it.
///
/// Source: Kim et al., "Who Says Elephants Can't Run: Bringing Large Scale MoE Models into Cloud
/// Scale Production", 2022, for the exponent; Frantar et al., "MARLIN", 2024, for lop3.
///
/// \param words  [count]     eight codes each
/// \param out    [8·count]   written in full, nothing outside it; 16-byte aligned
/// \throws ContractError unless count ≥ 1.
void dequant_bits_fp16(const std::uint32_t* words, half* out, int count);
/// The same in BF16. words [count / 8], out [count].
void dequant_bits_bf16(const std::uint32_t* words, nv_bfloat16* out, int count);

}  // namespace exercise

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost dequant_bits_cost(std::int64_t count) {
  return {.bytes = 20 * count, .flops = 8 * count};
}

// All codes minus 8 are integers from -8 to 7, which FP16 and BF16 hold: the tolerance is 0.

}  // namespace qlab
