// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of the INT4 CUDA exercises share: operands, their way to the device and back, and
/// the verdict on Y = X · Wᵀ with W in 4 bits. The oracle is w4a16_gemm_ref.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/int4_device.h"
#include "03_int4_weight_only/w4a16_gemm.h"
#include "support/cuda_exercise.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {

/// A case of one product. Codes and activations are 0, scales 1, zero points 0 until they are
/// filled.
struct Int4Product {
  Int4Product(const std::string& title, const GemmShape& s, std::int64_t group_size)
      : shape(s), x(s.M, s.K), w(s.N, s.K, group_size) {
    std::ostringstream text;
    text << '"' << title << "\": " << shape << " group_size=" << group_size;
    name = text.str();
    fill_groups([](auto, auto) { return 1.0; }, [](auto, auto) { return 0; });
  }

  std::int64_t groups() const { return w.scale.cols(); }

  /// x[m, k] = value(m, k).
  template <class Value>
  void fill_x(Value value) {
    for (std::int64_t m = 0; m < shape.M; ++m) {
      for (std::int64_t k = 0; k < shape.K; ++k) {
        x(m, k) = element<half_t>(static_cast<double>(value(m, k)));
      }
    }
  }

  /// code[n, k] = code(n, k).
  template <class Code>
  void fill_codes(Code code) {
    for (std::int64_t n = 0; n < shape.N; ++n) {
      for (std::int64_t k = 0; k < shape.K; k += 2) {
        w.qweight(n, k / 2) = static_cast<std::uint8_t>(code(n, k) | code(n, k + 1) << 4);
      }
    }
  }

  /// scale[n, g] = scale(n, g), zero_point[n, g] = zero_point(n, g).
  template <class Scale, class Zero>
  void fill_groups(Scale scale, Zero zero_point) {
    for (std::int64_t n = 0; n < shape.N; ++n) {
      for (std::int64_t g = 0; g < groups(); ++g) {
        w.scale(n, g) = element<half_t>(static_cast<double>(scale(n, g)));
        w.zero_point(n, g) = static_cast<std::uint8_t>(zero_point(n, g));
      }
    }
  }

  /// Scales that are powers of two, and zero points, that differ between neighbours.
  void tell_groups_apart() {
    fill_groups([](auto n, auto g) { return std::ldexp(1.0, static_cast<int>(3 * n + g) % 5); },
                [](auto n, auto g) { return (5 * n + 7 * g + 3) % 16; });
  }

  GemmShape shape;
  Matrix<half_t> x;
  Int4Matrix w;
  bool exact = true;  ///< every sum is exact in any order
  std::string name;
};

/// A code that tells its place: neighbours, pieces, and rows differ.
inline int code_of_place(std::int64_t n, std::int64_t k) {
  return static_cast<int>((5 * n + 7 * k + 3 * (k / 16)) % 16);
}

inline int random_code(Random& random) { return static_cast<int>(random.below(16)); }

/// Random codes and zero points; scales are powers of two, or 0.001 … 1.
inline Int4Product random_product(const std::string& title, const GemmShape& shape,
                                  std::int64_t group_size, const NamedValues& kind,
                                  Random& random) {
  Int4Product p(title, shape, group_size);
  fill(p.x.view(), kind.values, random);
  p.fill_codes([&](auto, auto) { return random_code(random); });
  p.tell_groups_apart();
  p.exact = kind.exact;
  if (!kind.exact) {
    p.fill_groups([&](auto, auto) { return std::pow(10, random.uniform(-3, 0)); },
                  [&](auto, auto) { return random_code(random); });
  }
  return p;
}
inline Int4Product random_integers(const std::string& title, const GemmShape& shape,
                                   std::int64_t group_size, std::uint64_t seed) {
  Random random(seed);
  return random_product(title, shape, group_size, {Values::kIntegers, "integers", true}, random);
}

inline half to_device(half_t value) { return __ushort_as_half(value.bits); }
inline std::uint8_t to_device(std::uint8_t value) { return value; }

/// The matrix, and `margin` more elements that are not its own.
template <class T>
auto on_device(const Matrix<T>& m, Behind behind, T not_its_own, const char* name) {
  constexpr std::size_t kMargin = 16384;  // a tile's worth
  const std::size_t size = m.bytes() / sizeof(T);
  using Element = decltype(to_device(T{}));
  std::vector<Element> values(size + (behind == Behind::kNan ? kMargin : 0),
                              to_device(not_its_own));
  for (std::size_t i = 0; i < size; ++i) values[i] = to_device(m.data()[i]);
  return simt::Buffer<Element>(values, name);
}

/// How an exercise is called, and the allowed error of its inexact cases.
struct Int4Operation {
  void (*launch)(const half* X, const Int4DeviceWeights& W, float* Y, int M, int N, int K);
  Tolerance (*allowed)(MatrixView<const double> abs_sum, std::int64_t K, std::int64_t group_size);
};

inline void run_into(float* y, const Int4Operation& operation, const Int4Product& p,
                     Behind behind) {
  constexpr half_t kNan{0x7FFF};
  const auto x = on_device(p.x, behind, kNan, "X");
  const auto qweight = on_device(p.w.qweight, behind, std::uint8_t{0xB5}, "qweight");
  const auto scale = on_device(p.w.scale, behind, half_t{0x7000}, "scale");  // 8192
  const auto zero_point = on_device(p.w.zero_point, behind, std::uint8_t{9}, "zero_point");
  operation.launch(x.data(),
                   {.qweight = qweight.data(),
                    .scale = scale.data(),
                    .zero_point = zero_point.data(),
                    .group_size = static_cast<int>(p.w.group_size)},
                   y, static_cast<int>(p.shape.M), static_cast<int>(p.shape.N),
                   static_cast<int>(p.shape.K));
}

inline Matrix<float> run(const Int4Operation& operation, const Int4Product& p,
                         Behind behind = Behind::kNan) {
  DeviceOutput y(p.shape.M, p.shape.N);
  run_into(y.data(), operation, p, behind);
  return y.fetch(p.name);
}

/// Addresses that no 16-byte load may start at are refused before anything is read.
inline void check_refuses_unaligned(const Int4Operation& operation) {
  alignas(16) static const unsigned char memory[64] = {};
  float y[2];
  const auto launch = [&](int x_offset, int w_offset) {
    const Int4DeviceWeights W{.qweight = memory + w_offset,
                              .scale = reinterpret_cast<const half*>(memory),
                              .zero_point = memory,
                              .group_size = 32};
    operation.launch(reinterpret_cast<const half*>(memory + x_offset), W, y, 1, 2, 32);
  };
  EXPECT_THROW(launch(2, 0), ContractError) << "an input that starts at its second value";
  EXPECT_THROW(launch(0, 1), ContractError) << "codes that start at their second byte";
}

/// Runs the case and judges it against the oracle.
inline void check(const Int4Operation& operation, const Int4Product& p,
                  Behind behind = Behind::kNan) {
  Matrix<double> value(p.shape.M, p.shape.N), abs_sum(p.shape.M, p.shape.N);
  w4a16_gemm_ref(p.x.view(), p.w.view(), value.view(), abs_sum.view());
  const Matrix<float> got = run(operation, p, behind);
  judge({.name = p.name}, got.view(), value.view(),
        p.exact ? exactly() : operation.allowed(abs_sum.view(), p.shape.K, p.w.group_size));
}

/// Computes the product in the middle of a sheet of -1 and judges the rows above and below it: what
/// is stored there is told like a wrong value, and compared with that of known mistakes.
inline void check_around(const Int4Operation& operation, const Int4Product& p) {
  constexpr std::int64_t kRows = 4;
  const std::int64_t M = p.shape.M, N = p.shape.N;
  simt::Buffer<float> sheet(
      std::vector<float>(static_cast<std::size_t>((M + 2 * kRows) * N), -1.0F), "the output");
  run_into(sheet.data() + kRows * N, operation, p, Behind::kNan);
  const std::vector<float> all = sheet.to_host();
  Matrix<float> around(2 * kRows, N);
  std::copy_n(all.begin(), kRows * N, around.data());
  std::copy_n(all.end() - kRows * N, kRows * N, around.data() + kRows * N);
  Matrix<double> expected(2 * kRows, N);
  std::fill_n(expected.data(), 2 * kRows * N, -1.0);
  const auto place = [M](std::int64_t row, std::int64_t n) {
    const std::int64_t m = row < kRows ? row - kRows : M + row - kRows;
    return "row " + std::to_string(m) + ", column " + std::to_string(n) +
           ", but Y has the rows 0 to " + std::to_string(M - 1) + ", and around it lies -1";
  };
  judge({.name = p.name, .place = place}, around.view(), expected.view(), exactly());
}

/// One token, one row, two groups, worked out by hand: K is 64, and all but six codes are the zero
/// point of their group, so they are the weight 0.
inline void check_paper_and_pencil(const Int4Operation& operation) {
  Int4Product p("paper and pencil: 2 · (code - 1) up to k = 31, then 0.5 · (code - 8)", {1, 3, 64},
                32);
  p.fill_groups([](auto, auto g) { return g == 0 ? 2.0 : 0.5; },
                [](auto, auto g) { return g == 0 ? 1 : 8; });
  p.fill_x([](auto, auto k) { return k % 32 < 3 ? k % 32 + 1 : 0; });  // 1 2 3 0 … 1 2 3 0 …
  // Weights 0 4 -2 | -4 3.5 0.5, then 28 4 -2 | -4 3.5 0.5, then 0 0 0 | 0 0 0.
  constexpr int kCodes[3][2][3] = {
      {{1, 3, 0}, {0, 15, 9}}, {{15, 3, 0}, {0, 15, 9}}, {{1, 1, 1}, {8, 8, 8}}};
  p.fill_codes([&](auto n, auto k) {
    const std::int64_t g = k / 32, i = k % 32;
    return i < 3 ? kCodes[n][g][i] : g == 0 ? 1 : 8;
  });
  Matrix<double> expected(1, 3);
  expected(0, 0) = (0 + 8 - 6) + (-4 + 7 + 1.5);
  expected(0, 1) = (28 + 8 - 6) + (-4 + 7 + 1.5);
  judge({.name = p.name}, run(operation, p).view(), expected.view(), exactly());
}

/// Every weight is its scale, and the scales of all groups differ.
inline void check_scales(const Int4Operation& operation, std::int64_t M, std::int64_t K,
                         std::int64_t group_size) {
  Int4Product p(
      "every code is one above its zero point; group g of row n has the scale 1 + g + 8 n",
      {M, 5, K}, group_size);
  p.fill_groups([](auto n, auto g) { return 1 + g + 8 * n; }, [](auto, auto) { return 7; });
  p.fill_codes([](auto, auto) { return 8; });
  p.fill_x([](auto m, auto) { return m + 1; });
  check(operation, p);
}

/// Codes of 0 under a zero point that differs from group to group.
inline void check_zero_points(const Int4Operation& operation, std::int64_t M, std::int64_t K,
                              std::int64_t group_size) {
  Int4Product p("every code is 0; group g of row n has the zero point (3 g + n + 1) mod 16",
                {M, 5, K}, group_size);
  p.fill_groups([](auto, auto) { return 1.0; },
                [](auto n, auto g) { return (3 * g + n + 1) % 16; });
  p.fill_x([](auto m, auto) { return m + 1; });
  check(operation, p);
}

/// All kinds of values on all shapes and group sizes, under the first schedules of the CPU.
inline void check_kinds(const Int4Operation& operation, const std::vector<GemmShape>& shapes,
                        std::uint64_t seed) {
  simt::for_each_schedule(2, [&] {
    Random random(seed);
    for (const NamedValues& kind : kAllValues) {
      for (const GemmShape& shape : shapes) {
        for (const std::int64_t group_size : {32, 96, 128}) {
          check(operation, random_product(std::string(kind.name), shape, group_size, kind, random));
          if (testing::Test::HasFailure()) return;  // one is enough to read
        }
      }
    }
  });
}

}  // namespace qlab::test
