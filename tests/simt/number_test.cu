// SPDX-License-Identifier: Apache-2.0
/// \file
/// Conversions, 16-bit arithmetic and bit intrinsics, computed in a kernel and compared with
/// definitions written on their own here, on CPU and GPU.
#include <cmath>
#include <cstring>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

struct Half : OnDevice {};
struct Fp8 : OnDevice {};
struct Bits : OnDevice {};

// The value of a code by the definition of the format (largest exponent: infinity and NaN).
double value_of(unsigned code, int exponent_bits, int mantissa_bits) {
  const unsigned mantissa = code & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>(code >> mantissa_bits & ((1u << exponent_bits) - 1));
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = code >> (exponent_bits + mantissa_bits) & 1 ? -1 : 1;
  const double scale = std::ldexp(1.0, (exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
  return sign * scale * (exponent == 0 ? mantissa : mantissa + (1u << mantissa_bits));
}

bool is_nan_half(unsigned code) { return (code & 0x7fff) > 0x7c00; }

__global__ void halves_there_and_back(float* values, unsigned short* codes) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const half h = __ushort_as_half(static_cast<unsigned short>(i));
  values[i] = __half2float(h);
  codes[i] = __half_as_ushort(__float2half_rn(values[i]));
}

TEST_F(Half, ComesBackAsEveryCode) {
  simt::Buffer<float> values(65536);
  simt::Buffer<unsigned short> codes(65536);
  simt::launch(256, 256, 0, halves_there_and_back, values.data(), codes.data());
  const auto v = values.to_host();
  const auto c = codes.to_host();
  for (unsigned i = 0; i < 65536; ++i) {
    if (is_nan_half(i)) {
      ASSERT_TRUE(std::isnan(v[i])) << i;
      ASSERT_TRUE(is_nan_half(c[i])) << i;
    } else {
      if ((i & 0x7fff) == 0x7c00)
        ASSERT_TRUE(std::isinf(v[i]));
      else
        ASSERT_EQ(v[i], value_of(i, 5, 10)) << i;
      ASSERT_EQ(c[i], i);
    }
  }
}

__global__ void round_floats(const float* in, unsigned short* half_codes,
                             unsigned short* bfloat_codes, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  half_codes[i] = __half_as_ushort(__float2half_rn(in[i]));
  bfloat_codes[i] = __bfloat16_as_ushort(__float2bfloat16_rn(in[i]));
}

// Between each two neighbouring halves: the midpoint (a tie, to the even code) and a float to each
// side of it.
TEST_F(Half, RoundsToNearestEvenAtEveryBoundary) {
  std::vector<float> in;
  std::vector<unsigned> expected;
  for (unsigned code = 0; code < 0x7c00; ++code) {
    const double next = code == 0x7bff ? 65536.0 : value_of(code + 1, 5, 10);
    const auto middle = static_cast<float>((value_of(code, 5, 10) + next) / 2);
    const unsigned even = code % 2 == 0 ? code : code + 1;
    const float around[3] = {std::nextafter(middle, 0.0f), middle, std::nextafter(middle, 1e9f)};
    const unsigned codes[3] = {code, even, code + 1};
    for (int i = 0; i < 3; ++i) {
      in.push_back(around[i]);
      expected.push_back(codes[i]);
      in.push_back(-around[i]);
      expected.push_back(codes[i] | 0x8000);
    }
  }
  simt::Buffer<float> input(in);
  simt::Buffer<unsigned short> halves(in.size()), bfloats(in.size());
  const int n = static_cast<int>(in.size());
  simt::launch((n + 255) / 256, 256, 0, round_floats, input.data(), halves.data(), bfloats.data(),
               n);
  const auto h = halves.to_host();
  const auto b = bfloats.to_host();
  for (std::size_t i = 0; i < in.size(); ++i) {
    ASSERT_EQ(h[i], expected[i]) << in[i];
    std::uint32_t bits;
    std::memcpy(&bits, &in[i], 4);
    ASSERT_EQ(b[i], static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)) << in[i];
  }
}

// Exact arithmetic of halves: all their values are multiples of 2^-24, their products of 2^-48.
__extension__ typedef __int128 Int128;

Int128 scaled(unsigned code) { return static_cast<Int128>(std::ldexp(value_of(code, 5, 10), 24)); }

// The half nearest to exact · 2^-48, ties to even.
unsigned nearest_half(Int128 exact) {
  const bool negative = exact < 0;
  const Int128 magnitude = negative ? -exact : exact;
  const auto value = [&](unsigned code) {
    return code == 0x7c00 ? static_cast<Int128>(65536) << 48 : scaled(code) << 24;
  };
  unsigned low = 0, high = 0x7c00;  // low: the last code not above `magnitude`
  while (high - low > 1) {
    const unsigned middle = (low + high) / 2;
    (value(middle) <= magnitude ? low : high) = middle;
  }
  const Int128 doubled = 2 * magnitude, tie = value(low) + value(low + 1);
  const bool up = doubled > tie || (doubled == tie && low % 2 == 1);
  return (up ? low + 1 : low) | (negative ? 0x8000u : 0u);
}

__global__ void arithmetic(const unsigned short* a, const unsigned short* b,
                           const unsigned short* c, unsigned short* out) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, n = gridDim.x * blockDim.x;
  const half x = __ushort_as_half(a[i]), y = __ushort_as_half(b[i]), z = __ushort_as_half(c[i]);
  out[i] = __half_as_ushort(__hadd(x, y));
  out[n + i] = __half_as_ushort(__hmul(x, y));
  out[2 * n + i] = __half_as_ushort(__hfma(x, y, z));
  const half2 fused = __hfma2(__half2half2(x), __halves2half2(y, x), __halves2half2(z, z));
  out[3 * n + i] = __half_as_ushort(__high2half(fused));
}

TEST_F(Half, ArithmeticRoundsOnce) {
  constexpr int kN = 1 << 15;
  const auto words = random_words(3 * kN, 7);
  std::vector<unsigned short> a(kN), b(kN), c(kN);
  for (int i = 0; i < kN; ++i) {
    a[i] = static_cast<unsigned short>(words[3 * i]);
    b[i] = static_cast<unsigned short>(words[3 * i + 1]);
    c[i] = static_cast<unsigned short>(words[3 * i + 2]);
  }
  // A tie that only the unrounded product can break: (1 + 2^-10)·(1 + 2^-10) + 2^11 …
  a[0] = b[0] = 0x3c01, c[0] = 0x6800;
  // … and one that a tiny addend breaks: 2049 exactly is a tie, 2049 + 2^-24 is not.
  a[1] = 0x6801 /* 2050 */, b[1] = 0x3bff /* 1 - 2^-11 */, c[1] = 0x0001;
  simt::Buffer<unsigned short> x(a), y(b), z(c), out(4 * kN);
  simt::launch(kN / 128, 128, 0, arithmetic, x.data(), y.data(), z.data(), out.data());
  const auto got = out.to_host();
  const auto finite = [](unsigned code) { return (code & 0x7c00) != 0x7c00; };
  const auto same = [](unsigned p, unsigned q) { return p == q || ((p | q) & 0x7fff) == 0; };
  for (int i = 0; i < kN; ++i) {
    if (!finite(a[i]) || !finite(b[i]) || !finite(c[i])) continue;
    const Int128 x_exact = scaled(a[i]), y_exact = scaled(b[i]), z_exact = scaled(c[i]) << 24;
    ASSERT_TRUE(same(got[i], nearest_half((x_exact + y_exact) << 24))) << i;
    ASSERT_TRUE(same(got[kN + i], nearest_half(x_exact * y_exact))) << i;
    ASSERT_TRUE(same(got[2 * kN + i], nearest_half(x_exact * y_exact + z_exact))) << i;
    ASSERT_TRUE(same(got[3 * kN + i], nearest_half(x_exact * x_exact + z_exact))) << i;
  }
}

__global__ void fp8_codes(const float* in, unsigned char* e4m3, unsigned char* e5m2, float* back,
                          int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  e4m3[i] = __nv_cvt_float_to_fp8(in[i], __NV_SATFINITE, __NV_E4M3);
  e5m2[i] = __nv_cvt_float_to_fp8(in[i], __NV_SATFINITE, __NV_E5M2);
  if (i < 256)
    back[i] = __half2float(half(__nv_cvt_fp8_to_halfraw(static_cast<unsigned char>(i), __NV_E4M3)));
}

TEST_F(Fp8, RoundsToNearestEvenAndSaturates) {
  std::vector<float> in;
  for (unsigned code = 0; code < 0x7f; ++code) {
    const auto middle = static_cast<float>((value_of(code, 4, 3) + value_of(code + 1, 4, 3)) / 2);
    for (float f : {std::nextafter(middle, 0.0f), middle, std::nextafter(middle, 1e9f)})
      in.push_back(f);
  }
  const std::size_t boundaries = in.size();
  for (float f : {1e6f, -1e6f, INFINITY, 0.0f, 1e-9f}) in.push_back(f);
  simt::Buffer<float> input(in), back(256);
  simt::Buffer<unsigned char> e4m3(in.size()), e5m2(in.size());
  const int n = static_cast<int>(in.size());
  simt::launch((n + 127) / 128, 128, 0, fp8_codes, input.data(), e4m3.data(), e5m2.data(),
               back.data(), n);
  const auto got = e4m3.to_host();
  for (std::size_t i = 0; i < boundaries; ++i) {
    const unsigned code = static_cast<unsigned>(i / 3);
    const unsigned expected = i % 3 == 0 ? code : i % 3 == 2 ? code + 1 : code + code % 2;
    ASSERT_EQ(got[i], std::min(expected, 0x7eu)) << in[i];  // 448 is the largest
  }
  EXPECT_EQ(std::vector<unsigned char>(got.begin() + static_cast<long>(boundaries), got.end()),
            (std::vector<unsigned char>{0x7e, 0xfe, 0x7e, 0, 0}));
  const auto wide = e5m2.to_host();
  EXPECT_EQ(std::vector<unsigned char>(wide.begin() + static_cast<long>(boundaries), wide.end()),
            (std::vector<unsigned char>{0x7b, 0xfb, 0x7b, 0, 0}));
  const auto values = back.to_host();
  for (unsigned code = 0; code < 256; ++code) {
    if ((code & 0x7f) == 0x7f)
      ASSERT_TRUE(std::isnan(values[code]));
    else
      ASSERT_EQ(values[code], value_of(code, 4, 3)) << code;
  }
}

__global__ void bit_intrinsics(const unsigned* in, unsigned* out) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned a = in[3 * i], b = in[3 * i + 1], c = in[3 * i + 2];
  unsigned* at = out + 11 * i;
  at[0] =
      static_cast<unsigned>(__dp4a(static_cast<int>(a), static_cast<int>(b), static_cast<int>(c)));
  at[1] = __dp4a(a, b, c);
  at[2] = __byte_perm(a, b, c & 0xffff);
  at[3] = ptx::lop3<(0xF0 & 0xCC) | 0xAA>(a, b, c);
  at[4] = ptx::lop3<0x96>(a, b, c);
  at[5] = static_cast<unsigned>(__popc(a) * 10000 + __clz(static_cast<int>(b >> (c & 31))) * 100 +
                                __ffs(static_cast<int>(c)));
  at[6] = __vsub4(a, b);
  at[7] = __vadd4(a, b);
  at[8] =
      static_cast<unsigned>(__float2int_rn(static_cast<float>(static_cast<int>(a)) / 1048576.0f));
  at[9] = __funnelshift_r(a, b, c);
  at[10] = ptx::prmt(a, b, c);
}

TEST_F(Bits, AgreeWithTheirDefinitions) {
  const auto in = random_words(3 * 4096, 3);
  simt::Buffer<unsigned> input(in), out(11 * 4096);
  simt::launch(32, 128, 0, bit_intrinsics, input.data(), out.data());
  const auto got = out.to_host();
  for (std::size_t i = 0; i < 4096; ++i) {
    const unsigned a = in[3 * i], b = in[3 * i + 1], c = in[3 * i + 2];
    unsigned dot_s = c, dot_u = c, perm = 0, prmt = 0, sub = 0, add = 0;
    for (int k = 0; k < 4; ++k) {
      const auto byte = [k](unsigned w) { return w >> 8 * k & 0xff; };
      dot_s += static_cast<unsigned>(static_cast<std::int8_t>(byte(a)) *
                                     static_cast<std::int8_t>(byte(b)));
      dot_u += byte(a) * byte(b);
      const unsigned pick = c >> 4 * k & 15;
      const unsigned picked =
          (pick & 7) < 4 ? a >> 8 * (pick & 3) & 0xff : b >> 8 * (pick & 3) & 0xff;
      perm |= picked << 8 * k;
      prmt |= (pick & 8 ? (picked & 0x80 ? 0xffu : 0u) : picked) << 8 * k;
      sub |= ((byte(a) - byte(b)) & 0xff) << 8 * k;
      add |= ((byte(a) + byte(b)) & 0xff) << 8 * k;
    }
    unsigned counts = 0;
    for (int bit = 0; bit < 32; ++bit) counts += (a >> bit & 1) * 10000;
    for (int bit = 31; bit >= 0 && ((b >> (c & 31)) >> bit & 1) == 0; --bit) counts += 100;
    unsigned first = 1;
    while (first <= 32 && (c >> (first - 1) & 1) == 0) ++first;
    counts += first <= 32 ? first : 0;
    const double quotient = static_cast<float>(static_cast<int>(a)) / 1048576.0f;
    const unsigned* at = got.data() + 11 * i;
    const std::vector<unsigned> expected{
        dot_s,
        dot_u,
        perm,
        (a & b) | c,
        a ^ b ^ c,
        counts,
        sub,
        add,
        static_cast<unsigned>(static_cast<int>(std::nearbyint(quotient))),
        (c & 31) == 0 ? a : a >> (c & 31) | b << (32 - (c & 31)),
        prmt};
    ASSERT_EQ(std::vector<unsigned>(at, at + 11), expected) << i;
  }
}

}  // namespace
}  // namespace qlab::test
