// SPDX-License-Identifier: Apache-2.0
/// \file
/// Libraries that export functions of peer_abi.h: the lab's own, and any that a reader brings.
#include <dlfcn.h>
#include <fmt/core.h>

#include <memory>

#include "model/input_error.h"
#include "peers/peer.h"
#include "peers/peer_abi.h"

namespace qlab::peers {
namespace {

struct Library {
  void* handle;
  std::string name;
  bool ours;

  template <class Function>
  Function* find(const char* symbol) const {
    return reinterpret_cast<Function*>(dlsym(handle, symbol));
  }
  std::string label(const char* operation) const {
    const auto path = find<decltype(qlab_peer_path)>("qlab_peer_path");
    return fmt::format("{} {}{}{}", name, operation, path == nullptr ? "" : " ",
                       path == nullptr ? "" : path(operation));
  }
  /// What was packed, freed by the library that packed it.
  std::shared_ptr<void> own(void* packed) const {
    const auto free = find<decltype(qlab_peer_free)>("qlab_peer_free");
    return {packed, [free](void* p) {
              if (free != nullptr && p != nullptr) free(p);
            }};
  }
};

std::vector<Library>& libraries() {
  static std::vector<Library> all;
  return all;
}

/// One operation of one library: pack_name and run_name are its two functions.
struct Entry {
  const char* operation;
  const char* format;
  double bytes;  // of W
  Products products;
  Reference reference;
  double tolerance;
};

template <class Call>
void add(std::vector<Peer>& peers, const Library& library, const Problem& p, const Entry& entry,
         void* packed, Call call) {
  if (packed == nullptr) return;
  auto y = std::make_shared<std::vector<float>>(p.xs.size() * p.ws.size());
  auto owned = library.own(packed);
  const std::string name = library.label(entry.operation);
  peers.push_back(
      {.name = name,
       .ours = library.ours,
       .format = entry.format,
       .bytes = entry.bytes,
       .products = entry.products,
       .run = [=] { call(owned.get(), y->data()); },
       .check = [=, &p] { check_product(p, entry.reference, y->data(), entry.tolerance, name); }});
}

void add_float(std::vector<Peer>& peers, const Library& l, const Problem& p) {
  const double bytes = 2.0 * p.N * p.K;
  const auto f16_pack = l.find<decltype(qlab_f16_pack)>("qlab_f16_pack");
  const auto f16 = l.find<decltype(qlab_f16_gemm)>("qlab_f16_gemm");
  if (f16_pack != nullptr && f16 != nullptr) {
    add(peers, l, p, {"f16", "f16", bytes, Products::kFloat, Reference::kFp16, 2e-3},
        f16_pack(p.wh.data(), p.N, p.K),
        [=, &p](void* w, float* y) { f16(w, p.xh.data(), y, p.M, p.threads); });
  }
  const auto bf16_pack = l.find<decltype(qlab_bf16_pack)>("qlab_bf16_pack");
  const auto bf16 = l.find<decltype(qlab_bf16_gemm)>("qlab_bf16_gemm");
  if (bf16_pack != nullptr && bf16 != nullptr) {
    add(peers, l, p, {"bf16", "bf16", bytes, Products::kFloat, Reference::kBf16, 2e-3},
        bf16_pack(p.wb.data(), p.N, p.K),
        [=, &p](void* w, float* y) { bf16(w, p.xb.data(), y, p.M, p.threads); });
  }
}

void add_int8(std::vector<Peer>& peers, const Library& l, const Problem& p) {
  const auto pack = l.find<decltype(qlab_w8a8_pack)>("qlab_w8a8_pack");
  const auto run = l.find<decltype(qlab_w8a8_gemm)>("qlab_w8a8_gemm");
  if (pack == nullptr || run == nullptr) return;
  const double bytes = 1.0 * p.N * p.K;
  add(peers, l, p, {"w8a8", "w8a8", bytes, Products::kInt8, Reference::kInt8, 1e-5},
      pack(p.wq.data(), p.ws.data(), p.N, p.K),
      [=, &p](void* w, float* y) { run(w, p.xq.data(), p.xs.data(), y, p.M, p.threads); });
}

void add_int4(std::vector<Peer>& peers, const Library& l, const Problem& p) {
  const double bytes = (0.5 + 3.0 / Problem::kGroup) * p.N * p.K;
  const auto a8_pack = l.find<decltype(qlab_w4a8_pack)>("qlab_w4a8_pack");
  const auto a8 = l.find<decltype(qlab_w4a8_gemm)>("qlab_w4a8_gemm");
  if (a8_pack != nullptr && a8 != nullptr) {
    add(peers, l, p, {"w4a8", "w4a8", bytes, Products::kInt8, Reference::kInt4, 0.012},
        a8_pack(p.codes.data(), p.w4s.data(), nullptr, p.N, p.K, Problem::kGroup),
        [=, &p](void* w, float* y) { a8(w, p.x.data(), y, p.M, p.threads); });
  }
  const auto a16_pack = l.find<decltype(qlab_w4a16_pack)>("qlab_w4a16_pack");
  const auto a16 = l.find<decltype(qlab_w4a16_gemm)>("qlab_w4a16_gemm");
  if (a16_pack != nullptr && a16 != nullptr) {
    add(peers, l, p, {"w4a16", "w4a16", bytes, Products::kFloat, Reference::kInt4, 4e-3},
        a16_pack(p.codes.data(), p.w4s.data(), nullptr, p.N, p.K, Problem::kGroup),
        [=, &p](void* w, float* y) { a16(w, p.xh.data(), y, p.M, p.threads); });
  }
}

}  // namespace

void load_library(const std::string& file, bool ours) {
  void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw InputError(fmt::format("{}: cannot be loaded: {}", file, dlerror()));
  Library library{handle, file.substr(file.rfind('/') + 1), ours};
  const auto abi = library.find<decltype(qlab_peer_abi)>("qlab_peer_abi");
  if (abi == nullptr || abi() != QLAB_PEER_ABI) {
    throw InputError(fmt::format("{}: does not export qlab_peer_abi() = {}; see peer_abi.h", file,
                                 QLAB_PEER_ABI));
  }
  const auto name = library.find<decltype(qlab_peer_name)>("qlab_peer_name");
  if (name != nullptr) library.name = name();
  libraries().push_back(library);
}

void add_libraries(std::vector<Peer>& peers, const Problem& problem, Operation operation) {
  for (const Library& library : libraries()) {
    if (operation == Operation::kFloat) add_float(peers, library, problem);
    if (operation == Operation::kInt8) add_int8(peers, library, problem);
    if (operation == Operation::kInt4) add_int4(peers, library, problem);
  }
}

void add_library_attention(std::vector<Peer>& peers, const Attention& p) {
  for (const Library& l : libraries()) {
    const auto pack = l.find<decltype(qlab_attn_pack)>("qlab_attn_pack");
    const auto run = l.find<decltype(qlab_attn_decode)>("qlab_attn_decode");
    if (pack == nullptr || run == nullptr) continue;
    for (const int bits : {16, 8, 4}) {
      void* const packed = pack(bits, p.k.data(), p.v.data(), p.context, p.kv_heads, p.head_dim);
      if (packed == nullptr) continue;
      auto owned = l.own(packed);
      auto out = std::make_shared<std::vector<float>>(p.q.size());
      const std::string name = fmt::format("{}, KV of {} bits", l.label("attn"), bits);
      const double tolerance = bits == 16 ? 5e-3 : bits == 8 ? 0.03 : 0.35;
      peers.push_back(
          {.name = name,
           .ours = l.ours,
           .format = fmt::format("kv{}", bits),
           .bytes = static_cast<double>(2 * p.k.size()) * bits / 8,
           .run = [=, &p] { run(owned.get(), p.q.data(), out->data(), p.heads, p.threads); },
           .check = [=, &p] { check_attention(p, out->data(), tolerance, name); }});
    }
  }
}

}  // namespace qlab::peers
