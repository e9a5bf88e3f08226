// SPDX-License-Identifier: Apache-2.0
/// \file
/// The golden cache of kivi: golden/kivi.txt, which golden/gen_kivi.py writes.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "04_kv_cache/kivi_checks.h"

namespace qlab::test {

struct KiviGolden {
  struct Coded {
    int bits;
    KiviPair expected;            // codes, scales, minima, windows
    Matrix<double> keys, values;  // [T, D] as read
    double error_per_channel, error_per_token;
  };
  Matrix<float> K, V;  // [T, D]
  std::vector<Coded> coded;
};

/// A file that is missing or torn is an error, never an empty test.
inline KiviGolden read_kivi_golden() {
  const std::string path = QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/kivi.txt";
  std::ifstream file(path);
  std::string comment;
  std::int64_t T = 0, D = 0, group = 0, window = 0;
  std::getline(file, comment);
  file >> T >> D >> group >> window;
  const auto next = [&](auto value) {
    file >> value;
    QLAB_CHECK(bool{file}, path, ": cannot be read to its end");
    return value;
  };
  KiviGolden golden{.K = Matrix<float>(T, D), .V = Matrix<float>(T, D), .coded = {}};
  const auto fill_with = [&](auto&& x, std::int64_t r, std::int64_t columns) {
    for (std::int64_t c = 0; c < columns; ++c) x(r, c, next(0.0));
  };
  for (Matrix<float>* const x : {&golden.K, &golden.V}) {
    for (std::int64_t t = 0; t < T; ++t) {
      fill_with([=](auto r, auto c, double v) { (*x)(r, c) = static_cast<float>(v); }, t, D);
    }
  }
  const auto half = [](Matrix<half_t>& x) {
    return [&x](auto r, auto c, double v) { x(r, c) = {static_cast<std::uint16_t>(v)}; };
  };
  for (const int bits : {2, 4}) {
    QLAB_CHECK(next(0) == bits, path, ": expected a case of ", bits, " bits");
    const KiviShape s = {
        .head_dim = D, .capacity = T, .group = group, .window = window, .bits = bits};
    KiviGolden::Coded coded{.bits = bits,
                            .expected = KiviPair(s),
                            .keys = Matrix<double>(T, D),
                            .values = Matrix<double>(T, D),
                            .error_per_channel = 0,
                            .error_per_token = 0};
    KiviCache& cache = coded.expected.one;
    cache.length = T;
    const auto code = [bits](KiviTensor& x) {
      return [&x, bits](auto r, auto c, double v) {
        kivi_set_code(x.codes.view().row(r), bits, c, static_cast<std::uint8_t>(v));
      };
    };
    for (std::int64_t t = 0; t < cache.coded_keys(); ++t) fill_with(code(cache.k), t, D);
    for (std::int64_t b = 0; b < cache.coded_keys() / group; ++b) {
      fill_with(half(cache.k.scale), b, D);
      fill_with(half(cache.k.min), b, D);
    }
    for (std::int64_t t = 0; t < cache.coded_values(); ++t) {
      fill_with(code(cache.v), t, D);
      fill_with(half(cache.v.scale), t, D / group);
      fill_with(half(cache.v.min), t, D / group);
    }
    for (Matrix<double>* const x : {&coded.keys, &coded.values}) {
      for (std::int64_t t = 0; t < T; ++t) {
        fill_with([=](auto r, auto c, double v) { (*x)(r, c) = v; }, t, D);
      }
    }
    coded.error_per_channel = next(0.0);
    coded.error_per_token = next(0.0);
    // What the file gives overwrites the poison; the other copy needs it over the other poison.
    KiviCache& other = coded.expected.two;
    other.length = T;
    const auto finish = [&](KiviTensor& one, KiviTensor& two, MatrixView<const float> x,
                            std::int64_t tokens, std::int64_t rows) {
      for (std::int64_t t = 0; t < T; ++t) {
        for (std::int64_t d = 0; d < D; ++d) {
          if (t < tokens) {
            kivi_set_code(two.codes.view().row(t), bits, d,
                          kivi_code(one.codes.view().row(t), bits, d));
          } else {
            one.window(t % window, d) = two.window(t % window, d) = from_float<half_t>(x(t, d));
          }
        }
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < one.scale.cols(); ++c) {
          two.scale(r, c) = one.scale(r, c);
          two.min(r, c) = one.min(r, c);
        }
      }
    };
    finish(cache.k, other.k, golden.K.view(), cache.coded_keys(), cache.coded_keys() / group);
    finish(cache.v, other.v, golden.V.view(), cache.coded_values(), cache.coded_values());
    golden.coded.push_back(coded);
  }
  return golden;
}

}  // namespace qlab::test
