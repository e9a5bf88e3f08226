// SPDX-License-Identifier: Apache-2.0
/// \file
/// narrow: eight FP16 values an instruction where the processor has it, one by one elsewhere.
#include "model/narrow.h"

#include <type_traits>

#include "model/elementwise.h"

#if QLAB_X86
#include <immintrin.h>
#endif

namespace qlab {
namespace {

template <class Format>
constexpr const char* kName = "FP16, which ends at 65504";
template <>
constexpr const char* kName<bf16_t> = "BF16";

template <class Format>
void narrow_row(const float* x, Format* out, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) out[i] = from_float<Format>(x[i]);
}

#if QLAB_X86
/// The first multiple of eight values; returns how many.
QLAB_AVX2 std::int64_t narrow_row_avx2(const float* x, half_t* out, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i eight = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), eight);
  }
  return i;
}
#endif

/// Infinity and NaN have all exponent bits set.
template <class Format>
bool is_finite(Format x) {
  constexpr int kExponent = std::is_same_v<Format, half_t> ? 0x7C00 : 0x7F80;
  return (x.bits & kExponent) != kExponent;
}

}  // namespace

template <class Format>
Matrix<Format> narrow(const char* what, MatrixView<const float> x, const Machine& machine) {
  Matrix<Format> out(x.rows(), x.cols());
  for_each_row(x.rows(), machine, [&](std::int64_t r) {
    Format* row = out.view().row(r);
    std::int64_t done = 0;
#if QLAB_X86
    if constexpr (std::is_same_v<Format, half_t>) {
      if (machine.isa >= Isa::kAvx2) done = narrow_row_avx2(x.row(r), row, x.cols());
    }
#endif
    narrow_row(x.row(r), row, done, x.cols());
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      QLAB_CHECK(is_finite(row[c]), what, "[", r, ", ", c, "] = ", x(r, c), " does not fit ",
                 kName<Format>, "; choose a format with a wider range");
    }
  });
  return out;
}

/// \cond
template Matrix<half_t> narrow(const char* what, MatrixView<const float> x, const Machine& machine);
template Matrix<bf16_t> narrow(const char* what, MatrixView<const float> x, const Machine& machine);
/// \endcond

}  // namespace qlab
