// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise w4a16_gemv. Most cases are exact in every order of summation; outputs are
/// poisoned with NaN, and rows of weights stand apart.
#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "03_int4_weight_only/w4a16_gemv_checks.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

void set_codes(W4A16Problem& p, std::int64_t n, const std::vector<int>& codes) {
  for (std::size_t k = 0; k < codes.size(); ++k) {
    std::uint8_t& byte = p.qweight.view()(n, static_cast<std::int64_t>(k / 2));
    byte = static_cast<std::uint8_t>(k % 2 == 0 ? codes[k] : byte | codes[k] << 4);
  }
}

TEST(W4A16Gemv, MatchesPaperAndPencil) {
  // Groups {0, 1}, {2, 3} and {4}. Row 0: ½·(1·3 + 2·1 - 2·3) + 2·(4·0 + 1·15 - 8·5) + 1·(3·7 - 0).
  W4A16Problem p = gemv_problem({2, 5, 2});
  constexpr double kX[5] = {1, 2, 4, 1, 3}, kScale[2][3] = {{0.5, 2, 1}, {1, 0.25, 4}};
  constexpr int kZero[2][3] = {{2, 8, 0}, {1, 15, 3}};
  for (std::int64_t k = 0; k < 5; ++k) p.x.view()(0, k) = element<half_t>(kX[k]);
  set_codes(p, 0, {3, 1, 0, 15, 7});
  set_codes(p, 1, {9, 0, 2, 15, 3});
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t g = 0; g < 3; ++g) {
      p.scale.view()(n, g) = element<half_t>(kScale[n][g]);
      p.zero_point.view()(n, g) = static_cast<std::uint8_t>(kZero[n][g]);
    }
  }
  Matrix<double> expected(1, 2);
  expected(0, 0) = 0.5 * -1 + 2 * -25 + 21;
  expected(0, 1) = 6 + 0.25 * -52 + 0;
  judge({.name = name_of("by hand", p), .place = [&](auto, auto n) { return place_of(p, n); }},
        run(p), expected.view(), exactly());
}

TEST(W4A16Gemv, ShowsWithOneHotTokensWhichWeightWentWhere) {
  const TestSeed seed;
  Random random(seed);
  for (const GemvShape& shape : kGemvShapes) {
    W4A16Problem p = exact_gemv_problem(shape, random);
    const Int4Weights W = p.W();
    const std::int64_t tokens = std::min<std::int64_t>(shape.K, 40);
    // The last column first, then far apart.
    const auto column = [&](std::int64_t t) { return (37 * t + shape.K - 1) % shape.K; };
    Matrix<float> got(tokens, shape.N);
    Matrix<double> expected(tokens, shape.N);
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t k = 0; k < shape.K; ++k) {
        p.x.view()(0, k) = element<half_t>(k == column(t) ? 1 : 0);
      }
      const Guarded<float> y = run(p);
      for (std::int64_t n = 0; n < shape.N; ++n) {
        const std::int64_t k = column(t), g = k / shape.group_size;
        got(t, n) = y.view()(0, n);
        expected(t, n) = double{to_float(W.scale(n, g))} * (W.code(n, k) - W.zero_point(n, g));
      }
    }
    const auto place = [&](auto t, auto n) {
      const std::int64_t k = column(t), g = k / shape.group_size;
      std::ostringstream out;
      out << "x = 1 at k = " << k << ", so y[" << n << "] is weight [" << n << ", " << k
          << "] of group " << g << ": code " << W.code(n, k) << ", zero point "
          << int{W.zero_point(n, g)} << ", scale " << to_float(W.scale(n, g));
      return out.str();
    };
    judge({.name = name_of(seeded("one-hot tokens", seed), p), .place = place}, got.view(),
          expected.view(), exactly());
    if (HasFailure()) return;  // one shape is enough to read
  }
}

TEST(W4A16Gemv, ReadsBothCodesOfEveryByte) {
  W4A16Problem p = gemv_problem({256, 2, 2});
  p.x.view()(0, 0) = element<half_t>(1);
  p.x.view()(0, 1) = element<half_t>(32);
  for (std::int64_t n = 0; n < 256; ++n) {
    p.qweight.view()(n, 0) = static_cast<std::uint8_t>(n);
    p.scale.view()(n, 0) = element<half_t>(1);
    p.zero_point.view()(n, 0) = 0;
  }
  judge({.name = name_of("row n is byte n, x = 1, 32", p),
         .place =
             [](auto, auto n) {
               return "y[" + std::to_string(n) + "], codes " + std::to_string(n % 16) + " and " +
                      std::to_string(n / 16);
             }},
        run(p), GemvRef(p).value.view(), exactly());
}

TEST(W4A16Gemv, TakesOutTheZeroPointOfEachGroup) {
  // Codes at their zero point: every weight is 0, and so is y, whatever x holds.
  const TestSeed seed;
  Random random(seed);
  for (const GemvShape& shape : {GemvShape{5, 32, 8}, {3, 100, 32}, {4, 33, 5}}) {
    W4A16Problem p = exact_gemv_problem(shape, random);
    for (std::int64_t n = 0; n < shape.N; ++n) {
      std::vector<int> codes;
      for (std::int64_t k = 0; k < shape.K; ++k) {
        codes.push_back(p.zero_point.view()(n, k / shape.group_size));
      }
      set_codes(p, n, codes);
    }
    check(seeded("all codes at their zero point", seed), p, /*exact=*/true);
    for (std::int64_t k = 0; k < shape.K; ++k) p.x.view()(0, k) = element<half_t>(1);
    p.fill_codes(random);
    check(seeded("x all 1", seed), p, /*exact=*/true);
  }
}

TEST(W4A16Gemv, EndsItsGroupsWhereTheyEnd) {
  const TestSeed seed;
  Random random(seed);
  for (const GemvShape& shape : kGemvShapes) {
    check(seeded("integers", seed), exact_gemv_problem(shape, random), /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST(W4A16Gemv, SumsMoreThanFp16Counts) {
  // Sums pass 2048, from where on FP16 steps by 2, and 65504, where it ends.
  for (const std::int64_t K : {4097, 6000}) {
    W4A16Problem p = gemv_problem({3, K, 4160});
    for (std::int64_t k = 0; k < K; ++k) p.x.view()(0, k) = element<half_t>(k % 3 == 0 ? 1 : 3);
    for (std::int64_t n = 0; n < 3; ++n) {
      for (std::int64_t b = 0; b < p.qweight.view().cols(); ++b) {
        p.qweight.view()(n, b) = static_cast<std::uint8_t>(0xF0 + 5 * n);
      }
    }
    p.fill_groups_exactly();
    check("long groups", p, /*exact=*/true);
  }
}

TEST(W4A16Gemv, DoesNotUseWhatYHeld) {
  const TestSeed seed;
  Random random(seed);
  for (const GemvShape& shape : {GemvShape{5, 7, 4}, {9, 64, 32}, {3, 0, 8}}) {
    const W4A16Problem p = exact_gemv_problem(shape, random);
    check(seeded("y full of NaN", seed), p, /*exact=*/true);
    // Old numbers that are finite must leave no trace either.
    judge_problem(seeded("y full of old numbers", seed), p, run(p, Guarded<float>::kOtherPoison),
                  /*exact=*/true);
  }
}

TEST(W4A16Gemv, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  for (const GemvShape& shape : kGemvShapes) {
    const W4A16Problem p = exact_gemv_problem(shape, random);
    // A read past one of these is fatal.
    const Fenced<half_t> x(p.x.view()), scale(p.scale.view());
    const Fenced<std::uint8_t> qweight(p.qweight.view()), zero_point(p.zero_point.view());
    Guarded<float> y(1, shape.N);
    exercise::w4a16_gemv({.K = shape.K,
                          .group_size = shape.group_size,
                          .qweight = qweight.view(),
                          .scale = scale.view(),
                          .zero_point = zero_point.view()},
                         x.view().row(0, 0, shape.K), y.view().row(0, 0, shape.N));
    judge_problem(seeded("memory ends behind each input", seed), p, y, /*exact=*/true);
    if (HasFailure()) return;
  }
}

TEST(W4A16Gemv, RoundsNoMoreThanItsSums) {
  const TestSeed seed;
  Random random(seed);
  for (const Values values : {Values::kNormal, Values::kLogUniform}) {
    for (const GemvShape& shape : kGemvShapes) {
      W4A16Problem p = random_w4a16_problem({{1, shape.N, shape.K}, shape.group_size}, random);
      fill(p.x.view(), values, random);
      check(seeded(values == Values::kNormal ? "normal" : "log-uniform", seed), p,
            /*exact=*/false);
      if (HasFailure()) return;
    }
  }
}

TEST(W4A16Gemv, RefusesShapesThatDoNotFit) {
  const TestSeed seed;
  Random random(seed);
  const W4A16Problem p = exact_gemv_problem({3, 10, 4}, random);
  check("accepted", p, /*exact=*/true);
  const auto call = [&](const Int4Weights& W, std::int64_t K, std::int64_t N) {
    return [&p, W, K, N] {
      std::vector<float> y(static_cast<std::size_t>(N));
      exercise::w4a16_gemv(W, p.x.view().row(0, 0, K), y);
    };
  };
  Int4Weights no_groups = p.W(), few_scales = p.W(), few_codes = p.W();
  no_groups.group_size = 0;
  few_scales.group_size = 3;
  few_codes.K = 12;
  check_refusals(
      "shapes",
      {{"9 of x", "x has 9 elements, W 10 columns", call(p.W(), 9, 3)},
       {"4 of y", "y has 4 elements, W 3 rows", call(p.W(), 10, 4)},
       {"groups of 0", "group_size is 0", call(no_groups, 10, 3)},
       {"3 scales for 4 groups", "scale is [3, 3], expected [3, 4]", call(few_scales, 10, 3)},
       {"K = 12 in 5 bytes", "qweight is [3, 5], expected [3, 6]", call(few_codes, 10, 3)}});
}

TEST(W4A16Gemv, ReadsAQuarterOfTheBytes) {
  const TestSeed seed;
  Random random(seed);
  constexpr std::int64_t kN = 256, kK = 4096, kGroup = 128;
  Matrix<float> weight(kN, kK);
  fill(weight.view(), Values::kNormal, random);
  const Int4Matrix quantized = quantize_int4_rtn(weight.view(), kGroup);
  W4A16Problem p = gemv_problem({kN, kK, kGroup});
  fill(p.x.view(), Values::kNormal, random);
  for (std::int64_t n = 0; n < kN; ++n) {
    std::copy_n(quantized.qweight.view().row(n), kK / 2, p.qweight.view().row(n));
    std::copy_n(quantized.scale.view().row(n), kK / kGroup, p.scale.view().row(n));
    std::copy_n(quantized.zero_point.view().row(n), kK / kGroup, p.zero_point.view().row(n));
  }
  const Guarded<float> y = run(p);
  judge_problem(seeded("weights of a layer", seed), p, y, /*exact=*/false);
  const GemvRef ref(p);
  double factored = 0, plain = 0;
  for (std::int64_t n = 0; n < kN; ++n) {
    float sum = 0;  // each weight dequantized, one after the other
    for (std::int64_t k = 0; k < kK; ++k) {
      const std::int64_t g = k / kGroup;
      const auto steps =
          static_cast<float>(quantized.view().code(n, k) - quantized.zero_point(n, g));
      sum += to_float(p.x.view()(0, k)) * (to_float(quantized.scale(n, g)) * steps);
    }
    factored += std::pow(y.view()(0, n) - ref.value(0, n), 2);
    plain += std::pow(sum - ref.value(0, n), 2);
  }
  std::ostringstream fact;
  fact.precision(3);
  fact << "These " << kN << " by " << kK << " weights in groups of " << kGroup << " take "
       << static_cast<double>(quantized.bytes()) / (kN * kK) << " bytes each, "
       << 2.0 * kN * kK / static_cast<double>(quantized.bytes()) << " times less than FP16. "
       << "Your sums, group by group, are off by " << std::sqrt(factored / plain)
       << " times what one long sum of dequantized weights is off by (root mean square).";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
