// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tests that fp32_gemm, fp16_gemm, bf16_gemm and the last two over panels share. A test program includes this once and
/// says for which rungs.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "common/isa.h"
#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {

/// One rung of one format, and what it is judged by.
template <class T>
struct GemmRung {
  std::string name;
  Isa needs;
  void (*run)(MatrixView<const T> X, MatrixView<const T> W, MatrixView<float> Y, ThreadPool&);
  void (*ref)(MatrixView<const T> X, MatrixView<const T> W, MatrixView<double> value,
              MatrixView<double> abs_sum);
  double extra;          // what rounds besides the sum; see dot_product
  bool flushes = false;  // the instructions take subnormal numbers for 0
};
using AnyGemmRung = std::variant<GemmRung<float>, GemmRung<half_t>, GemmRung<bf16_t>>;

/// Every rung of a ladder; `format` comes before its name.
template <class T, class Run, std::size_t kCount>
std::vector<AnyGemmRung> rungs_of(const std::string& format, const Rung<Run> (&ladder)[kCount],
                                  decltype(GemmRung<T>::ref) ref, double extra) {
  std::vector<AnyGemmRung> all;
  for (const auto& rung : ladder) {
    all.push_back(GemmRung<T>{format + std::string(rung.name), rung.needs, rung.run, ref, extra});
  }
  return all;
}

inline std::string rung_name(const testing::TestParamInfo<AnyGemmRung>& info) {
  return std::visit([](const auto& gemm) { return gemm.name; }, info.param);
}

/// The operands of one call, with gaps between their rows.
template <class T>
struct GemmProblem {
  explicit GemmProblem(const GemmShape& s) : shape(s), x(s.M, s.K), w(s.N, s.K) {}

  Guarded<float> run(const GemmRung<T>& gemm, int threads = 1, unsigned char poison = 0xFF) const {
    Guarded<float> y(shape.M, shape.N, poison);
    ThreadPool pool(threads);
    gemm.run(x.view(), w.view(), y.view(), pool);
    return y;
  }

  testing::AssertionResult matches_oracle(const GemmRung<T>& gemm, bool exact) const {
    Matrix<double> value(shape.M, shape.N), abs_sum(shape.M, shape.N);
    gemm.ref(x.view(), w.view(), value.view(), abs_sum.view());
    return matches(run(gemm).view(), value.view(),
                   exact ? exactly() : dot_product(abs_sum.view(), shape.K, gemm.extra));
  }

  GemmShape shape;
  Operand<T> x, w;
};

template <class T>
GemmProblem<T> random_problem(const GemmShape& shape, Values values, Random& random) {
  GemmProblem<T> problem(shape);
  fill(problem.x.view(), values, random);
  fill(problem.w.view(), values, random);
  return problem;
}

/// kGemmShapes, and the ends of this ladder's blocks: 4 rows of X at a time, 32 and 48 columns,
/// 512 of K.
inline std::vector<GemmShape> gemm_shapes() {
  std::vector<GemmShape> all(std::begin(kGemmShapes), std::end(kGemmShapes));
  all.insert(all.end(), {{4, 33, 520}, {3, 31, 9}, {5, 47, 511}, {8, 49, 513}, {9, 97, 1031}});
  return all;
}

class Gemm : public testing::TestWithParam<AnyGemmRung> {
 protected:
  void SetUp() override {
    const Isa needs = std::visit([](const auto& gemm) { return gemm.needs; }, GetParam());
    if (needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};

TEST_P(Gemm, MatchesPaperAndPencil) {
  const auto check = []<class T>(const GemmRung<T>& gemm) {
    constexpr double kX[2][3] = {{1, 2, 3}, {-4, 5, 0.5}};
    constexpr double kW[4][3] = {{1, 0, 0}, {0, 0, -1}, {1, 1, 1}, {0.25, -8, 2}};
    constexpr double kY[2][4] = {{1, -3, 6, -9.75}, {-4, -0.5, 1.5, -40}};
    GemmProblem<T> problem({2, 4, 3});
    Matrix<double> expected(2, 4);
    for (std::int64_t k = 0; k < 3; ++k) {
      for (std::int64_t m = 0; m < 2; ++m) problem.x.view()(m, k) = element<T>(kX[m][k]);
      for (std::int64_t n = 0; n < 4; ++n) problem.w.view()(n, k) = element<T>(kW[n][k]);
    }
    for (std::int64_t m = 0; m < 2; ++m) {
      for (std::int64_t n = 0; n < 4; ++n) expected(m, n) = kY[m][n];
    }
    EXPECT_TRUE(matches(problem.run(gemm).view(), expected.view(), exactly()));
  };
  std::visit(check, GetParam());
}

TEST_P(Gemm, ShowsWithOneHotRowsWhichWeightWentWhere) {
  const auto check = []<class T>(const GemmRung<T>& gemm) {
    for (const GemmShape& shape : gemm_shapes()) {
      GemmProblem<T> problem(shape);
      Random random(1);
      fill(problem.x.view(), Values::kOneHot, random);
      for (std::int64_t n = 0; n < shape.N; ++n) {
        for (std::int64_t k = 0; k < shape.K; ++k) {
          problem.w.view()(n, k) = element<T>(static_cast<double>((31 * n + k) % 251 - 125));
        }
      }
      EXPECT_TRUE(problem.matches_oracle(gemm, /*exact=*/true)) << shape;
    }
  };
  std::visit(check, GetParam());
}

TEST_P(Gemm, MatchesTheOracle) {
  const TestSeed seed;
  const auto check = [&seed]<class T>(const GemmRung<T>& gemm) {
    Random random(seed);
    for (const NamedValues& kind : kAllValues) {
      for (const GemmShape& shape : gemm_shapes()) {
        const auto problem = random_problem<T>(shape, kind.values, random);
        EXPECT_TRUE(problem.matches_oracle(gemm, kind.exact)) << kind.name << ", " << shape;
      }
    }
  };
  std::visit(check, GetParam());
}

TEST_P(Gemm, WritesAllOfItsOutputAndNothingElse) {
  const TestSeed seed;
  const auto check = [&seed]<class T>(const GemmRung<T>& gemm) {
    Random random(seed);
    for (const GemmShape& shape : gemm_shapes()) {
      const auto problem = random_problem<T>(shape, Values::kNormal, random);
      const Guarded<float> one = problem.run(gemm);
      EXPECT_TRUE(one.written_exactly(problem.run(gemm, 1, 0x5A))) << shape;
    }
  };
  std::visit(check, GetParam());
}

TEST_P(Gemm, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  const auto check = [&seed]<class T>(const GemmRung<T>& gemm) {
    Random random(seed);
    for (const GemmShape& shape : gemm_shapes()) {
      const auto problem = random_problem<T>(shape, Values::kNormal, random);
      const Fenced<T> x(problem.x.view()), w(problem.w.view());
      Guarded<float> y(shape.M, shape.N);
      ThreadPool threads(1);
      gemm.run(x.view(), w.view(), y.view(), threads);
      EXPECT_TRUE(y.written_exactly()) << shape;
    }
  };
  std::visit(check, GetParam());
}

TEST_P(Gemm, GivesTheSameBitsForEveryNumberOfThreads) {
  const TestSeed seed;
  const auto check = [&seed]<class T>(const GemmRung<T>& gemm) {
    Random random(seed);
    for (const std::int64_t M : {1, 4, 9}) {
      const auto problem = random_problem<T>({M, 203, 530}, Values::kNormal, random);
      const Guarded<float> one = problem.run(gemm);
      for (const int threads : {2, 3}) {
        EXPECT_TRUE(one.written_exactly(problem.run(gemm, threads, 0x5A)))
            << "M=" << M << ", " << threads << " threads";
      }
    }
  };
  std::visit(check, GetParam());
}

/// All finite codes of a format as W [8192, 8]. Infinity and NaN are outside the contract; a zero
/// in the other operand would turn them into NaN everywhere. A rung that takes what FP32 has as a
/// subnormal number for 0 is given none.
template <class T>
void fill_with_all_finite_codes(const GemmRung<T>& gemm, MatrixView<T> w) {
  for (std::int64_t n = 0; n < w.rows(); ++n) {
    for (std::int64_t k = 0; k < w.cols(); ++k) {
      const T code{static_cast<std::uint16_t>(n * w.cols() + k)};
      const float value = to_float(code);
      const bool given = gemm.flushes ? std::isnormal(value) : std::isfinite(value);
      w(n, k) = given ? code : T{0};
    }
  }
}

TEST_P(Gemm, WidensEveryCode) {
  const auto check = []<class T>(const GemmRung<T>& gemm) {
    if constexpr (sizeof(T) == 2) {                 // floats are too many to go through
      for (const std::int64_t M : {1, 3, 8, 14}) {  // each way through the rungs
        for (std::int64_t k = 0; k < 8; ++k) {
          GemmProblem<T> problem({M, 8192, 8});
          fill_with_all_finite_codes(gemm, problem.w.view());
          for (std::int64_t m = 0; m < M; ++m) {
            for (std::int64_t i = 0; i < 8; ++i) {
              problem.x.view()(m, i) = element<T>(i == (k + m) % 8 ? 1 : 0);
            }
          }
          EXPECT_TRUE(problem.matches_oracle(gemm, /*exact=*/true)) << "M=" << M << " k=" << k;
        }
      }
    }
  };
  std::visit(check, GetParam());
}

// What checks the shapes and picks the rung.

/// Every rung, asked for by its level of instructions, is the one that runs: the same bits. The
/// numbers are such that rungs, which sum in different orders, round differently.
template <class T, class Call, class Run, std::size_t kCount>
void expect_the_rung_that_fits(Call call, const Rung<Run> (&ladder)[kCount], std::uint64_t seed) {
  Random random(seed);
  const auto problem = random_problem<T>({3, 50, 999}, Values::kNormal, random);
  ThreadPool threads(2);
  std::vector<Guarded<float>> outputs;
  for (const auto& rung : ladder) {
    if (rung.needs > best_isa()) continue;
    EXPECT_EQ(best_rung(ladder, rung.needs).name, rung.name);
    Guarded<float> direct(3, 50), called(3, 50, 0x5A);
    rung.run(problem.x.view(), problem.w.view(), direct.view(), threads);
    call(problem.x.view(), problem.w.view(), called.view(),
         {.threads = threads, .isa = rung.needs});
    EXPECT_TRUE(direct.written_exactly(called)) << rung.name;
    for (const Guarded<float>& other : outputs) {
      EXPECT_FALSE(other.written_exactly(called)) << rung.name << " cannot be told from another";
    }
    outputs.push_back(std::move(direct));
  }
}

template <class T, class Call>
void expect_zeros_for_empty_sides(Call call) {
  ThreadPool threads(2);
  for (const GemmShape& shape : {GemmShape{0, 3, 4}, {3, 0, 4}, {3, 5, 0}, {7, 5, 0}}) {
    for (const Isa isa : {Isa::kScalar, best_isa()}) {
      const GemmProblem<T> problem(shape);
      Guarded<float> y(shape.M, shape.N);
      call(problem.x.view(), problem.w.view(), y.view(), {.threads = threads, .isa = isa});
      EXPECT_TRUE(matches(y.view(), Matrix<double>(shape.M, shape.N).view(), exactly())) << shape;
      EXPECT_TRUE(y.written_exactly()) << shape;
    }
  }
}

template <class T, class Call>
void expect_refusals(Call call, const std::string& name) {
  ThreadPool threads(1);
  const GemmProblem<T> problem({2, 3, 4}), other({2, 3, 5});
  Matrix<float> y(2, 3), wrong(3, 2);
  EXPECT_THAT([&] { call(problem.x.view(), other.w.view(), y.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(name + ": W is [3, 5], expected [3, 4]"));
  EXPECT_THAT([&] { call(problem.x.view(), problem.w.view(), wrong.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(name + ": Y is [3, 2], expected [2, 3]"));
}

}  // namespace qlab::test
