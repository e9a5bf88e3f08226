// SPDX-License-Identifier: Apache-2.0
/// \file
/// The linear layers of the table: FP16, INT8 with its activations quantized in the call, INT4 in
/// groups of 128, and cuBLASLt's FP16 beside them.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "01_fp16_baseline/gemm_cuda.h"
#include "02_int8_calibration/quantize_rows_cuda.h"
#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "gpu/compare.h"
#include "gpu/operands.h"
#include "gpu/product_checks.h"
#include "gpu/w4a16_samples.h"
#if defined(QLAB_CUBLAS)
#include "gpu/cublas_lt.h"
#endif

namespace qlab::gpu {
namespace {

constexpr int kSamples = 64;
constexpr int kHotFrom = 256;  // tokens

__global__ void codes_kernel(std::int8_t* out, std::size_t count, std::uint32_t seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    out[i] = static_cast<std::int8_t>(scattered(i, seed));
  }
}

std::vector<half> random_tokens(int M, int K) {
  Random random(1);
  std::vector<half> x(area(M, K));
  for (half& v : x) v = __float2half(static_cast<float>(random.uniform(-1, 1)));
  return x;
}

/// Weights [N, K] in every format, each in so many copies that no L2 holds them, and tokens.
class Layer {
 public:
  Layer(int N, int K, int most_tokens)
      : N_(N),
        K_(K),
        host_x_(random_tokens(most_tokens, K)),
        x_(host_x_),
        codes_(area(most_tokens, K)),
        scale_(static_cast<std::size_t>(most_tokens)),
        y_(area(most_tokens, N)),
        y8_(area(most_tokens, N)),
        w16_(copies_of(2 * area(N, K)) * area(N, K)),
        w8_(copies_of(area(N, K)) * area(N, K)),
        w8_scale_(static_cast<std::size_t>(N)),
        host_w4_(random_int4_weights(N, K)),
        scratch_(N, 2 * multiprocessors()) {
    fill_uniform(w16_.data(), w16_.size(), 2);
    simt::launch(4096, 256, 0, codes_kernel, w8_.data(), w8_.size(), 3U);
    fill_uniform(w8_scale_.data(), w8_scale_.size(), 4);
    const test::W4A16PackedWeights packed(host_w4_);
    const std::size_t copies = copies_of(area(N, K) / 2 + 3 * area(N, K) / kGroupSize);
    for (std::size_t copy = 0; copy < copies; ++copy) w4_.emplace_back(host_w4_, packed);
  }

  /// FP16, FP16 again, INT8, INT4, for one token the first rungs too, the peer.
  CompareProblem at(const std::string& name, int M, Stream stream) {
    samples_.emplace(host_x_, host_w4_, M, kSamples);
    CompareProblem problem{.operation = name + " " + std::to_string(N_) + "×" + std::to_string(K_) +
                                        ", M = " + std::to_string(M),
                           .hot = M >= kHotFrom,
                           .candidates = {}};
    auto& all = problem.candidates;
    const Cost fp16 = gemm_cuda_cost(M, N_, K_), int8 = w8a8_gemm_cuda_cost(M, N_, K_);
    const Cost int4 = w4a16_gemm_cuda_cost(M, N_, K_, kGroupSize);
    const std::size_t copies16 = w16_.size() / area(N_, K_), copies8 = w8_.size() / area(N_, K_);
    std::vector<Contender> rungs16 = fp16_rungs(M), rungs8 = int8_rungs(M), rungs4 = int4_rungs(M);
    // The first rung of a ladder is what "on scalar" is on the CPU; it takes no part in the trial.
    const auto without_first = [](std::vector<Contender>& rungs) {
      const Contender first = rungs.front();
      rungs.erase(rungs.begin());
      return first;
    };
    without_first(rungs16);
    const Contender scalar8 = without_first(rungs8);
    all.push_back(fastest("fp16", fp16, copies16, rungs16, stream));
    all.push_back(all[0]);
    all.back().name = "fp16 again";
    all.push_back(fastest("int8", int8, copies8, rungs8, stream));
    if (M > 1) {
      all.push_back(fastest("int4_g128", int4, w4_.size(), rungs4, stream));
    } else {
      const Contender scalar4 = without_first(rungs4);
      all.push_back(fastest("int4_g128", int4, w4_.size(), rungs4, stream));
      all.push_back({"int8 on scalar", int8, copies8, scalar8});
      all.push_back({"int4_g128 on scalar", int4, w4_.size(), scalar4});
    }
    add_peer(M, fp16, copies16, all);
    return problem;
  }

 private:
  using Run = std::function<void(std::size_t, Stream)>;

  /// A contender whose output is `y_`, or of INT8 `y8_`; all of these are NaN before a check.
  Contender contender(std::string_view rung, bool ours, Run run,
                      std::function<bool(std::size_t)> right) {
    return {.name = std::string(rung),
            .ours = ours,
            .run = std::move(run),
            .poison =
                [this](std::size_t, Stream stream) {
                  poison_nan(y_, stream);
                  poison_nan(y8_, stream);
                  poison_nan(codes_, stream);
                  poison_nan(scale_, stream);
                },
            .right = std::move(right)};
  }

  std::vector<Contender> fp16_rungs(int M) {
    std::vector<Contender> rungs;
    for (const auto& rung : kGemmCudaRungs<half>) {
      if (!rung.runs_on(capability()) || M > rung.most_tokens) continue;
      rungs.push_back(contender(
          rung.name, true,
          [this, M, run = rung.run](std::size_t copy, Stream stream) {
            run(x_.data(), w16(copy), y_.data(), M, N_, K_, stream);
          },
          [this, M](std::size_t copy) {
            return gemm_right(x_.data(), w16(copy), y_.data(), M, N_, K_);
          }));
    }
    return rungs;
  }

  std::vector<Contender> int8_rungs(int M) {
    std::vector<Contender> rungs;
    for (const auto& rung : kW8A8GemmCudaRungs) {
      if (!rung.runs_on(capability()) || M > rung.most_tokens) continue;
      rungs.push_back(contender(
          rung.name, true,
          [this, M, run = rung.run](std::size_t copy, Stream stream) {
            quantize_rows_cuda(x_.data(), codes_.data(), scale_.data(), M, K_, stream);
            run(int8(copy, M), stream);
          },
          [this, M](std::size_t copy) {
            return codes_right(0) && codes_right(M - 1) && w8a8_right(int8(copy, M));
          }));
    }
    return rungs;
  }

  /// A rung that takes fewer tokens in a call is called for so many at a time; those of one token
  /// are for one.
  std::vector<Contender> int4_rungs(int M) {
    std::vector<Contender> rungs;
    for (const auto& rung : kW4A16CudaRungs) {
      if (!rung.runs_on(capability()) || (M > 1 && rung.most_tokens == 1)) continue;
      if (rounds_of(rung) == W4A16Rounds::kSums) continue;  // all others sum in FP32, as FP16 does
      rungs.push_back(contender(
          rung.name, true,
          [this, M, rung](std::size_t copy, Stream stream) {
            const int at_a_time = std::min(rung.most_tokens, M);
            for (int m = 0; m < M; m += at_a_time) {
              rung.run(w4_[copy].with(scratch_), x_.data() + area(m, K_), y_.data() + area(m, N_),
                       std::min(at_a_time, M - m), N_, K_, stream);
            }
          },
          [this, M, rung](std::size_t) {
            return samples_->right(device_part(y_.data(), 0, M * N_), rounds_of(rung));
          }));
    }
    return rungs;
  }

#if defined(QLAB_CUBLAS)
  void add_peer(int M, const Cost& cost, std::size_t copies, std::vector<CompareCandidate>& all) {
    const auto peer = std::make_shared<LtProduct>(kLtFp16, M, N_, K_);
    if (!peer->exists()) return;
    peer->choose(x_.data(), [&](std::size_t call) { return w16(call % copies); }, y_.data(), {});
    all.push_back({"cuBLASLt fp16", cost, copies,
                   contender(
                       "cuBLASLt", false,
                       [this, peer](std::size_t copy, Stream stream) {
                         peer->run(x_.data(), w16(copy), y_.data(), stream);
                       },
                       [this, M](std::size_t copy) {
                         return gemm_right(x_.data(), w16(copy), y_.data(), M, N_, K_);
                       })});
  }
#else
  void add_peer(int, const Cost&, std::size_t, std::vector<CompareCandidate>&) {}
#endif

  const half* w16(std::size_t copy) const { return w16_.data() + copy * area(N_, K_); }
  W8A8Cuda int8(std::size_t copy, int M) {
    return {codes_.data(),
            scale_.data(),
            w8_.data() + copy * area(N_, K_),
            w8_scale_.data(),
            y8_.data(),
            M,
            N_,
            K_};
  }
  /// Codes of a token and their scale are those of the largest magnitude in it.
  bool codes_right(int m) const {
    const auto codes = device_part(codes_.data(), area(m, K_), K_);
    const float scale = device_part(scale_.data(), static_cast<std::size_t>(m), 1)[0];
    float largest = 0;
    const half* const x = host_x_.data() + area(m, K_);
    for (int k = 0; k < K_; ++k) largest = std::max(largest, std::fabs(__half2float(x[k])));
    if (scale != largest / 127) return false;
    for (int k = 0; k < K_; ++k) {
      const float nearest = std::nearbyint(__half2float(x[k]) / scale);
      if (static_cast<float>(codes[static_cast<std::size_t>(k)]) != nearest) return false;
    }
    return true;
  }

  int N_, K_;
  std::vector<half> host_x_;         // [most_tokens, K]
  simt::Buffer<half> x_;             // the same
  simt::Buffer<std::int8_t> codes_;  // [most_tokens, K]
  simt::Buffer<float> scale_;        // [most_tokens]
  simt::Buffer<half> y_;             // [most_tokens, N]
  simt::Buffer<__nv_bfloat16> y8_;   // [most_tokens, N]
  simt::Buffer<half> w16_;           // [copies, N, K]
  simt::Buffer<std::int8_t> w8_;     // [copies, N, K]
  simt::Buffer<float> w8_scale_;     // [N]
  test::W4A16HostWeights host_w4_;
  std::vector<test::W4A16DeviceWeights> w4_;  // [copies]
  test::W4A16Scratch scratch_;
  std::optional<W4A16Samples> samples_;  // of the problem that was made last
};

void compare_layer(const std::string& name, int N, int K, const std::vector<int>& tokens,
                   Stream stream, const TimeProblem& time) {
  Layer layer(N, K, tokens.back());
  for (const int M : tokens) time(layer.at(name, M, stream));
}

}  // namespace

void compare_layers(bool quick, Stream stream, const TimeProblem& time) {
  // The layers and tokens of speed_plan() in tools/lab/speed.cc, which judges them.
  const std::vector<int> few{1, 4, 16, 256}, all{1, 2, 4, 8, 16, 64, 256};
  compare_layer("attention projection", 4096, 4096, quick ? few : all, stream, time);
  if (!quick) compare_layer("MLP projection", 11008, 4096, {1, 16, 256}, stream, time);
}

}  // namespace qlab::gpu
