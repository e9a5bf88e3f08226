// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of pack_int4 ask for the words of whole tensors, and what they compare them with.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/int4_weights.h"
#include "03_int4_weight_only/pack_int4_words.h"
#include "common/random.h"
#include "support/problems.h"

namespace qlab::test {

using CodeAt = std::function<int(std::int64_t n, std::int64_t k)>;

template <class T>
Operand<T> operand_of(std::int64_t N, std::int64_t K, const std::function<int(int)>& change,
                      MatrixView<const std::uint8_t> values) {
  Operand<T> out(N, K);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) out.view()(n, k) = static_cast<T>(change(values(n, k)));
  }
  return out;
}

/// The learner's words for values 0 … 15; for compressed-tensors they are made signed.
inline void pack_by_exercise(PackedTensor tensor, MatrixView<const std::uint8_t> values,
                             MatrixView<std::uint32_t> words) {
  const auto signed_values = [&] {
    return operand_of<std::int8_t>(
        values.rows(), values.cols(), [](int v) { return v - 8; }, values);
  };
  switch (tensor) {
    case PackedTensor::kGptqQweight:
      return exercise::pack_gptq_qweight(values, words);
    case PackedTensor::kGptqQzerosV1:
      return exercise::pack_gptq_qzeros(values, Stored::kMinusOne, words);
    case PackedTensor::kGptqQzerosV2:
      return exercise::pack_gptq_qzeros(values, Stored::kAsItIs, words);
    case PackedTensor::kAwqQweight:
    case PackedTensor::kAwqQzeros:
      return exercise::pack_awq(values, words);
    case PackedTensor::kWeightPacked:
      return exercise::pack_weight_packed(signed_values().view(), words);
    case PackedTensor::kWeightZeroPoint:
      return exercise::pack_weight_zero_point(signed_values().view(), words);
  }
}

inline std::string tensor_name(PackedTensor tensor) {
  return std::string(packed_layout(tensor).format) + " " + packed_layout(tensor).name;
}

/// Words have no NaN, so it runs over two poisons.
inline Matrix<std::uint32_t> words_of(PackedTensor tensor, MatrixView<const std::uint8_t> values) {
  const PackedShape shape = packed_shape(tensor, values.rows(), values.cols());
  using Words = Guarded<std::uint32_t>;
  Words one(shape.rows, shape.cols), two(shape.rows, shape.cols, Words::kOtherPoison);
  pack_by_exercise(tensor, values, one.view());
  pack_by_exercise(tensor, values, two.view());
  const testing::AssertionResult whole = one.written_exactly(two);
  if (!whole) reject("\"" + tensor_name(tensor) + "\"", std::string("words: ") + whole.message());
  Matrix<std::uint32_t> words(shape.rows, shape.cols);
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    for (std::int64_t c = 0; c < shape.cols; ++c) words(r, c) = one.view()(r, c);
  }
  return words;
}

/// Judges words nibble by nibble; each says whose value it holds.
inline void judge_words(const std::string& name, PackedTensor tensor,
                        const Matrix<std::uint32_t>& words,
                        const Matrix<std::uint32_t>& expected_words) {
  const PackedLayout& layout = packed_layout(tensor);
  Matrix<float> got(words.rows(), 8 * words.cols());
  Matrix<double> expected(words.rows(), 8 * words.cols());
  for (std::int64_t r = 0; r < got.rows(); ++r) {
    for (std::int64_t c = 0; c < got.cols(); ++c) {
      got(r, c) = static_cast<float>(words(r, c / 8) >> (4 * (c % 8)) & 15);
      expected(r, c) = expected_words(r, c / 8) >> (4 * (c % 8)) & 15;
    }
  }
  const auto place = [&](std::int64_t r, std::int64_t c) {
    const PackedElement at = packed_element(tensor, r, c / 8, static_cast<int>(c % 8));
    std::ostringstream text;
    text << nibble_text(static_cast<std::size_t>(c % 8)) << " of " << layout.name << "[" << r
         << ", " << c / 8 << "]: n = " << at.n << (layout.of_groups ? ", group " : ", k = ") << at.k
         << "; your word is " << hex(words(r, c / 8)) << ", it should be "
         << hex(expected_words(r, c / 8));
    return text.str();
  };
  judge({.name = tensor_name(tensor) + ", " + name, .place = place}, got.view(), expected.view(),
        exactly());
}

inline void check_tensor(const std::string& name, PackedTensor tensor, std::int64_t N,
                         std::int64_t K, const CodeAt& value) {
  Operand<std::uint8_t> values(N, K);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) {
      values.view()(n, k) = static_cast<std::uint8_t>(value(n, k));
    }
  }
  const PackedShape shape = packed_shape(tensor, N, K);
  Matrix<std::uint32_t> expected(shape.rows, shape.cols);
  pack_int4(tensor, values.view(), expected.view());
  std::ostringstream text;
  text << name << ": N=" << N << (packed_layout(tensor).of_groups ? " groups=" : " K=") << K;
  judge_words(text.str(), tensor, words_of(tensor, values.view()), expected);
}

/// The values of a tensor, taken out of its words by the learner's unpack_word; zero points of v1 are
/// as they are stored.
inline Matrix<std::uint8_t> nibbles_in_place(PackedTensor tensor, std::int64_t N, std::int64_t K,
                                             const Matrix<std::uint32_t>& words) {
  const NibbleOrder& order = packed_layout(tensor).order;
  Matrix<std::uint8_t> values(N, K);
  for (std::int64_t r = 0; r < words.rows(); ++r) {
    for (std::int64_t c = 0; c < words.cols(); ++c) {
      const Eight eight = unpacked(words(r, c), order);
      for (int i = 0; i < 8; ++i) {
        const PackedElement at = packed_element(tensor, r, c, i);
        values(at.n, at.k) = eight[order[static_cast<std::size_t>(i)]];
      }
    }
  }
  return values;
}

/// Packs codes [N, K] and zero points [N, G] in every format, reads the words again, and judges
/// code - zero_point of every weight.
inline void check_formats(const std::string& name, MatrixView<const std::uint8_t> codes,
                          MatrixView<const std::uint8_t> zeros) {
  const std::int64_t N = codes.rows(), K = codes.cols();
  struct Format {
    const char* name;
    PackedTensor weights, zeros;
    int more;  // to be added to what stands in the file's zero points
  };
  for (const Format& format :
       {Format{"GPTQ v1", PackedTensor::kGptqQweight, PackedTensor::kGptqQzerosV1, 1},
        {"GPTQ v2", PackedTensor::kGptqQweight, PackedTensor::kGptqQzerosV2, 0},
        {"AWQ", PackedTensor::kAwqQweight, PackedTensor::kAwqQzeros, 0},
        {"compressed-tensors", PackedTensor::kWeightPacked, PackedTensor::kWeightZeroPoint, 0}}) {
    const auto code = nibbles_in_place(format.weights, N, K, words_of(format.weights, codes));
    const auto zero =
        nibbles_in_place(format.zeros, N, zeros.cols(), words_of(format.zeros, zeros));
    Matrix<float> got(N, K);
    Matrix<double> expected(N, K);
    for (std::int64_t n = 0; n < N; ++n) {
      for (std::int64_t k = 0; k < K; ++k) {
        got(n, k) = static_cast<float>(code(n, k) - zero(n, k * zeros.cols() / K) - format.more);
        expected(n, k) = codes(n, k) - zeros(n, k * zeros.cols() / K);
      }
    }
    const auto place = [](std::int64_t n, std::int64_t k) {
      return "code - zero_point of weight n = " + std::to_string(n) + ", k = " + std::to_string(k);
    };
    judge({.name = std::string(format.name) + ", packed and read again, " + name, .place = place},
          got.view(), expected.view(), exactly());
    if (testing::Test::HasFailure()) return;
  }
}

/// What is left of the weights, in decibels, when their zero points are these and `more`.
inline double decibels(const Matrix<float>& weight, const Int4Matrix& quantized,
                       const Matrix<std::uint8_t>& zero_point, int more) {
  double signal = 0, noise = 0;
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::int64_t k = 0; k < weight.cols(); ++k) {
      const std::int64_t g = k / quantized.group_size;
      const double steps = quantized.view().code(n, k) - zero_point(n, g) - more;
      signal += std::pow(weight(n, k), 2);
      noise += std::pow(to_float(quantized.scale(n, g)) * steps - weight(n, k), 2);
    }
  }
  return 10 * std::log10(signal / noise);
}

/// Numbers of the golden file, whose lines of words begin with #.
class GoldenPacking {
 public:
  GoldenPacking() : file_(QLAB_SOURCE_DIR "/tests/03_int4_weight_only/golden/packing.txt") {}

  /// The next number; 2³² - 1 and not `complete` behind the last.
  std::uint32_t next() {
    std::string token;
    while (file_ >> token && token == "#") std::getline(file_, token);
    if (!file_) return UINT32_MAX;
    return static_cast<std::uint32_t>(std::stoul(token, nullptr, 0));
  }

  template <class T>
  Matrix<T> matrix(std::int64_t rows, std::int64_t cols) {
    Matrix<T> out(rows, cols);
    for (std::int64_t i = 0; i < rows * cols; ++i) out.data()[i] = static_cast<T>(next());
    return out;
  }

  bool complete() const { return static_cast<bool>(file_); }

 private:
  std::ifstream file_;
};

}  // namespace qlab::test
