// SPDX-License-Identifier: Apache-2.0
/// \file
/// strict_json: JSON out of untrusted files, without the liberties that a parser takes.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace qlab {

/// Parses one JSON object. Refuses what two readers could read differently: a key that stands twice,
/// a NUL, text behind the object; and more than 64 levels of brackets, since walking a tree recurses.
/// \param file  named in messages, not opened
/// \throws InputError
nlohmann::json parse_json_object(std::string_view text, const std::filesystem::path& file);

/// Reads a file of at most 64 MB and parses it.
/// \throws InputError also when the file is missing, not a file, or larger.
nlohmann::json read_json_object(const std::filesystem::path& file);

}  // namespace qlab
