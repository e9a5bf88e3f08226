// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of fp16_panel_gemm and bf16_panel_gemm: the ones of every product, with W packed first, and
/// that the packing moves every weight and adds zeros alone.
#include "01_fp16_baseline/fp16_panel_gemm.h"

#include <utility>

#include "01_fp16_baseline/gemm_tests.h"

namespace qlab::test {
namespace {

/// A rung of a ladder as the shared tests call it: W lies in rows.
template <class T, const auto& kLadder, std::size_t kRung>
void packed(MatrixView<const T> X, MatrixView<const T> W, MatrixView<float> Y,
            ThreadPool& threads) {
  kLadder[kRung].run(X, pack_panels(W).view(), Y, threads);
}

template <class T, const auto& kLadder, std::size_t... kRungs>
std::vector<AnyGemmRung> all_rungs(const std::string& format, decltype(GemmRung<T>::ref) ref,
                                   std::index_sequence<kRungs...>) {
  std::vector<AnyGemmRung> all;
  const auto add = [&](const auto& rung, auto run) {
    const bool flushes = std::is_same_v<T, bf16_t> && rung.needs >= Isa::kAvx512Bf16;
    all.push_back(
        GemmRung<T>{format + std::string(rung.name), rung.needs, run, ref, /*extra=*/0, flushes});
  };
  (add(kLadder[kRungs], packed<T, kLadder, kRungs>), ...);
  return all;
}

/// All rungs of a ladder over panels.
template <class T, const auto& kLadder>
std::vector<AnyGemmRung> panel_rungs(const std::string& format, decltype(GemmRung<T>::ref) ref) {
  return all_rungs<T, kLadder>(format, ref, std::make_index_sequence<std::size(kLadder)>());
}

INSTANTIATE_TEST_SUITE_P(Fp16Panels, Gemm,
                         testing::ValuesIn(panel_rungs<half_t, kFp16PanelGemmRungs>("fp16_",
                                                                                    fp16_gemm_ref)),
                         rung_name);
INSTANTIATE_TEST_SUITE_P(Bf16Panels, Gemm,
                         testing::ValuesIn(panel_rungs<bf16_t, kBf16PanelGemmRungs>("bf16_",
                                                                                    bf16_gemm_ref)),
                         rung_name);

/// The ends of the blocks of these ladders: 3, 12 and 16 rows in a tile, 96, 128 and 256 between two
/// epilogues; 32 columns; 128 and 512 of K.
constexpr GemmShape kPanelShapes[] = {{12, 32, 64},   {13, 64, 130},  {17, 65, 1000},
                                      {33, 40, 515},  {97, 33, 1025}, {129, 31, 540},
                                      {259, 70, 257}, {1, 300, 2047}};

TEST_P(Gemm, MatchesTheOracleAtTheEndsOfPanels) {
  const TestSeed seed;
  const auto check = [&seed]<class T>(const GemmRung<T>& gemm) {
    Random random(seed);
    for (const GemmShape& shape : kPanelShapes) {
      const auto normal = random_problem<T>(shape, Values::kNormal, random);
      EXPECT_TRUE(normal.matches_oracle(gemm, /*exact=*/false)) << shape;
      const auto integers = random_problem<T>(shape, Values::kIntegers, random);
      EXPECT_TRUE(integers.matches_oracle(gemm, /*exact=*/true)) << shape;
    }
  };
  std::visit(check, GetParam());
}

template <class T>
void expect_every_weight_in_its_place() {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : {GemmShape{0, 1, 1}, {0, 33, 65}, {0, 64, 31}, {0, 5, 0}}) {
    const auto problem = random_problem<T>(shape, Values::kNormal, random);
    const PanelMatrix<T> packed = pack_panels<T>(problem.w.view());
    const Panels<T> view = packed.view();
    std::int64_t set = 0, expected = 0;
    for (std::int64_t n = 0; n < shape.N; ++n) {
      for (std::int64_t k = 0; k < shape.K; ++k) {
        ASSERT_EQ(to_float(view.weight(n, k)), to_float(problem.w.view()(n, k)))
            << "row " << n << ", column " << k << " of " << shape;
        expected += problem.w.view()(n, k).bits != 0;
      }
    }
    for (std::int64_t i = 0; i < view.panels.rows() * view.panels.cols(); ++i) {
      set += packed.panels.data()[i].bits != 0;
    }
    EXPECT_EQ(set, expected) << "the padding is not 0, " << shape;
  }
}

TEST(Panels, HaveEveryWeightInItsPlaceAndZerosBehind) {
  expect_every_weight_in_its_place<half_t>();
  expect_every_weight_in_its_place<bf16_t>();
}

TEST(Panels, KeepAsManyKTogetherAsFillAWord) {
  Operand<bf16_t> w(40, 3);
  for (std::int64_t n = 0; n < 40; ++n) {
    for (std::int64_t k = 0; k < 3; ++k)
      w.view()(n, k) = element<bf16_t>(static_cast<double>(n + 64 * k));
  }
  const PanelMatrix<bf16_t> packed = pack_panels<bf16_t>(w.view());
  const bf16_t* second = packed.view().at(1, 0);  // rows 32 … 39
  EXPECT_EQ(to_float(second[0]), 32);
  EXPECT_EQ(to_float(second[1]), 32 + 64);
  EXPECT_EQ(to_float(second[2]), 33);
  EXPECT_EQ(to_float(second[64]), 32 + 128);
  EXPECT_EQ(to_float(second[65]), 0);
}

// What checks the shapes and picks the rung.

template <class T, class Ladder, class Call>
void expect_the_rung_of_each_level(const Ladder& ladder, Call call) {
  const TestSeed seed;
  Random random(seed);
  const auto problem = random_problem<T>({14, 50, 999}, Values::kNormal, random);
  const PanelMatrix<T> w = pack_panels<T>(problem.w.view());
  ThreadPool threads(2);
  for (const auto& rung : ladder) {
    if (rung.needs > best_isa()) continue;
    Guarded<float> direct(14, 50), called(14, 50, 0x5A);
    rung.run(problem.x.view(), w.view(), direct.view(), threads);
    call(problem.x.view(), w.view(), called.view(), {.threads = threads, .isa = rung.needs});
    EXPECT_TRUE(direct.written_exactly(called)) << rung.name;
  }
}

TEST(Fp16PanelGemmCall, TakesTheRungThatTheMachineAllows) {
  expect_the_rung_of_each_level<half_t>(kFp16PanelGemmRungs, fp16_panel_gemm);
}
TEST(Bf16PanelGemmCall, TakesTheRungThatTheMachineAllows) {
  expect_the_rung_of_each_level<bf16_t>(kBf16PanelGemmRungs, bf16_panel_gemm);
}

/// The call over rows, for the tests that fp16_gemm has.
void fp16_call(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y,
               const Machine& machine) {
  fp16_panel_gemm(X, pack_panels(W).view(), Y, machine);
}
void bf16_call(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W, MatrixView<float> Y,
               const Machine& machine) {
  bf16_panel_gemm(X, pack_panels(W).view(), Y, machine);
}

TEST(Fp16PanelGemmCall, GivesZerosForEmptySides) {
  expect_zeros_for_empty_sides<half_t>(fp16_call);
}
TEST(Bf16PanelGemmCall, GivesZerosForEmptySides) {
  expect_zeros_for_empty_sides<bf16_t>(bf16_call);
}
TEST(Fp16PanelGemmCall, RefusesShapesThatDoNotFit) {
  expect_refusals<half_t>(fp16_call, "fp16_panel_gemm");
}
TEST(Bf16PanelGemmCall, RefusesShapesThatDoNotFit) {
  expect_refusals<bf16_t>(bf16_call, "bf16_panel_gemm");
}

}  // namespace
}  // namespace qlab::test
