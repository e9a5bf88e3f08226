// SPDX-License-Identifier: Apache-2.0
/// \file
/// What pack_int4 must refuse, and the nearest that it must not.
#pragma once

#include <cstdint>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "03_int4_weight_only/pack_int4.h"
#include "common/matrix.h"

namespace qlab::test {

inline void check_pack_int4_refusals() {
  Matrix<std::uint8_t> codes(8, 16), zeros(16, 3), short_side(4, 12);
  Matrix<std::int8_t> signed_codes(8, 16), signed_short(4, 12);
  Matrix<std::uint32_t> two_by_eight(2, 8), eight_by_two(8, 2), three_by_two(3, 2),
      two_by_three(2, 3);
  codes(5, 9) = 16;
  zeros(11, 1) = 17;
  signed_codes(5, 9) = 8;
  std::vector<Refusal> refusals = {
      {"a code of 16", "pack_gptq_qweight: codes[5, 9] is 16; it must lie in 0 … 15",
       [&] { exercise::pack_gptq_qweight(codes.view(), two_by_eight.view()); }},
      {"a code of 16", "pack_awq: values[5, 9] is 16",
       [&] { exercise::pack_awq(codes.view(), Matrix<std::uint32_t>(16, 1).view()); }},
      {"a code of 8", "pack_weight_packed: codes[5, 9] is 8; it must lie in -8 … 7",
       [&] { exercise::pack_weight_packed(signed_codes.view(), eight_by_two.view()); }},
      {"a zero point of 17", "pack_gptq_qzeros: zero_point[11, 1] is 17; it must lie in 0 … 15",
       [&] { exercise::pack_gptq_qzeros(zeros.view(), Stored::kAsItIs, three_by_two.view()); }},
      {"zero points of 0 in v1",
       "pack_gptq_qzeros: zero_point[0, 0] is 0, which GPTQ v1 would have",
       [&] { exercise::pack_gptq_qzeros(zeros.view(), Stored::kMinusOne, three_by_two.view()); }},
      {"the value 16 in v1", "it must lie in 1 … 15",
       [] { exercise::stored_nibble(16, Stored::kMinusOne); }},
      {"the value 0 in v1", "some readers take for 16",
       [] { exercise::stored_nibble(0, Stored::kMinusOne); }},
      {"the value -9", "stored_nibble: the value is -9",
       [] { exercise::stored_nibble(-9, Stored::kPlusEight); }},
      {"K = 12", "pack_gptq_qweight: K is 12, no multiple of 8",
       [&] { exercise::pack_gptq_qweight(short_side.view(), two_by_eight.view()); }},
      {"N = 4", "pack_awq: N is 4, no multiple of 8",
       [&] { exercise::pack_awq(short_side.view(), two_by_eight.view()); }},
      {"N = 4", "pack_gptq_qzeros: N is 4, no multiple of 8",
       [&] {
         exercise::pack_gptq_qzeros(short_side.view(), Stored::kAsItIs, two_by_eight.view());
       }},
      {"K = 12", "pack_weight_packed: K is 12, no multiple of 8",
       [&] { exercise::pack_weight_packed(signed_short.view(), two_by_eight.view()); }},
      {"N = 4", "pack_weight_zero_point: N is 4, no multiple of 8",
       [&] { exercise::pack_weight_zero_point(signed_short.view(), two_by_eight.view()); }},
      {"words of another shape", "qweight is [8, 2], expected [2, 8]",
       [&] { exercise::pack_gptq_qweight(codes.view(), eight_by_two.view()); }},
      {"words of another shape", "qzeros is [2, 3], expected [3, 2]",
       [&] { exercise::pack_gptq_qzeros(zeros.view(), Stored::kAsItIs, two_by_three.view()); }},
      {"words of another shape", "words is [2, 3], expected [3, 2]",
       [&] { exercise::pack_awq(zeros.view(), two_by_three.view()); }},
      {"words of another shape", "weight_packed is [2, 8], expected [8, 2]",
       [&] { exercise::pack_weight_packed(signed_codes.view(), two_by_eight.view()); }},
      {"zero points of compressed-tensors as GPTQ's", "kPlusEight is for compressed-tensors",
       [&] { exercise::pack_gptq_qzeros(zeros.view(), Stored::kPlusEight, three_by_two.view()); }}};
  check_refusals("refusals", refusals);
  codes(5, 9) = 15;
  zeros(11, 1) = 15;
  exercise::pack_gptq_qweight(codes.view(), two_by_eight.view());
  exercise::pack_gptq_qzeros(zeros.view(), Stored::kAsItIs, three_by_two.view());
  EXPECT_EQ(exercise::stored_nibble(1, Stored::kMinusOne), 0);
}

}  // namespace qlab::test
