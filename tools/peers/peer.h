// SPDX-License-Identifier: Apache-2.0
/// \file
/// Peer: one library's way of computing a problem; and where peers come from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/peaks.h"
#include "peers/problem.h"

namespace qlab::peers {

/// One library's way of computing a problem, ready to be timed.
struct Peer {
  std::string name;
  bool ours = false;
  std::string format;  ///< what it multiplies: "f16", "w8a8", …; peers of a problem may differ
  double bytes = 0;    ///< of weights, or of K and V, that one call reads
  Products products = Products::kFloat;
  std::function<void()> run;
  std::function<void()> check;  ///< of the last run. \throws WrongOutput
};

/// The operations that are compared.
enum class Operation { kFloat, kInt8, kInt4 };

/// OpenBLAS, where the program was built with it.
void add_openblas(std::vector<Peer>& peers, const Problem& problem, Operation operation);
/// oneDNN, the same.
void add_onednn(std::vector<Peer>& peers, const Problem& problem, Operation operation);
/// ggml, once load_ggml has found it.
void add_ggml(std::vector<Peer>& peers, const Problem& problem, Operation operation);
/// ggml's attention over a cache of 16, 8 and 4 bits.
void add_ggml_attention(std::vector<Peer>& peers, const Attention& problem);
/// Loads libggml-base.so and a libggml-cpu*.so of a folder. \throws InputError naming what is missing.
void load_ggml(const std::string& folder);

/// A library that exports functions of peer_abi.h. \throws InputError when it cannot be loaded.
void load_library(const std::string& file, bool ours);
/// What the loaded libraries offer.
void add_libraries(std::vector<Peer>& peers, const Problem& problem, Operation operation);
/// The same for attention.
void add_library_attention(std::vector<Peer>& peers, const Attention& problem);

/// "OpenBLAS, oneDNN": what the program was built with.
std::string built_with();

}  // namespace qlab::peers
