// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is timed of w4a16_gemm_cuda: all rungs, groups of 128, beside a plain read of the weights and,
/// where it was found, cuBLAS with the same weights in FP16.
#include <cmath>
#include <cstdint>
#include <utility>

#include "03_int4_weight_only/w4a16_cuda_operands.h"
#include "common/random.h"
#include "gpu/ladder.h"
#include "gpu/operands.h"
#if defined(QLAB_CUBLAS)
#include "support/fp16_cublas.h"
#endif

namespace qlab::gpu {
namespace {

constexpr int kGroupSize = 128;
constexpr int kSamples = 256;

/// The weights in FP16, for cuBLAS.
[[maybe_unused]] __global__ void dequantize(Int4DeviceWeights W, int K, std::size_t count,
                                            half* out) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x, columns = K;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const std::size_t group = i / columns * (columns / W.group_size) + i % columns / W.group_size;
    const int code = W.qweight[i / 2] >> (i % 2 * 4) & 0xF;
    out[i] =
        __float2half(__half2float(W.scale[group]) * static_cast<float>(code - W.zero_point[group]));
  }
}

struct Sample {
  std::size_t at;           // in Y
  double value, magnitude;  // Σ x·w and Σ |x||w|
  double scales, tokens;    // Σ scale and Σ |x| over k
};

/// What is rounded to FP16 before Y is.
enum class Rounds { kNothing, kSums, kWeights };

test::W4A16HostWeights random_weights(int N, int K) {
  Random random(2);
  const std::size_t groups = static_cast<std::size_t>(N) * (K / kGroupSize);
  test::W4A16HostWeights w{N,
                           K,
                           kGroupSize,
                           std::vector<std::uint8_t>(static_cast<std::size_t>(N) * (K / 2)),
                           std::vector<half>(groups),
                           std::vector<std::uint8_t>(groups)};
  for (std::uint8_t& b : w.qweight) b = static_cast<std::uint8_t>(random.below(256));
  for (std::uint8_t& z : w.zero_point) z = static_cast<std::uint8_t>(random.below(16));
  for (half& s : w.scale) s = __float2half(static_cast<float>(random.uniform(0.001, 0.01)));
  return w;
}

std::vector<half> random_tokens(int M, int K) {
  Random random(1);
  std::vector<half> x(static_cast<std::size_t>(M) * K);
  for (half& v : x) v = __float2half(static_cast<float>(random.uniform(-1, 1)));
  return x;
}

/// All that the contenders of one problem use. Y has as many copies as the weights.
class Operands {
 public:
  Operands(int M, int N, int K)
      : M_(M),
        N_(N),
        K_(K),
        cost_(w4a16_gemm_cuda_cost(M, N, K, kGroupSize)),
        copies_(copies_of(weight_bytes())),
        scratch_(N, 2 * multiprocessors())  // as many blocks as run at a time
  {
    const test::W4A16HostWeights w = random_weights(N, K);
    const std::vector<half> x = random_tokens(M, K);
    take_samples(x, w);
    X_.emplace_back(x);
    const test::W4A16PackedWeights packed(w);
    for (std::size_t copy = 0; copy < copies_; ++copy) {
      weights_.emplace_back(w, packed);
      read_.emplace_back(std::vector<uint4>(weight_bytes() / 16));
      Y_.emplace_back(static_cast<std::size_t>(M) * N);
    }
#if defined(QLAB_CUBLAS)
    const std::size_t count = static_cast<std::size_t>(N) * K;
    const std::size_t fp16_copies = copies_of(count * sizeof(half));
    for (std::size_t copy = 0; copy < fp16_copies; ++copy) {
      fp16_.emplace_back(count);
      simt::launch(4096, 256, 0, dequantize, weights_[0].with(scratch_).rows, K, count,
                   fp16_.back().data());
    }
    test::check(cublasCreate(&cublas_), "cuBLAS");
    test::check(cublasSetWorkspace(cublas_, workspace_.data(), workspace_.size()), "cuBLAS");
#endif
  }
#if defined(QLAB_CUBLAS)
  ~Operands() { cublasDestroy(cublas_); }
#endif
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  const Cost& cost() const { return cost_; }
  std::size_t copies() const { return copies_; }

  void run(W4A16Cuda* rung, std::size_t copy, Stream stream) {
    rung(weights_[copy].with(scratch_), X_[0].data(), Y_[copy].data(), M_, N_, K_, stream);
  }
  void read(std::size_t copy, Stream stream) {
    plain_.enqueue_read(read_[copy].data(), read_[copy].size() * sizeof(uint4), stream);
  }
#if defined(QLAB_CUBLAS)
  void run_cublas(std::size_t copy, Stream stream) {
    const float one = 1, zero = 0;
    test::check(cublasSetStream(cublas_, stream), "cuBLAS");
    // A new stream brings cuBLAS's own workspace back.
    test::check(cublasSetWorkspace(cublas_, workspace_.data(), workspace_.size()), "cuBLAS");
    test::check(cublasGemmEx(cublas_, CUBLAS_OP_T, CUBLAS_OP_N, N_, M_, K_, &one,
                             fp16_[copy % fp16_.size()].data(), CUDA_R_16F, K_, X_[0].data(),
                             CUDA_R_16F, K_, &zero, Y_[copy].data(), CUDA_R_16F, N_,
                             CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
                "cuBLAS");
  }
#endif
  void poison(std::size_t copy, Stream stream) {
    simt::check(cudaMemsetAsync(Y_[copy].data(), 0xFF, Y_[copy].size() * sizeof(half), stream),
                "poison");
  }
  /// Within the bounds of w4a16_gemm_cuda.h.
  bool right(std::size_t copy, Rounds rounds) const {
    const std::vector<half> y = Y_[copy].to_host();
    for (const Sample& s : samples_) {
      double allowed = w4a16_gemm_cuda_error(K_, kGroupSize) * s.magnitude;
      if (rounds == Rounds::kSums) allowed += kW4A16Fp16Error * s.magnitude + s.scales * 0x1p-25;
      if (rounds == Rounds::kWeights) {
        const double weights = kW4A16RoundedWeight * s.magnitude + kW4A16SubnormalWeight * s.tokens;
        allowed = weights + w4a16_gemm_cuda_prefill_error(K_) * (s.magnitude + weights);
      }
      allowed += 0x1p-11 * (std::fabs(s.value) + allowed) + 0x1p-25;
      if (!(std::fabs(double{__half2float(y[s.at])} - s.value) <= allowed)) return false;
    }
    for (const half v : y) {
      if (!std::isfinite(__half2float(v))) return false;
    }
    return true;
  }

 private:
  std::size_t weight_bytes() const {
    const std::size_t weights = static_cast<std::size_t>(N_) * K_;
    return weights / 2 + 3 * weights / kGroupSize;
  }
  /// The first and the last element, then any.
  void take_samples(const std::vector<half>& x, const test::W4A16HostWeights& w) {
    Random random(3);
    for (int i = 0; i < kSamples; ++i) {
      const int m = i == 0 ? 0 : i == 1 ? M_ - 1 : static_cast<int>(random.below(M_));
      const int n = i == 0 ? 0 : i == 1 ? N_ - 1 : static_cast<int>(random.below(N_));
      Sample s{.at = static_cast<std::size_t>(m) * N_ + n,
               .value = 0,
               .magnitude = 0,
               .scales = 0,
               .tokens = 0};
      for (int k = 0; k < K_; ++k) {
        const half value = x[static_cast<std::size_t>(m) * K_ + k];
        const double product = double{__half2float(value)} * w.weight(n, k);
        s.value += product;
        s.magnitude += std::fabs(product);
        s.scales += w.scale_of(n, k);
        s.tokens += std::fabs(double{__half2float(value)});
      }
      samples_.push_back(s);
    }
  }

  int M_, N_, K_;
  Cost cost_;
  std::size_t copies_;
  std::vector<Sample> samples_;
  std::vector<test::W4A16DeviceWeights> weights_;
  std::vector<simt::Buffer<uint4>> read_;
  std::vector<simt::Buffer<half>> X_, Y_;
  test::W4A16Scratch scratch_;
  PlainRead plain_;
#if defined(QLAB_CUBLAS)
  std::vector<simt::Buffer<half>> fp16_;
  simt::Buffer<unsigned char> workspace_{std::size_t{32} << 20};
  cublasHandle_t cublas_ = nullptr;
#endif
};

Problem problem(int M, int N, int K) {
  const auto memory = std::make_shared<Operands>(M, N, K);
  std::vector<Contender> contenders;
  const auto add = [&](std::string name, bool ours, Rounds rounds, auto run) {
    contenders.push_back(
        {.name = std::move(name),
         .ours = ours,
         .run = run,
         .poison = [p = memory.get()](std::size_t copy, Stream s) { p->poison(copy, s); },
         .right = [p = memory.get(), rounds](std::size_t copy) { return p->right(copy, rounds); }});
  };
  const auto add_rung = [&](const CudaRung<W4A16Cuda>& rung) {
    const Rounds rounds = rung.run == w4a16_gemm_cuda_v3_bits  ? Rounds::kSums
                          : rung.most_tokens > kW4A16MaxTokens ? Rounds::kWeights
                                                               : Rounds::kNothing;
    add(std::string(rung.name), true, rounds,
        [p = memory.get(), run = rung.run](std::size_t copy, Stream s) { p->run(run, copy, s); });
  };
  for (const auto& rung : kW4A16CudaRungs) {
    if (rung.runs_on(capability()) && M <= rung.most_tokens) add_rung(rung);
  }
#if defined(QLAB_CUBLAS)
  add("cuBLAS fp16", false, Rounds::kWeights,
      [p = memory.get()](std::size_t copy, Stream s) { p->run_cublas(copy, s); });
#endif
  contenders.push_back({.name = "read",
                        .ours = false,
                        .run = [p = memory.get()](std::size_t copy, Stream s) { p->read(copy, s); },
                        .poison = [](std::size_t, Stream) {},
                        .right = nullptr});

  return {.operation = "w4a16_gemm",
          .shape = shape_text(M, N, K),
          .cost = memory->cost(),
          .products = "fp16",
          .copies = memory->copies(),
          .contenders = std::move(contenders),
          .memory = memory};
}

}  // namespace

Ladder w4a16_ladder() {
  Ladder ladder;
  ladder.operation = "w4a16_gemm";
  struct Layer {
    int N, K;
  };
  for (const Layer layer : {Layer{4096, 4096}, Layer{11008, 4096}, Layer{28672, 8192}}) {
    for (const int M : {1, 2, 8, 16, 32, 64, 256, 1024, 4096}) {
      ladder.entries.push_back({"w4a16_gemm, " + shape_text(M, layer.N, layer.K),
                                [M, layer]() { return problem(M, layer.N, layer.K); }});
    }
  }
  return ladder;
}

}  // namespace qlab::gpu
