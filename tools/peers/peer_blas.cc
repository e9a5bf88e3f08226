// SPDX-License-Identifier: Apache-2.0
/// \file
/// OpenBLAS (FP32) and oneDNN (FP32, BF16, INT8), as distributions package them.
#include <algorithm>
#include <memory>

#include "peers/peer.h"

#if QLAB_OPENBLAS
#include <cblas.h>
#endif
#if QLAB_ONEDNN
#include <omp.h>
#include <dnnl.hpp>
#endif

namespace qlab::peers {

std::string built_with() {
  std::string names = QLAB_OPENBLAS ? "OpenBLAS" : "";
  if (QLAB_ONEDNN) names += names.empty() ? "oneDNN" : ", oneDNN";
  return names;
}

#if QLAB_OPENBLAS
void add_openblas(std::vector<Peer>& peers, const Problem& problem, Operation operation) {
  if (operation != Operation::kFloat) return;
  const Problem& p = problem;
  auto y = std::make_shared<std::vector<float>>(p.xs.size() * p.ws.size());
  const auto run = [&p, y] {
    openblas_set_num_threads(p.threads);
    if (p.M == 1) {
      cblas_sgemv(CblasRowMajor, CblasNoTrans, p.N, p.K, 1, p.w.data(), p.K, p.x.data(), 1, 0,
                  y->data(), 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p.M, p.N, p.K, 1, p.x.data(), p.K,
                  p.w.data(), p.K, 0, y->data(), p.N);
    }
  };
  peers.push_back(
      {.name = "OpenBLAS f32",
       .format = "f32",
       .bytes = 4.0 * p.N * p.K,
       .run = run,
       .check = [&p, y] { check_product(p, Reference::kFloat, y->data(), 1e-4, "OpenBLAS f32"); }});
}
#else
void add_openblas(std::vector<Peer>&, const Problem&, Operation) {}
#endif

#if QLAB_ONEDNN
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

/// A product of one type: weights are brought into oneDNN's own order first, which is not timed.
struct Matmul {
  Matmul(const Problem& problem, Type x_type, Type w_type, const void* x, const void* w)
      : p(problem), y(p.xs.size() * p.ws.size()) {
    omp_set_num_threads(p.threads);
    const dnnl::memory::desc x_shape({p.M, p.K}, x_type, Tag::ab);
    const dnnl::memory::desc w_shape({p.K, p.N}, w_type, Tag::any);
    const dnnl::memory::desc y_shape({p.M, p.N}, Type::f32, Tag::ab);
    dnnl::primitive_attr scales;  // per column; the caller's scale of a row is a pass over y
    if (w_type == Type::s8) scales.set_output_scales(1 << 1, p.ws);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x_shape, w_shape, y_shape),
                                                   scales, engine);
    dnnl::memory rows({{p.K, p.N}, w_type, Tag::ba}, engine, const_cast<void*>(w));
    packed = dnnl::memory(description.weights_desc(), engine);
    dnnl::reorder(rows, packed).execute(stream, rows, packed);
    stream.wait();
    in = dnnl::memory(x_shape, engine, const_cast<void*>(x));
    out = dnnl::memory(y_shape, engine, y.data());
    primitive = dnnl::matmul(description);
  }
  void run() {
    omp_set_num_threads(p.threads);
    primitive.execute(stream,
                      {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, out}});
    stream.wait();
  }

  const Problem& p;
  std::vector<float> y;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::memory packed, in, out;
  dnnl::matmul primitive;
};

void add(std::vector<Peer>& peers, const Problem& p, const char* name, const char* format,
         Type type, const void* x, const void* w, double bytes, Reference reference) {
  auto product = std::make_shared<Matmul>(p, type, type, x, w);
  const bool int8 = reference == Reference::kInt8;
  const auto check = [&p, product, reference, int8, name] {
    std::vector<float> y = product->y;
    for (std::size_t i = 0; int8 && i < y.size(); ++i) y[i] *= p.xs[i / p.ws.size()];
    check_product(p, reference, y.data(), int8 ? 1e-5 : 1e-4, name);
  };
  peers.push_back({.name = name,
                   .format = format,
                   .bytes = bytes * p.N * p.K,
                   .products = int8 ? Products::kInt8 : Products::kFloat,
                   .run = [product] { product->run(); },
                   .check = check});
}

}  // namespace

void add_onednn(std::vector<Peer>& peers, const Problem& p, Operation operation) {
  if (operation == Operation::kFloat) {
    add(peers, p, "oneDNN f32", "f32", Type::f32, p.x.data(), p.w.data(), 4, Reference::kFloat);
    add(peers, p, "oneDNN bf16", "bf16", Type::bf16, p.xb.data(), p.wb.data(), 2, Reference::kBf16);
  } else if (operation == Operation::kInt8) {
    add(peers, p, "oneDNN s8s8", "w8a8", Type::s8, p.xq.data(), p.wq.data(), 1, Reference::kInt8);
  }
}
#else
void add_onednn(std::vector<Peer>&, const Problem&, Operation) {}
#endif

}  // namespace qlab::peers
