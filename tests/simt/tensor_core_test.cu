// SPDX-License-Identifier: Apache-2.0
/// \file
/// ldmatrix, mma and cp.async against a plain matrix product; M, N and K all differ, so that no
/// transposed or swapped index can pass.
#include <cmath>
#include <cstring>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

struct Ldmatrix : OnDevice {};
struct Mma : OnDevice {};
struct CpAsync : OnDevice {};

__global__ void load_matrices(const std::uint16_t* in, std::uint32_t* out) {
  __shared__ __align__(16) std::uint16_t tile[32][8];
  const unsigned lane = threadIdx.x;
  for (int j = 0; j < 8; ++j) tile[lane][j] = in[lane * 8 + j];
  __syncthreads();
  std::uint32_t x1[1], x2[2], x4[4], t1[1], t2[2], t4[4];
  ptx::ldmatrix_x1(x1, tile[lane % 8]);
  ptx::ldmatrix_x2(x2, tile[lane % 16]);
  ptx::ldmatrix_x4(x4, tile[lane]);
  ptx::ldmatrix_x1_trans(t1, tile[lane % 8]);
  ptx::ldmatrix_x2_trans(t2, tile[lane % 16]);
  ptx::ldmatrix_x4_trans(t4, tile[lane]);
  std::uint32_t* at = out + lane * 14;
  at[0] = x1[0];
  at[1] = t1[0];
  for (int j = 0; j < 2; ++j) at[2 + j] = x2[j], at[4 + j] = t2[j];
  for (int j = 0; j < 4; ++j) at[6 + j] = x4[j], at[10 + j] = t4[j];
}

TEST_F(Ldmatrix, GivesEveryLaneItsElementsInEveryForm) {
  std::vector<std::uint16_t> in(256);
  for (std::size_t i = 0; i < 256; ++i) in[i] = static_cast<std::uint16_t>(i * 7 + 1);
  simt::Buffer<std::uint16_t> input(in);
  simt::Buffer<std::uint32_t> out(32 * 14);
  simt::launch(1, 32, 0, load_matrices, input.data(), out.data());
  const auto got = out.to_host();
  const auto element = [&](unsigned m, unsigned r, unsigned c) -> std::uint32_t {
    return in[(8 * m + r) * 8 + c];
  };
  for (unsigned lane = 0; lane < 32; ++lane) {
    const unsigned r = lane / 4, c = lane % 4 * 2;
    const auto plain = [&](unsigned m) { return element(m, r, c) | element(m, r, c + 1) << 16; };
    const auto trans = [&](unsigned m) { return element(m, c, r) | element(m, c + 1, r) << 16; };
    const std::uint32_t* at = got.data() + lane * 14;
    ASSERT_EQ(at[0], plain(0));
    ASSERT_EQ(at[1], trans(0));
    for (unsigned m = 0; m < 4; ++m) {
      if (m < 2) {
        ASSERT_EQ(at[2 + m], plain(m));
        ASSERT_EQ(at[4 + m], trans(m));
      }
      ASSERT_EQ(at[6 + m], plain(m));
      ASSERT_EQ(at[10 + m], trans(m));
    }
  }
}

enum class Kind { f16, bf16, tf32, e4m3, s8 };

template <Kind kKind>
struct Traits;
template <>
struct Traits<Kind::f16> {
  using Code = std::uint16_t;
  using Sum = float;
  static constexpr unsigned kK = 16;
};
template <>
struct Traits<Kind::bf16> {
  using Code = std::uint16_t;
  using Sum = float;
  static constexpr unsigned kK = 16;
};
template <>
struct Traits<Kind::tf32> {
  using Code = std::uint32_t;
  using Sum = float;
  static constexpr unsigned kK = 8;
};
template <>
struct Traits<Kind::e4m3> {
  using Code = std::uint8_t;
  using Sum = float;
  static constexpr unsigned kK = 32;
};
template <>
struct Traits<Kind::s8> {
  using Code = std::uint8_t;
  using Sum = std::int32_t;
  static constexpr unsigned kK = 32;
};

// One warp, one mma: a[16][K], b[8][K] (b by column), d[16][8]. Fragments are gathered by the
// element indices that the PTX manual gives, not through ldmatrix.
template <Kind kKind>
__global__ void one_mma(const typename Traits<kKind>::Code* a,
                        const typename Traits<kKind>::Code* b, typename Traits<kKind>::Sum* d) {
  using Code = typename Traits<kKind>::Code;
  constexpr unsigned kK = Traits<kKind>::kK, kPer = 4 / sizeof(Code);
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto gather = [](const Code* from) {
    std::uint32_t word = 0;
    for (unsigned i = 0; i < kPer; ++i)
      word |= static_cast<std::uint32_t>(from[i]) << (8 * sizeof(Code) * i % 32);
    return word;
  };
  const std::uint32_t fa[4] = {gather(a + g * kK + t * kPer), gather(a + (g + 8) * kK + t * kPer),
                               gather(a + g * kK + kK / 2 + t * kPer),
                               gather(a + (g + 8) * kK + kK / 2 + t * kPer)};
  const std::uint32_t fb[2] = {gather(b + g * kK + t * kPer),
                               gather(b + g * kK + kK / 2 + t * kPer)};
  typename Traits<kKind>::Sum fd[4];
  for (unsigned r = 0; r < 4; ++r) fd[r] = d[(g + r / 2 * 8) * 8 + 2 * t + r % 2];
  if constexpr (kKind == Kind::f16) ptx::mma_m16n8k16_f16(fd, fa, fb);
  if constexpr (kKind == Kind::bf16) ptx::mma_m16n8k16_bf16(fd, fa, fb);
  if constexpr (kKind == Kind::tf32) ptx::mma_m16n8k8_tf32(fd, fa, fb);
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890  // FP8 tensor cores begin with sm_89
  if constexpr (kKind == Kind::e4m3) ptx::mma_m16n8k32_e4m3(fd, fa, fb);
#endif
  if constexpr (kKind == Kind::s8) ptx::mma_m16n8k32_s8(fd, fa, fb);
  for (unsigned r = 0; r < 4; ++r) d[(g + r / 2 * 8) * 8 + 2 * t + r % 2] = fd[r];
}

template <Kind kKind, class ValueOf, class CodeOf>
void check_mma(ValueOf value_of, CodeOf code_of) {
  using Code = typename Traits<kKind>::Code;
  using Sum = typename Traits<kKind>::Sum;
  constexpr unsigned kK = Traits<kKind>::kK;
  const auto words = random_words(24 * kK + 128, 11);
  std::vector<Code> a(16 * kK), b(8 * kK);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = code_of(words[i]);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = code_of(words[a.size() + i]);
  std::vector<Sum> d(128);
  for (std::size_t i = 0; i < 128; ++i)
    d[i] = static_cast<Sum>(static_cast<int>(words[24 * kK + i] % 2001) - 1000) / 100;
  simt::Buffer<Code> da(a), db(b);
  simt::Buffer<Sum> dd(d);
  simt::launch(1, 32, 0, one_mma<kKind>, da.data(), db.data(), dd.data());
  const auto got = dd.to_host();
  for (unsigned m = 0; m < 16; ++m) {
    for (unsigned n = 0; n < 8; ++n) {
      double exact = d[m * 8 + n], magnitude = std::abs(exact);
      for (unsigned k = 0; k < kK; ++k) {
        const double product =
            static_cast<double>(value_of(a[m * kK + k])) * value_of(b[n * kK + k]);
        exact += product;
        magnitude += std::abs(product);
      }
      // Tensor cores align the terms to the largest and truncate: an ulp of it a term;
      // FP8 keeps fewer bits.
      const double bound =
          std::is_integral_v<Sum> ? 0 : magnitude * (kKind == Kind::e4m3 ? 0x1p-12 : 0x1p-21);
      ASSERT_LE(std::abs(got[m * 8 + n] - exact), bound) << "m " << m << " n " << n;
    }
  }
}

TEST_F(Mma, MultipliesF16) {
  check_mma<Kind::f16>(
      [](std::uint16_t c) { return __half2float(__ushort_as_half(c)); },
      [](std::uint32_t w) {
        return __half_as_ushort(__float2half_rn(static_cast<float>(w % 4001) / 1000.0f - 2.0f));
      });
}
TEST_F(Mma, MultipliesBf16) {
  check_mma<Kind::bf16>([](std::uint16_t c) { return __bfloat162float(__ushort_as_bfloat16(c)); },
                        [](std::uint32_t w) {
                          return __bfloat16_as_ushort(
                              __float2bfloat16_rn(static_cast<float>(w % 4001) / 1000.0f - 2.0f));
                        });
}
TEST_F(Mma, IgnoresTheLowBitsOfTf32) {
  const auto value = [](std::uint32_t bits) {
    bits &= 0xffffe000u;
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
  };
  check_mma<Kind::tf32>(value, [](std::uint32_t w) {
    const float f = static_cast<float>(w % 400001) / 100000.0f - 2.0f;
    std::uint32_t bits;
    std::memcpy(&bits, &f, 4);
    return bits;
  });
}
TEST_F(Mma, MultipliesE4m3) {
  const auto value = [](std::uint8_t c) {
    const int e = c >> 3 & 15, m = c & 7;
    const double v = std::ldexp(e == 0 ? m : m + 8, (e == 0 ? 1 : e) - 10);
    return c & 0x80 ? -v : v;
  };
  check_mma<Kind::e4m3>(value, [](std::uint32_t w) {
    return static_cast<std::uint8_t>((w & 0x7f) % 0x50 | (w >> 8 & 0x80));
  });
}
TEST_F(Mma, MultipliesS8Exactly) {
  check_mma<Kind::s8>([](std::uint8_t c) { return static_cast<std::int8_t>(c); },
                      [](std::uint32_t w) { return static_cast<std::uint8_t>(w >> 13); });
}

__global__ void copy_in_two_groups(const std::uint32_t* in, std::uint32_t* out) {
  __shared__ __align__(16) std::uint32_t stage[2][128];
  const unsigned i = threadIdx.x;
  ptx::cp_async_16(&stage[0][4 * i], in + 4 * i);
  ptx::cp_async_commit();
  for (unsigned j = 0; j < 2; ++j) ptx::cp_async_4(&stage[1][2 * i + j], in + 128 + 2 * i + j);
  if (i < 16) ptx::cp_async_16_zfill(&stage[1][64 + 4 * i], in, false);
  ptx::cp_async_commit();
  ptx::cp_async_wait<1>();
  __syncthreads();
  for (unsigned j = 0; j < 4; ++j) out[4 * i + j] = stage[0][(4 * i + j + 5) % 128];
  ptx::cp_async_wait<0>();
  __syncthreads();
  for (unsigned j = 0; j < 4; ++j) out[128 + 4 * i + j] = stage[1][(4 * i + j + 5) % 128];
}

TEST_F(CpAsync, GroupsArriveAtTheirWait) {
  const auto in = random_words(256, 5);
  simt::for_each_schedule(5, [&] {
    simt::Buffer<std::uint32_t> input(in), out(256);
    simt::launch(1, 32, 0, copy_in_two_groups, input.data(), out.data());
    const auto got = out.to_host();
    for (std::size_t i = 0; i < 128; ++i) {
      ASSERT_EQ(got[i], in[(i + 5) % 128]) << i;
      const std::size_t from = (i + 5) % 128;
      ASSERT_EQ(got[128 + i], from < 64 ? in[128 + from] : 0u) << i;
    }
  });
}

}  // namespace
}  // namespace qlab::test
