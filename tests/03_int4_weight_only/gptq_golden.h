// SPDX-License-Identifier: Apache-2.0
/// \file
/// GptqGolden: weights, inputs and what GPTQ made of them elsewhere (golden/gptq.txt).
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/gptq.h"
#include "common/contract.h"
#include "common/matrix.h"

namespace qlab::test {

struct GptqGolden {
  struct Expected {
    bool fp16_scales;
    GptqOptions options;
    double squared_error;
    Matrix<double> code, scale, zero_point;  // [N, K], [N, groups], [N, groups]
    std::vector<std::int64_t> group;         // [K]
    std::string name() const {
      return "groups of " + std::to_string(options.group_size) +
             (options.act_order ? ", act-order" : "") +
             (options.static_groups ? ", static groups" : ", live groups");
    }
  };

  GptqGolden() {
    std::ifstream file(QLAB_SOURCE_DIR "/tests/03_int4_weight_only/golden/gptq.txt");
    std::string comment;
    std::int64_t N = 0, K = 0, T = 0, count = 0;
    std::getline(file, comment);
    file >> N >> K >> T >> count;
    const auto read = [&file](std::int64_t rows, std::int64_t cols) {
      Matrix<double> matrix(rows, cols);
      for (std::int64_t i = 0; i < rows * cols; ++i) file >> matrix.data()[i];
      return matrix;
    };
    W = read(N, K);
    X = read(T, K);
    H = read(K, K);
    U = read(K, K);
    for (std::int64_t c = 0; c < count; ++c) {
      Expected e{};
      GptqOptions& options = e.options;
      file >> e.fp16_scales >> options.group_size >> options.act_order >> options.static_groups >>
          e.squared_error;
      e.code = read(N, K);
      e.scale = read(N, K / options.group_size);
      e.zero_point = read(N, K / options.group_size);
      e.group.resize(K);
      for (std::int64_t& group : e.group) file >> group;
      cases.push_back(std::move(e));
    }
    QLAB_CHECK(file && count == 10, "gptq.txt ends early");
  }

  Matrix<double> W, X, H, U;  // [N, K], [T, K], [K, K], [K, K]; W and X are floats
  std::vector<Expected> cases;
};

}  // namespace qlab::test
