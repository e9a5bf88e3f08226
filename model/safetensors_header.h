// SPDX-License-Identifier: Apache-2.0
/// \file
/// safetensors_header: the JSON header of a .safetensors file against the bytes it describes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "model/safetensors.h"

namespace qlab {

/// The tensors of a whole file in memory. Every entry lies inside `file_bytes`.
/// \param file  named in messages, not opened
/// \throws InputError
std::map<std::string, TensorEntry> parse_safetensors(std::span<const std::byte> file_bytes,
                                                     const std::filesystem::path& file);

}  // namespace qlab
