// SPDX-License-Identifier: Apache-2.0
/// \file
/// The problems of w8a8_gemm_cuda, beside cuBLASLt: INT8 with 32-bit sums, whose scales would cost a
/// second kernel, and BF16.
#include <memory>
#include <vector>

#include "02_int8_calibration/w8a8_gemm_cuda.h"
#include "gpu/ladder.h"
#include "gpu/operands.h"
#include "gpu/product_checks.h"
#if defined(QLAB_CUBLAS)
#include "gpu/cublas_lt.h"
#endif

namespace qlab::gpu {
namespace {

__global__ void codes_kernel(std::int8_t* out, std::size_t count, std::uint32_t seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    out[i] = static_cast<std::int8_t>(scattered(i, seed));
  }
}

struct Product {
  int M, N, K;
  std::size_t copies;
  simt::Buffer<std::int8_t> x, w;  // [M, K], [copies, N, K]
  simt::Buffer<float> x_scale, w_scale;
  simt::Buffer<__nv_bfloat16> y;
  PlainRead plain;
#if defined(QLAB_CUBLAS)
  simt::Buffer<std::int32_t> sums;
  simt::Buffer<__nv_bfloat16> wide_x, wide_w;
  std::unique_ptr<LtProduct> int8, bf16;
#endif

  Product(int m, int n, int k)
      : M(m),
        N(n),
        K(k),
        copies(copies_of(area(n, k))),
        x(area(m, k)),
        w(copies * area(n, k)),
        x_scale(static_cast<std::size_t>(m)),
        w_scale(static_cast<std::size_t>(n)),
        y(area(m, n))
#if defined(QLAB_CUBLAS)
        ,
        sums(area(m, n)),
        wide_x(area(m, k)),
        wide_w(copies * area(n, k))
#endif
  {
    simt::launch(4096, 256, 0, codes_kernel, x.data(), x.size(), 1U);
    simt::launch(4096, 256, 0, codes_kernel, w.data(), w.size(), 2U);
    fill_uniform(x_scale.data(), x_scale.size(), 3);
    fill_uniform(w_scale.data(), w_scale.size(), 4);
#if defined(QLAB_CUBLAS)
    fill_uniform(wide_x.data(), wide_x.size(), 5);
    fill_uniform(wide_w.data(), wide_w.size(), 6);
    int8 = std::make_unique<LtProduct>(kLtInt8, M, N, K);
    int8->choose(x.data(), [this](std::size_t call) { return view(call % copies).w; }, sums.data(),
                 {});
    bf16 = std::make_unique<LtProduct>(kLtBf16, M, N, K);
    bf16->choose(wide_x.data(), [this](std::size_t call) { return wide_weights(call % copies); },
                 y.data(), {});
#endif
  }
#if defined(QLAB_CUBLAS)
  const __nv_bfloat16* wide_weights(std::size_t copy) const {
    return wide_w.data() + copy * area(N, K);
  }
#endif
  W8A8Cuda view(std::size_t copy) {
    return {x.data(), x_scale.data(), w.data() + copy * area(N, K), w_scale.data(), y.data(), M, N,
            K};
  }
  bool right(std::size_t copy) { return w8a8_right(view(copy)); }
};

Problem problem(int M, int N, int K) {
  const auto p = std::make_shared<Product>(M, N, K);
  Problem result;
  result.operation = "w8a8_gemm";
  result.shape = shape_text(M, N, K);
  result.cost = w8a8_gemm_cuda_cost(M, N, K);
  result.products = "int8";
  result.copies = p->copies;
  result.memory = p;
  for (const auto& rung : kW8A8GemmCudaRungs) {
    if (!rung.runs_on(capability()) || M > rung.most_tokens) continue;
    if (rung.name == "v1_naive" && 2.0 * M * N * K > 3e10) continue;  // hundreds of milliseconds
    W8A8GemmCuda* const run = rung.run;
    result.contenders.push_back(
        {std::string(rung.name), true,
         [p, run](std::size_t copy, Stream stream) { run(p->view(copy), stream); },
         [p](std::size_t, Stream stream) { poison_nan(p->y, stream); },
         [p](std::size_t copy) { return p->right(copy); }});
  }
  const auto add_other = [&result](const char* name, auto run) {
    result.contenders.push_back({name, false, run, nullptr, nullptr});
  };
#if defined(QLAB_CUBLAS)
  if (p->int8->exists()) {
    add_other("cuBLASLt int8", [p](std::size_t copy, Stream stream) {
      p->int8->run(p->x.data(), p->view(copy).w, p->sums.data(), stream);
    });
  }
  if (p->bf16->exists()) {
    add_other("cuBLASLt bf16", [p](std::size_t copy, Stream stream) {
      p->bf16->run(p->wide_x.data(), p->wide_weights(copy), p->y.data(), stream);
    });
  }
#endif
  if (M <= kReadTokens) {
    add_other("read", [p](std::size_t copy, Stream stream) {
      p->plain.enqueue_read(p->view(copy).w, area(p->N, p->K), stream);
    });
  }
  return result;
}

}  // namespace

Ladder w8a8_ladder() {
  Ladder ladder;
  ladder.operation = "w8a8_gemm";
  struct Layer {
    int N, K;
  };
  const auto add = [&ladder](int M, int N, int K) {
    ladder.entries.push_back(
        {"w8a8_gemm, " + shape_text(M, N, K), [M, N, K]() { return problem(M, N, K); }});
  };
  for (const Layer layer : {Layer{4096, 4096}, Layer{11008, 4096}, Layer{28672, 8192}}) {
    for (const int M : {1, 8, 16, 32, 64, 512, 1024, 4096}) add(M, layer.N, layer.K);
  }
  add(8192, 8192, 8192);
  return ladder;
}

}  // namespace qlab::gpu
