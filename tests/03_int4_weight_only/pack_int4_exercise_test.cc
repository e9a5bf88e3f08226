// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise pack_int4: words are compared nibble by nibble with a table of who stands where.
#include "03_int4_weight_only/pack_int4.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/int4_weights.h"
#include "03_int4_weight_only/pack_int4_checks.h"
#include "03_int4_weight_only/pack_int4_refusals.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

/// 1 … 15, other than those of every neighbour, row and column.
int some_code(std::int64_t n, std::int64_t k) { return static_cast<int>((7 * n + 4 * k) % 15) + 1; }

TEST(PackInt4, PutsTheFirstOfEightInTheLowestBits) {
  std::vector<EightAnswer> answers = {
      pack_answer({0, 1, 2, 3, 4, 5, 6, 7}, kSequentialOrder, 0x76543210),
      pack_answer({8, 9, 10, 11, 12, 13, 14, 15}, kSequentialOrder, 0xFEDCBA98),
      pack_answer({8, 8, 8, 8, 8, 8, 8, 8}, kSequentialOrder, 0x88888888)};
  for (const auto& [eight, word] : lone_nibbles(kSequentialOrder)) {
    answers.push_back(pack_answer(eight, kSequentialOrder, word));
  }
  judge_eights("pack_word, in sequence", answers);
}

TEST(PackInt4, TakesTheEightInAnyOrder) {
  std::vector<EightAnswer> answers = {
      pack_answer({0, 1, 2, 3, 4, 5, 6, 7}, kAwqOrder, 0x75316420),
      pack_answer({8, 9, 10, 11, 12, 13, 14, 15}, kAwqOrder, 0xFDB9ECA8)};
  for (const NibbleOrder& order : {kAwqOrder, NibbleOrder{3, 7, 0, 2, 6, 1, 5, 4}}) {
    for (const auto& [eight, word] : lone_nibbles(order)) {
      answers.push_back(pack_answer(eight, order, word));
    }
  }
  judge_eights("pack_word, orders that are not their own inverse", answers);
}

TEST(PackInt4, TakesEveryNibbleOut) {
  std::vector<EightAnswer> answers = {
      unpack_answer(0x76543210, kSequentialOrder, {0, 1, 2, 3, 4, 5, 6, 7}),
      unpack_answer(0xFEDCBA98, kSequentialOrder, {8, 9, 10, 11, 12, 13, 14, 15})};
  for (const auto& [eight, word] : lone_nibbles(kSequentialOrder)) {
    answers.push_back(unpack_answer(word, kSequentialOrder, eight));
  }
  for (std::uint8_t code = 0; code < 16; ++code) {
    answers.push_back(unpack_answer(code * 0x11111111U, kSequentialOrder,
                                    {code, code, code, code, code, code, code, code}));
  }
  judge_eights("unpack_word, in sequence", answers);
}

TEST(PackInt4, PutsTheEightBackWhereTheyCameFrom) {
  std::vector<EightAnswer> answers = {
      unpack_answer(0x75316420, kAwqOrder, {0, 1, 2, 3, 4, 5, 6, 7}),
      unpack_answer(0x76543210, kAwqOrder, {0, 4, 1, 5, 2, 6, 3, 7})};
  for (const NibbleOrder& order : {kAwqOrder, NibbleOrder{3, 7, 0, 2, 6, 1, 5, 4}}) {
    for (const auto& [eight, word] : lone_nibbles(order)) {
      answers.push_back(unpack_answer(word, order, eight));
    }
  }
  judge_eights("unpack_word, orders that are not their own inverse", answers);
}

TEST(PackInt4, GivesEveryWordBack) {
  const TestSeed seed;
  Random random(seed);
  for (const NibbleOrder& order : {kSequentialOrder, kAwqOrder}) {
    std::vector<EightAnswer> answers;
    for (int draw = 0; draw < 1 << 20; ++draw) {
      const auto word = static_cast<std::uint32_t>(random.below(std::int64_t{1} << 32));
      Eight eight{}, again{};
      exercise::unpack_word(word, order, eight);
      const std::uint32_t packed = exercise::pack_word(eight, order);
      exercise::unpack_word(packed, order, again);
      if ((packed == word && eight == again && draw > 0) || answers.size() == 1000) continue;
      answers.push_back(word_answer(
          " of " + hex(word) + ", unpacked and packed again, " + order_name(order), packed, word));
      answers.push_back(unpack_answer(packed, order, eight));
    }
    judge_eights("2²⁰ random words, seed " + std::to_string(seed), answers);
    if (HasFailure()) return;
  }
}

TEST(PackInt4, MovesNibblesAndChangesNone) {
  const TestSeed seed;
  Random random(seed);
  std::vector<EightAnswer> answers;
  Matrix<float> sums(1, 200);
  Matrix<double> expected_sums(1, 200);
  for (std::int64_t draw = 0; draw < 200; ++draw) {
    Eight eight;
    for (std::uint8_t& nibble : eight) nibble = static_cast<std::uint8_t>(random.below(16));
    // From AWQ's order into sequence, and back.
    const std::uint32_t awq = exercise::pack_word(eight, kAwqOrder);
    const std::uint32_t in_sequence =
        exercise::pack_word(unpacked(awq, kAwqOrder), kSequentialOrder);
    const Eight nibbles = unpacked(in_sequence, kSequentialOrder);
    answers.push_back(unpack_answer(in_sequence, kSequentialOrder, eight));
    answers.push_back(
        word_answer(" of " + list_text(eight) + ", AWQ's word, into sequence and back",
                    exercise::pack_word(nibbles, kAwqOrder), awq));
    const auto sum = [](const Eight& of) { return std::accumulate(of.begin(), of.end(), 0); };
    sums(0, draw) = static_cast<float>(sum(nibbles));
    expected_sums(0, draw) = sum(eight);
  }
  judge({.name = "sums of eight nibbles, out of a word of yours, seed " + std::to_string(seed),
         .place = {}},
        sums.view(), expected_sums.view(), exactly());
  judge_eights("from AWQ's order into sequence and back, seed " + std::to_string(seed), answers);
}

TEST(PackInt4, StoresZeroPointsOfV1LessOne) {
  check_stored("GPTQ v2 zero points and all codes", Stored::kAsItIs, 0, 15, 0);
  check_stored("GPTQ v1 zero points", Stored::kMinusOne, 1, 15, -1);
  const Matrix<std::uint8_t> eights = [] {
    Matrix<std::uint8_t> z(16, 3);
    std::fill_n(z.data(), 48, std::uint8_t{8});
    return z;
  }();
  Matrix<std::uint32_t> sevens(3, 2);
  std::fill_n(sevens.data(), 6, 0x77777777U);
  judge_words("zero points of a symmetric file, all 8", PackedTensor::kGptqQzerosV1,
              words_of(PackedTensor::kGptqQzerosV1, eights.view()), sevens);
}

TEST(PackInt4, StoresSignedValuesPlusEight) {
  check_stored("compressed-tensors", Stored::kPlusEight, -8, 7, 8);
  check_tensor("codes -8 … 7", PackedTensor::kWeightPacked, 3, 16,
               [](auto n, auto k) { return static_cast<int>(n + k) % 16; });
  // Behind it 0: a negative code that is not made a nibble would set their bits.
  check_tensor("-1 in the lowest nibble, -8 above it", PackedTensor::kWeightPacked, 1, 8,
               [](auto, auto k) { return k == 0 ? 7 : 0; });
}

TEST(PackInt4, PacksGptqAlongK) {
  check_tensor("two words a row", PackedTensor::kGptqQweight, 3, 16, some_code);
  check_tensor("more rows than columns", PackedTensor::kGptqQweight, 24, 8, some_code);
}

TEST(PackInt4, PacksAwqAlongN) {
  check_tensor("two words a column", PackedTensor::kAwqQweight, 16, 3, some_code);
  check_tensor("more columns than rows", PackedTensor::kAwqQweight, 8, 24, some_code);
}

TEST(PackInt4, PacksZeroPointsAlongN) {
  for (const PackedTensor tensor :
       {PackedTensor::kGptqQzerosV2, PackedTensor::kGptqQzerosV1, PackedTensor::kAwqQzeros}) {
    check_tensor("three groups a row", tensor, 16, 3, some_code);
    if (HasFailure()) return;
  }
}

TEST(PackInt4, PacksWordsOfCompressedTensors) {
  check_tensor("two words a row", PackedTensor::kWeightPacked, 3, 16, some_code);
  check_tensor("three groups a row", PackedTensor::kWeightZeroPoint, 16, 3, some_code);
}

TEST(PackInt4, MatchesTheGoldenWords) {
  GoldenPacking golden;
  std::vector<EightAnswer> answers;
  const std::uint32_t count = golden.next();
  for (std::uint32_t i = 0; i < std::min(count, 9U); ++i) {
    Eight eight;
    for (std::uint8_t& nibble : eight) nibble = static_cast<std::uint8_t>(golden.next());
    answers.push_back(pack_answer(eight, kSequentialOrder, golden.next()));
    answers.push_back(pack_answer(eight, kAwqOrder, golden.next()));
  }
  judge_eights("golden words", answers);
  const std::int64_t N = golden.next(), K = golden.next(), G = golden.next();
  ASSERT_TRUE(golden.complete() && N == 16 && K == 16 && G == 2) << "packing.txt is not as it was";
  const auto codes = golden.matrix<std::uint8_t>(N, K), zeros = golden.matrix<std::uint8_t>(N, G);
  for (const PackedTensor tensor : kPackedTensors) {
    const auto& values = packed_layout(tensor).of_groups ? zeros : codes;
    const PackedShape shape = packed_shape(tensor, N, values.cols());
    const auto words = golden.matrix<std::uint32_t>(shape.rows, shape.cols);
    ASSERT_TRUE(golden.complete()) << "packing.txt ends early";
    // The table of layouts is an oracle that has to be right as well.
    Matrix<std::uint32_t> of_table(shape.rows, shape.cols);
    pack_int4(tensor, values.view(), of_table.view());
    ASSERT_TRUE(std::equal(words.data(), words.data() + shape.rows * shape.cols, of_table.data()));
    judge_words("golden", tensor, words_of(tensor, values.view()), words);
  }
}

TEST(PackInt4, MakesV2OfV1ByAddingOnes) {
  Operand<std::uint8_t> zeros(16, 5);
  for (std::int64_t n = 0; n < 16; ++n) {
    for (std::int64_t g = 0; g < 5; ++g)
      zeros.view()(n, g) = static_cast<std::uint8_t>(some_code(n, g));
  }
  Matrix<std::uint32_t> v1 = words_of(PackedTensor::kGptqQzerosV1, zeros.view());
  const Matrix<std::uint32_t> v2 = words_of(PackedTensor::kGptqQzerosV2, zeros.view());
  for (std::int64_t i = 0; i < v1.rows() * v1.cols(); ++i) v1.data()[i] += 0x11111111;
  judge_words("your words of v1 + 0x11111111", PackedTensor::kGptqQzerosV2, v1, v2);
}

TEST(PackInt4, KeepsTheSameWeightsInEveryFormat) {
  const TestSeed seed;
  Random random(seed);
  Operand<std::uint8_t> codes(16, 24), zeros(16, 3);
  for (std::int64_t n = 0; n < 16; ++n) {
    for (std::int64_t k = 0; k < 24; ++k) {
      codes.view()(n, k) = static_cast<std::uint8_t>(random.below(16));
    }
    for (std::int64_t g = 0; g < 3; ++g) {
      zeros.view()(n, g) = static_cast<std::uint8_t>(1 + random.below(15));
    }
  }
  check_formats("seed " + std::to_string(seed), codes.view(), zeros.view());
}

TEST(PackInt4, AgreesWithTheTableOnManyShapes) {
  const TestSeed seed;
  Random random(seed);
  for (const PackedTensor tensor : kPackedTensors) {
    const bool along_k = packed_layout(tensor).along == PackedAlong::kK;
    for (const auto& [packed, other] :
         {std::pair{8, 1}, {8, 5}, {24, 1}, {40, 7}, {64, 33}, {0, 3}}) {
      check_tensor("random, seed " + std::to_string(seed), tensor, along_k ? other : packed,
                   along_k ? packed : other,
                   [&](auto, auto) { return static_cast<int>(1 + random.below(15)); });
      if (HasFailure()) return;
    }
  }
}

TEST(PackInt4, LosesTheWeightsWhenV1IsReadAsV2) {
  const TestSeed seed;
  Random random(seed);
  constexpr std::int64_t kN = 64, kK = 256, kGroup = 32;
  Matrix<float> weight(kN, kK);
  fill(weight.view(), Values::kNormal, random);
  Int4Matrix quantized = quantize_int4_rtn(weight.view(), kGroup);
  for (std::int64_t i = 0; i < kN * kK / kGroup; ++i) {  // v1 could not keep a 0
    quantized.zero_point.data()[i] = std::max(quantized.zero_point.data()[i], std::uint8_t{1});
  }
  const auto tensor = PackedTensor::kGptqQzerosV1;
  const auto stored =
      nibbles_in_place(tensor, kN, kK / kGroup, words_of(tensor, quantized.zero_point.view()));
  const double right = decibels(weight, quantized, stored, 1),
               wrong = decibels(weight, quantized, stored, 0);
  // The same sums of the same numbers, had they never been packed.
  Matrix<float> got(1, 2);
  Matrix<double> expected(1, 2);
  got(0, 0) = static_cast<float>(right);
  expected(0, 0) = static_cast<float>(decibels(weight, quantized, quantized.zero_point, 0));
  got(0, 1) = static_cast<float>(wrong);
  expected(0, 1) = static_cast<float>(decibels(weight, quantized, quantized.zero_point, -1));
  judge({.name = "normal weights, groups of 32, seed " + std::to_string(seed),
         .place =
             [](auto, auto i) {
               return i == 0 ? "dB kept by your qzeros of v1, read as v1"
                             : "dB kept by your qzeros of v1, read as v2";
             }},
        got.view(), expected.view(), exactly());
  std::ostringstream fact;
  fact.precision(3);
  fact << "Normal weights in groups of 32 keep " << right << " dB in your words; with v1's zero "
       << "points read as v2's every weight is one step too high, and " << wrong << " dB are left.";
  RecordProperty("fact", fact.str());
}

TEST(PackInt4, ReadsNothingOutsideItsInputs) {
  RecordProperty("guards", "a read past the end, which ends the program and is no mutant's output");
  for (const PackedTensor tensor : kPackedTensors) {
    Matrix<std::uint8_t> values(16, 24);
    for (std::int64_t i = 0; i < 16 * 24; ++i)
      values.data()[i] = static_cast<std::uint8_t>(i % 15 + 1);
    const Fenced<std::uint8_t> fenced(values.view());
    const PackedShape shape = packed_shape(tensor, 16, 24);
    Matrix<std::uint32_t> expected(shape.rows, shape.cols);
    pack_int4(tensor, values.view(), expected.view());
    judge_words("memory ends behind the values", tensor, words_of(tensor, fenced.view()), expected);
  }
}

TEST(PackInt4, RefusesWhatHasNoNibble) {
  RecordProperty("guards", "the checks above the regions, which are given");
  check_pack_int4_refusals();
}

}  // namespace
}  // namespace qlab::test
