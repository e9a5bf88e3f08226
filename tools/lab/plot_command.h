// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab plot`: pictures of calibration, of packings, and of what a cache of few bits forgets.
#pragma once

#include <filesystem>
#include <string>

#include "lab/terminal.h"

namespace qlab {

struct PlotOptions {
  std::string layer = "model.layers.0.self_attn.qkv_proj";
  std::filesystem::path model;  ///< empty: the lab's own model
  std::filesystem::path out;    ///< a folder; empty: plots/ of the build
  int threads = 1;
  bool packing = false;  ///< the word orders of 4-bit checkpoints instead of a layer
  bool recall = false;   ///< recall against the bits of the cache instead of a layer
  bool force = false;    ///< replace pictures that are in `out`
};

/// Writes SVG files and prints where they are.
/// \throws InputError for a layer that the model does not have, a folder that cannot be written, or a
///         picture that is there (without force; those in the build are ours to replace).
int run_plot(const PlotOptions& options, const Terminal& terminal);

}  // namespace qlab
