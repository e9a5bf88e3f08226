// SPDX-License-Identifier: Apache-2.0
/// \file
/// Linear: every format multiplies what it stores by activations rounded as it says.
#include "model/linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/formats.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/compare.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kM = 5, kN = 23, kK = 70, kGroupSize = 32;
constexpr WeightFormat kFormats[] = {WeightFormat::kFp32, WeightFormat::kFp16, WeightFormat::kBf16,
                                     WeightFormat::kInt8, WeightFormat::kInt4, WeightFormat::kW4A8};

Operand<float> normal_operand(std::int64_t rows, std::int64_t cols, Random& random) {
  Operand<float> x(rows, cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) x.view()(r, c) = static_cast<float>(random.normal());
  }
  return x;
}

std::unique_ptr<Linear> make(MatrixView<const float> weight, WeightFormat format,
                             const Machine& machine,
                             Granularity granularity = Granularity::kPerRow) {
  return make_linear(
      weight,
      {.weights = format, .group_size = kGroupSize, .activations = {.granularity = granularity}},
      machine);
}

Matrix<float> stored_weights(const Linear& linear) {
  Matrix<float> w(kN, kK);
  for (std::int64_t n = 0; n < kN; ++n) linear.read_row(n, w.view().row(n, 0, kK));
  return w;
}

/// The activations as a format rounds them, widened.
Matrix<double> rounded(MatrixView<const float> X, WeightFormat format, Granularity granularity) {
  Matrix<std::int8_t> codes(X.rows(), X.cols());
  std::vector<float> scale(static_cast<std::size_t>(X.rows()));
  if (format == WeightFormat::kInt8) {
    quantize_rows_ref(X, granularity, codes.view(), scale.data());
  }
  if (format == WeightFormat::kW4A8) {
    quantize_rows_ref(X, Granularity::kPerRow, codes.view(), scale.data());
  }
  Matrix<double> out(X.rows(), X.cols());
  for (std::int64_t m = 0; m < X.rows(); ++m) {
    for (std::int64_t k = 0; k < X.cols(); ++k) {
      switch (format) {
        case WeightFormat::kFp32:
          out(m, k) = X(m, k);
          break;
        case WeightFormat::kBf16:
          out(m, k) = to_float(from_float<bf16_t>(X(m, k)));
          break;
        case WeightFormat::kInt8:
        case WeightFormat::kW4A8:
          out(m, k) = double{scale[static_cast<std::size_t>(m)]} * codes(m, k);
          break;
        case WeightFormat::kFp16:
        case WeightFormat::kInt4:
          out(m, k) = to_float(from_float<half_t>(X(m, k)));
          break;
      }
    }
  }
  return out;
}

struct Product {
  Product(const Matrix<double>& X, const Matrix<float>& W)
      : value(X.rows(), W.rows()), abs_sum(X.rows(), W.rows()) {
    for (std::int64_t m = 0; m < X.rows(); ++m) {
      for (std::int64_t n = 0; n < W.rows(); ++n) {
        for (std::int64_t k = 0; k < X.cols(); ++k) {
          const double term = X(m, k) * W(n, k);
          value(m, n) += term;
          abs_sum(m, n) += std::abs(term);
        }
      }
    }
  }
  Matrix<double> value, abs_sum;
};

class LinearFormats : public testing::TestWithParam<WeightFormat> {};

INSTANTIATE_TEST_SUITE_P(, LinearFormats, testing::ValuesIn(kFormats), [](const auto& test) {
  return std::string(weight_format_name(test.param));
});

TEST_P(LinearFormats, MultipliesWhatItStores) {
  const TestSeed seed;
  Random random(seed);
  const Operand<float> weight = normal_operand(kN, kK, random);
  const Operand<float> X = normal_operand(kM, kK, random);
  ThreadPool threads(2);
  for (const Granularity granularity : {Granularity::kPerRow, Granularity::kPerTensor}) {
    for (const Isa isa : kAllIsas) {
      if (isa > best_isa()) break;
      const Machine machine{threads, isa};
      const auto linear = make(weight.view(), GetParam(), machine, granularity);
      const Matrix<double> x = rounded(X.view(), GetParam(), granularity);
      const Product expected(x, stored_weights(*linear));
      // The products round once more (FP32, INT4) or the epilogue twice (INT8, whose sums are exact,
      // and whose stored weights round in read_row): 3 u of the sum of magnitudes covers both.
      Guarded<float> Y(kM, kN);
      linear->run(X.view(), Y.view(), machine);
      EXPECT_TRUE(matches(Y.view(), expected.value.view(),
                          dot_product(expected.abs_sum.view(), kK, 3 * 0x1p-24)))
          << isa_name(isa);
      EXPECT_TRUE(Y.written_exactly());
    }
  }
}

TEST_P(LinearFormats, StoresWeightsNearTheOriginals) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> weight = normal_operand(kN, kK, random);
  for (float& w : weight.view().row(0, 0, kK)) w *= 100;  // must not cost the other rows their bits
  ThreadPool threads(1);
  const Matrix<float> stored =
      stored_weights(*make(weight.view(), GetParam(), {threads}, Granularity::kPerTensor));
  for (std::int64_t n = 0; n < kN; ++n) {
    float low = 0;
    float high = 0;
    for (std::int64_t k = 0; k < kK; ++k) {
      low = std::min(low, weight.view()(n, k));
      high = std::max(high, weight.view()(n, k));
    }
    for (std::int64_t k = 0; k < kK; ++k) {
      // One rounding of the format. INT8: half of a 254th of twice the largest; INT4: half a 15th of
      // the range of a group, which is no wider than that of the row, and another half because the
      // zero point is rounded too (the ends may clip). 1 % for scales in FP16 and FP32.
      const double w = weight.view()(n, k);
      const double largest = std::max(-low, high);
      const double allowed[] = {0,
                                0x1p-11 * std::abs(w) + 0x1p-25,
                                0x1p-8 * std::abs(w),
                                1.01 * 0.5 / 127 * largest,
                                1.01 * (high - low) / 15,
                                1.01 * (high - low) / 15};
      const double error = std::abs(stored(n, k) - w);
      ASSERT_TRUE(error <= allowed[static_cast<int>(GetParam())])
          << n << ", " << k << ": " << error;
    }
  }
}

TEST_P(LinearFormats, CountsItsBytes) {
  const std::int64_t groups = 3;  // of 32 along 70
  // A panel of 32 rows. K is padded to 64 bytes of a row, 96 and 128 elements; of 4 bits, each group
  // of 32, 32 and 6 to 8. INT8 has a scale and a sum a row.
  const std::int64_t int4 = 32 * (72 / 2 + groups * 3);
  const std::int64_t expected[] = {4 * kN * kK,       2 * 32 * 96, 2 * 32 * 96,
                                   32 * 128 + 8 * 32, int4,        int4};
  const Matrix<float> weight(kN, kK);
  ThreadPool threads(1);
  EXPECT_EQ(make(weight.view(), GetParam(), {threads})->bytes(),
            expected[static_cast<int>(GetParam())]);
}

TEST_P(LinearFormats, GivesTheSameBitsOnEveryNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  const Operand<float> weight = normal_operand(kN, kK, random);
  const Operand<float> X = normal_operand(kM, kK, random);
  ThreadPool one(1);
  ThreadPool three(3);
  Matrix<float> a(kM, kN);
  Matrix<float> b(kM, kN);
  make(weight.view(), GetParam(), {one})->run(X.view(), a.view(), {one});
  make(weight.view(), GetParam(), {three})->run(X.view(), b.view(), {three});
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0);
}

TEST_P(LinearFormats, LetsSeveralThreadsCallAtOnce) {
  const TestSeed seed;
  Random random(seed);
  const Operand<float> weight = normal_operand(kN, kK, random);
  ThreadPool setup(1);
  const auto linear = make(weight.view(), GetParam(), {setup});
  const auto product = [&](std::uint64_t input) {
    Random own(input);
    const Operand<float> X = normal_operand(kM, kK, own);
    ThreadPool threads(1);
    Matrix<float> Y(kM, kN);
    linear->run(X.view(), Y.view(), {threads});
    return Y;
  };
  constexpr int kCallers = 4;
  std::vector<Matrix<float>> results(kCallers);
  std::vector<std::thread> callers;
  for (std::uint64_t i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] { results[i] = product(i); });
  }
  for (std::thread& caller : callers) caller.join();
  for (std::uint64_t i = 0; i < kCallers; ++i) {
    const Matrix<float> alone = product(i);
    EXPECT_EQ(std::memcmp(results[i].data(), alone.data(), alone.bytes()), 0) << i;
  }
}

TEST(Linear, RefusesToRoundAWeightThatIsNotFinite) {
  Matrix<float> weight(kN, kK);
  weight(3, 69) = std::numeric_limits<float>::infinity();
  ThreadPool threads(2);
  for (const WeightFormat format : kFormats) {
    if (format == WeightFormat::kFp32) continue;  // rounds nothing; load_checkpoint refuses it
    EXPECT_THROW(make(weight.view(), format, {threads}), ContractError)
        << weight_format_name(format);
  }
}

TEST(Linear, RefusesWhatFp16CannotHold) {
  ThreadPool threads(2);
  const Machine machine{threads};
  Matrix<float> weight(kN, kK);
  weight(3, 69) = 65519;  // rounds to 65504
  const auto linear = make(weight.view(), WeightFormat::kFp16, machine);
  weight(3, 69) = 65520;  // a tie, rounds to infinity
  EXPECT_THAT([&] { make(weight.view(), WeightFormat::kFp16, machine); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("weight[3, 69] = 65520 does not fit FP16")));
  Matrix<float> X(kM, kK);
  X(4, 0) = -70000;
  Matrix<float> Y(kM, kN);
  EXPECT_THAT([&] { linear->run(X.view(), Y.view(), machine); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("activation[4, 0] = -70000 does not fit FP16")));
  EXPECT_NO_THROW(
      make(weight.view(), WeightFormat::kBf16, machine)->run(X.view(), Y.view(), machine));
}

TEST(Linear, NamesThePathOfItsKernel) {
  for (const WeightFormat format : kFormats) {
    EXPECT_EQ(linear_path(format, Isa::kScalar), Isa::kScalar);
    for (const Isa isa : kAllIsas) EXPECT_LE(linear_path(format, isa), isa);
  }
}

}  // namespace
}  // namespace qlab::test
