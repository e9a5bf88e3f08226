// SPDX-License-Identifier: Apache-2.0
/// \file
/// dequant_bits: codes become the last bits of a float; one instruction takes off what is too much.
///
/// Bottleneck   instructions: 1 lop3 and 1 subtraction a pair, a shift for every second one in FP16
/// Teaches      1024 + code is 0x6400 | code; the same four bits higher is 1024 + 16 · code
/// Leaves out   scales and zero points, and where the values go from here (w4a16_gemm_mma)
#include "03_int4_weight_only/dequant_bits.h"

#include "03_int4_weight_only/half_words.h"
#include "simt/ptx.h"

namespace qlab::exercise {
namespace {

constexpr int kThreads = 128;

/// The bits of `word` that `mask` selects, below the bits of `exponent`: one instruction.
__device__ std::uint32_t insert(std::uint32_t word, std::uint32_t mask, std::uint32_t exponent) {
  std::uint32_t bits = 0;
  // BEGIN SOLUTION [dequant_bits_insert] Mask and insert by one lop3
  // Set `bits` to (word & mask) | exponent, with ptx::lop3<table>(word, mask, exponent). The table
  // of an expression of a, b and c is that expression with a = 0xF0, b = 0xCC and c = 0xAA.

  // Those three constants list all eight combinations of a bit of a, b and c, one a position; so
  // the result lists what comes out for each. Here it is 0xEA.
  constexpr int kMaskAndInsert = (0xF0 & 0xCC) | 0xAA;
  bits = ptx::lop3<kMaskAndInsert>(word, mask, exponent);
  // END SOLUTION [dequant_bits_insert]
  return bits;
}

/// out[i] = (nibble i, nibble i + 4), each minus 8.
__device__ void dequant_fp16(std::uint32_t word, half2 (&out)[4]) {
  // BEGIN SOLUTION [dequant_bits_fp16] Turn eight codes into FP16
  // Set all four pairs of `out`. FP16 has 10 mantissa bits: 0x6400 is 1024, and the bits below
  // count 1, 2, 4 … A nibble in bits 4-7 counts 16 times. as_half2(w) sees a word as a pair;
  // __hsub2 and __hfma2(a, b, c) = a · b + c work on pairs. Shift `word` once only, by 8.

  // What is too much, and the 8: 1024 + 8 of a low nibble; 1024 / 16 + 8 of a high one, which is
  // divided by 16 on the way. Everything is an integer or a sixteenth below 2048, so nothing
  // rounds.
  const half2 low_excess = as_half2(0x64086408);   // 1032, 1032
  const half2 sixteenth = as_half2(0x2C002C00);    // 1/16, 1/16
  const half2 high_excess = as_half2(0xD480D480);  // -72, -72
  for (int i = 0; i < 4;
       i += 2) {  // a shift by 8 brings the nibbles 2, 3, 6, 7 where 0, 1, 4, 5 were
    const std::uint32_t low = insert(word >> (4 * i), 0x000F000F, 0x64006400);
    const std::uint32_t high = insert(word >> (4 * i), 0x00F000F0, 0x64006400);
    out[i] = __hsub2(as_half2(low), low_excess);
    out[i + 1] = __hfma2(as_half2(high), sixteenth, high_excess);
  }
  // END SOLUTION [dequant_bits_fp16]
}

/// out[i] = (nibble i, nibble i + 4), each minus 8.
__device__ void dequant_bf16(std::uint32_t word, nv_bfloat162 (&out)[4]) {
  // BEGIN SOLUTION [dequant_bits_bf16] Turn eight codes into BF16
  // Set all four pairs of `out`. BF16 has 7 mantissa bits: 0x4300 is 128, and the bits below count
  // 1, 2, 4 … up to 64. as_bfloat162(w) sees a word as a pair; __hsub2 works on these pairs too.

  // A nibble in bits 4-7 would need eight mantissa bits: its highest would land in the exponent. So
  // each nibble is shifted down to bits 0-3, which costs three shifts instead of one.
  const nv_bfloat162 excess = as_bfloat162(0x43084308);  // 136, 136: 128 and the 8
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t codes = insert(word >> (4 * i), 0x000F000F, 0x43004300);
    out[i] = __hsub2(as_bfloat162(codes), excess);
  }
  // END SOLUTION [dequant_bits_bf16]
}

__device__ int my_word() {
  return static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
}

/// Four pairs are 16 bytes, stored at once.
template <class Pair>
__device__ void store(uint4* out, const Pair (&pairs)[4]) {
  *out = make_uint4(as_word(pairs[0]), as_word(pairs[1]), as_word(pairs[2]), as_word(pairs[3]));
}

__global__ void __launch_bounds__(kThreads)
    dequant_bits_fp16_kernel(const std::uint32_t* __restrict__ words,  // [count]
                             uint4* __restrict__ out,                  // [count]  8 halves each
                             int count) {
  const int i = my_word();
  half2 pairs[4] = {};
  if (i < count) {
    dequant_fp16(words[i], pairs);
    store(out + i, pairs);
  }
}

__global__ void __launch_bounds__(kThreads)
    dequant_bits_bf16_kernel(const std::uint32_t* __restrict__ words,  // [count]
                             uint4* __restrict__ out,                  // [count]  8 bfloat16 each
                             int count) {
  const int i = my_word();
  nv_bfloat162 pairs[4] = {};
  if (i < count) {
    dequant_bf16(words[i], pairs);
    store(out + i, pairs);
  }
}

unsigned blocks_for(int count) {
  QLAB_CHECK(count >= 1, "dequant_bits: count is ", count, "; give it one word at least");
  return static_cast<unsigned>((count + kThreads - 1) / kThreads);
}

}  // namespace

void dequant_bits_fp16(const std::uint32_t* words, half* out, int count) {
  simt::launch(blocks_for(count), kThreads, 0, dequant_bits_fp16_kernel, words,
               reinterpret_cast<uint4*>(out), count);
}

void dequant_bits_bf16(const std::uint32_t* words, nv_bfloat16* out, int count) {
  simt::launch(blocks_for(count), kThreads, 0, dequant_bits_bf16_kernel, words,
               reinterpret_cast<uint4*>(out), count);
}

}  // namespace qlab::exercise
