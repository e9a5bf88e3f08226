// SPDX-License-Identifier: Apache-2.0
/// \file
/// ggml through its C interface, loaded at run time from a folder of prebuilt shared libraries, as Python
/// wheels and npm packages ship them. The declarations are our own; ggml is never built here.
#include <dlfcn.h>
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <map>
#include <type_traits>

#include "model/input_error.h"
#include "peers/peer.h"

namespace qlab::peers {
namespace {

using Handle = void*;

struct InitParameters {
  std::size_t memory;
  void* buffer;
  bool no_alloc;
};

/// ggml's numbers of the types that are compared.
enum Type { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8, kQ4_K = 12, kBF16 = 30 };

/// How ggml's own workers wait: `poll` is how long they spin before they sleep.
struct PoolParameters {
  bool cpus[512];
  int threads, priority;
  std::uint32_t poll;
  bool strict, paused;
};

struct Ggml {
  Handle (*init)(InitParameters);
  Handle (*new_tensor_2d)(Handle, int, std::int64_t, std::int64_t);
  Handle (*new_tensor_3d)(Handle, int, std::int64_t, std::int64_t, std::int64_t);
  Handle (*mul_mat)(Handle, Handle, Handle);
  Handle (*flash)(Handle, Handle, Handle, Handle, Handle, float, float, float);
  Handle (*new_graph)(Handle);
  void (*expand)(Handle, Handle);
  Handle (*alloc)(Handle, Handle);
  Handle (*alloc_from)(Handle, Handle);
  void (*set)(Handle, const void*, std::size_t, std::size_t);
  void (*get)(Handle, void*, std::size_t, std::size_t);
  int (*compute)(Handle, Handle);
  std::size_t (*quantize)(int, const float*, void*, std::int64_t, std::int64_t, std::int64_t,
                          const float*);
  void (*quantize_init)(int);
  std::size_t (*row_size)(int, std::int64_t);
  Handle (*cpu_init)();
  void (*cpu_threads)(Handle, int);
  void (*pool_parameters)(PoolParameters*, int);
  Handle (*new_pool)(PoolParameters*);
  void (*cpu_pool)(Handle, Handle);
  Handle (*cpu_registry)();
  Handle (*device)(Handle, std::size_t);
  Handle (*procedure)(Handle, const char*);
  bool (*supports)(Handle, Handle);
  const char* (*buffer_name)(Handle);
  bool loaded = false;
};
Ggml ggml;

Handle backend_for(int threads) {
  static std::map<int, Handle> backends;
  Handle& backend = backends[threads];
  if (backend == nullptr) {
    backend = ggml.cpu_init();
    ggml.cpu_threads(backend, threads);
    PoolParameters parameters = {};
    ggml.pool_parameters(&parameters, threads);
    parameters.poll = 0;  // spinning after a call they would take the next library's core
    ggml.cpu_pool(backend, ggml.new_pool(&parameters));
  }
  return backend;
}

/// Where weights lie in the order that ggml's fastest kernels read; null when there is none.
Handle repacked_buffers() {
  const auto extra = reinterpret_cast<Handle* (*)(Handle)>(
      ggml.procedure(ggml.cpu_registry(), "ggml_backend_dev_get_extra_bufts"));
  if (extra == nullptr) return nullptr;
  for (Handle* type = extra(ggml.device(ggml.cpu_registry(), 0)); type && *type; ++type) {
    if (std::strstr(ggml.buffer_name(*type), "REPACK") != nullptr) return *type;
  }
  return nullptr;
}

Handle context() { return ggml.init({std::size_t{1} << 20, nullptr, true}); }

std::vector<char> quantized(int type, const std::vector<float>& x, std::int64_t rows,
                            std::int64_t width) {
  std::vector<char> bytes(ggml.row_size(type, width) * static_cast<std::size_t>(rows));
  ggml.quantize_init(type);
  ggml.quantize(type, x.data(), bytes.data(), 0, rows, width, nullptr);
  return bytes;
}

struct Kind {
  int type;
  bool repacked;
  const char* name;
  const char* format;
  double tolerance;  // of the format itself: each library rounds weights in its own way
};

void add_product(std::vector<Peer>& peers, const Problem& p, const Kind& kind) {
  const Handle buffers = kind.repacked ? repacked_buffers() : nullptr;
  if (kind.repacked && buffers == nullptr) return;
  const Handle backend = backend_for(p.threads), weights = context(), rest = context();
  const Handle w = ggml.new_tensor_2d(weights, kind.type, p.K, p.N);
  if (kind.repacked ? ggml.alloc_from(weights, buffers) == nullptr
                    : ggml.alloc(weights, backend) == nullptr) {
    return;
  }
  const Handle x = ggml.new_tensor_2d(rest, kF32, p.K, p.M);
  const Handle y = ggml.mul_mat(rest, w, x);
  if (kind.repacked && !ggml.supports(ggml.device(ggml.cpu_registry(), 0), y)) return;
  const Handle graph = ggml.new_graph(rest);
  ggml.expand(graph, y);
  ggml.alloc(rest, backend);
  const std::vector<char> bytes = quantized(kind.type, p.w, p.N, p.K);
  ggml.set(w, bytes.data(), 0, bytes.size());
  ggml.set(x, p.x.data(), 0, p.x.size() * sizeof(float));
  const bool floats = kind.type == kF16 || kind.type == kBF16;
  peers.push_back({.name = kind.name,
                   .format = kind.format,
                   .bytes = static_cast<double>(bytes.size()),
                   .products = floats ? Products::kFloat : Products::kInt8,
                   .run = [=] { ggml.compute(backend, graph); },
                   .check =
                       [=, &p] {
                         std::vector<float> out(p.xs.size() * p.ws.size());
                         ggml.get(y, out.data(), 0, out.size() * sizeof(float));
                         check_product(p, Reference::kFloat, out.data(), kind.tolerance, kind.name);
                       }});
}

/// The newest of a folder's CPU libraries that runs here.
Handle best_cpu_library(const std::string& folder) {
  Handle best = nullptr;
  int best_score = 0;
  for (const char* kind :
       {"", "-x64", "-sse42", "-sandybridge", "-haswell", "-skylakex", "-cannonlake",
        "-cascadelake", "-icelake", "-cooperlake", "-zen4", "-alderlake", "-sapphirerapids"}) {
    const std::string file = fmt::format("{}/libggml-cpu{}.so", folder, kind);
    const Handle library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) continue;
    const auto score = reinterpret_cast<int (*)()>(dlsym(library, "ggml_backend_score"));
    const int points = score == nullptr ? 1 : score();
    if (points > best_score) best = library, best_score = points;
  }
  return best;
}

}  // namespace

void load_ggml(const std::string& folder) {
  const Handle base = dlopen((folder + "/libggml-base.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (base == nullptr)
    throw InputError(fmt::format("{}: no libggml-base.so: {}", folder, dlerror()));
  const Handle cpu = best_cpu_library(folder);
  if (cpu == nullptr) throw InputError(folder + ": no libggml-cpu*.so that runs here");
  const auto find = [&folder](auto& function, Handle library, const char* symbol) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, symbol));
    if (function == nullptr) throw InputError(fmt::format("{}: ggml has no {}", folder, symbol));
  };
  find(ggml.init, base, "ggml_init");
  find(ggml.new_tensor_2d, base, "ggml_new_tensor_2d");
  find(ggml.new_tensor_3d, base, "ggml_new_tensor_3d");
  find(ggml.mul_mat, base, "ggml_mul_mat");
  find(ggml.flash, base, "ggml_flash_attn_ext");
  find(ggml.new_graph, base, "ggml_new_graph");
  find(ggml.expand, base, "ggml_build_forward_expand");
  find(ggml.alloc, base, "ggml_backend_alloc_ctx_tensors");
  find(ggml.alloc_from, base, "ggml_backend_alloc_ctx_tensors_from_buft");
  find(ggml.set, base, "ggml_backend_tensor_set");
  find(ggml.get, base, "ggml_backend_tensor_get");
  find(ggml.compute, base, "ggml_backend_graph_compute");
  find(ggml.quantize, base, "ggml_quantize_chunk");
  find(ggml.quantize_init, base, "ggml_quantize_init");
  find(ggml.row_size, base, "ggml_row_size");
  find(ggml.device, base, "ggml_backend_reg_dev_get");
  find(ggml.procedure, base, "ggml_backend_reg_get_proc_address");
  find(ggml.supports, base, "ggml_backend_dev_supports_op");
  find(ggml.buffer_name, base, "ggml_backend_buft_name");
  find(ggml.cpu_init, cpu, "ggml_backend_cpu_init");
  find(ggml.cpu_threads, cpu, "ggml_backend_cpu_set_n_threads");
  find(ggml.pool_parameters, base, "ggml_threadpool_params_init");
  find(ggml.new_pool, cpu, "ggml_threadpool_new");
  find(ggml.cpu_pool, cpu, "ggml_backend_cpu_set_threadpool");
  find(ggml.cpu_registry, cpu, "ggml_backend_cpu_reg");
  ggml.loaded = true;
}

void add_ggml(std::vector<Peer>& peers, const Problem& problem, Operation operation) {
  if (!ggml.loaded) return;
  const auto add = [&](const Kind& kind) { add_product(peers, problem, kind); };
  if (operation == Operation::kFloat) {
    add({kF16, false, "ggml F16", "f16", 2e-3});
    add({kBF16, false, "ggml BF16", "bf16", 1e-2});
  } else if (operation == Operation::kInt8) {
    add({kQ8_0, false, "ggml Q8_0", "w8a8", 0.02});
    add({kQ8_0, true, "ggml Q8_0 repacked", "w8a8", 0.02});
  } else {
    add({kQ4_0, false, "ggml Q4_0", "w4", 0.15});
    add({kQ4_0, true, "ggml Q4_0 repacked", "w4", 0.15});
    add({kQ4_K, true, "ggml Q4_K repacked", "w4", 0.15});
  }
}

void add_ggml_attention(std::vector<Peer>& peers, const Attention& p) {
  if (!ggml.loaded) return;
  for (const Kind& kind : {Kind{kF16, false, "ggml flash, F16", "kv16", 0.03},
                           Kind{kQ8_0, false, "ggml flash, Q8_0", "kv8", 0.03},
                           Kind{kQ4_0, false, "ggml flash, Q4_0", "kv4", 0.35}}) {
    const Handle backend = backend_for(p.threads), all = context();
    const Handle q = ggml.new_tensor_3d(all, kF32, p.head_dim, 1, p.heads);
    const Handle k = ggml.new_tensor_3d(all, kind.type, p.head_dim, p.context, p.kv_heads);
    const Handle v = ggml.new_tensor_3d(all, kind.type, p.head_dim, p.context, p.kv_heads);
    const float scale = 1 / std::sqrt(static_cast<float>(p.head_dim));
    const Handle out = ggml.flash(all, q, k, v, nullptr, scale, 0, 0);
    const Handle graph = ggml.new_graph(all);
    ggml.expand(graph, out);
    ggml.alloc(all, backend);
    const std::int64_t rows = std::int64_t{p.context} * p.kv_heads;
    const std::vector<char> keys = quantized(kind.type, p.k, rows, p.head_dim);
    const std::vector<char> values = quantized(kind.type, p.v, rows, p.head_dim);
    ggml.set(k, keys.data(), 0, keys.size());
    ggml.set(v, values.data(), 0, values.size());
    ggml.set(q, p.q.data(), 0, p.q.size() * sizeof(float));
    peers.push_back({.name = kind.name,
                     .format = kind.format,
                     .bytes = static_cast<double>(keys.size() + values.size()),
                     .run = [=] { ggml.compute(backend, graph); },
                     .check =
                         [=, &p] {
                           std::vector<float> y(p.q.size());
                           ggml.get(out, y.data(), 0, y.size() * sizeof(float));
                           check_attention(p, y.data(), kind.tolerance, kind.name);
                         }});
  }
}

}  // namespace qlab::peers
