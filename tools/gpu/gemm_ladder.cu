// SPDX-License-Identifier: Apache-2.0
/// \file
/// The problems of gemm_cuda: layers of 7B and 70B models in FP16 and BF16, beside cuBLASLt.
#include <memory>
#include <type_traits>
#include <vector>

#include "01_fp16_baseline/gemm_cuda.h"
#include "gpu/ladder.h"
#include "gpu/operands.h"
#include "gpu/product_checks.h"
#if defined(QLAB_CUBLAS)
#include "gpu/cublas_lt.h"
#endif

namespace qlab::gpu {
namespace {

template <class T>
struct Product {
  int M, N, K;
  std::size_t copies;
  simt::Buffer<T> x, w, y;  // [M, K], [copies, N, K], [M, N]
  PlainRead plain;
#if defined(QLAB_CUBLAS)
  std::unique_ptr<LtProduct> peer;
#endif

  Product(int m, int n, int k)
      : M(m),
        N(n),
        K(k),
        copies(copies_of(2 * static_cast<std::size_t>(n) * static_cast<std::size_t>(k))),
        x(static_cast<std::size_t>(m) * static_cast<std::size_t>(k)),
        w(copies * static_cast<std::size_t>(n) * static_cast<std::size_t>(k)),
        y(static_cast<std::size_t>(m) * static_cast<std::size_t>(n)) {
    fill_uniform(x.data(), x.size(), 1);
    fill_uniform(w.data(), w.size(), 2);
#if defined(QLAB_CUBLAS)
    peer = std::make_unique<LtProduct>(std::is_same_v<T, half> ? kLtFp16 : kLtBf16, M, N, K);
    peer->choose(x.data(), [this](std::size_t call) { return weights(call % copies); }, y.data(),
                 {});
#endif
  }
  const T* weights(std::size_t copy) const {
    return w.data() + copy * static_cast<std::size_t>(N) * static_cast<std::size_t>(K);
  }
  bool right(std::size_t copy) const {
    return gemm_right(x.data(), weights(copy), y.data(), M, N, K);
  }
};

template <class T>
Problem problem(const char* name, int M, int N, int K) {
  const auto p = std::make_shared<Product<T>>(M, N, K);
  Problem result;
  result.operation = name;
  result.shape = shape_text(M, N, K);
  result.cost = gemm_cuda_cost(M, N, K);
  result.products = name;
  result.copies = p->copies;
  result.memory = p;
  const auto add = [&result, p](std::string_view contender, bool ours,
                                std::function<void(std::size_t, Stream)> run) {
    result.contenders.push_back({std::string(contender), ours, std::move(run),
                                 [p](std::size_t, Stream stream) { poison_nan(p->y, stream); },
                                 [p](std::size_t copy) { return p->right(copy); }});
  };
  for (const auto& rung : kGemmCudaRungs<T>) {
    if (!rung.runs_on(capability()) || M > rung.most_tokens) continue;
    const double flops = 2.0 * M * N * K;  // what takes hundreds of milliseconds is not waited for
    if (rung.name == "v1_naive" && flops > 3e10) continue;
    if (rung.name == "v2_tiles" && flops > 3e11) continue;
    GemmCuda<T>* const run = rung.run;
    add(rung.name, true, [p, run](std::size_t copy, Stream stream) {
      run(p->x.data(), p->weights(copy), p->y.data(), p->M, p->N, p->K, stream);
    });
  }
#if defined(QLAB_CUBLAS)
  if (p->peer->exists()) {
    add("cuBLASLt", false, [p](std::size_t copy, Stream stream) {
      p->peer->run(p->x.data(), p->weights(copy), p->y.data(), stream);
    });
  }
#endif
  if (M <= kReadTokens) {
    const auto read = [p](std::size_t copy, Stream stream) {
      const std::size_t elements = static_cast<std::size_t>(p->N) * static_cast<std::size_t>(p->K);
      p->plain.enqueue_read(p->weights(copy), elements * sizeof(T), stream);
    };
    result.contenders.push_back({"read", false, read, nullptr, nullptr});
  }
  return result;
}

template <class T>
void add(Ladder& ladder, const char* name, int M, int N, int K) {
  const auto make = [name, M, N, K]() { return problem<T>(name, M, N, K); };
  ladder.entries.push_back({std::string(name) + ", " + shape_text(M, N, K), make});
}

}  // namespace

Ladder gemm_ladder() {
  Ladder ladder;
  ladder.operation = "gemm";
  struct Layer {
    int N, K;
  };
  for (const Layer layer : {Layer{4096, 4096}, Layer{11008, 4096}, Layer{28672, 8192}}) {
    for (const int M : {1, 8, 16, 32, 64, 256, 512, 1024, 4096}) {
      add<__nv_bfloat16>(ladder, "bf16_gemm", M, layer.N, layer.K);
    }
  }
  add<__nv_bfloat16>(ladder, "bf16_gemm", 8192, 8192, 8192);
  add<half>(ladder, "fp16_gemm", 4096, 4096, 4096);
  return ladder;
}

}  // namespace qlab::gpu
