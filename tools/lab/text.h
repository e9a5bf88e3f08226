// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text for a terminal: columns, wrapped paragraphs, files read whole, a time for a file's name.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// Columns that UTF-8 text takes; the lab prints no wide characters.
std::size_t columns(std::string_view text);

/// `text` and blanks up to `width` columns; longer text is cut and ends with "…".
std::string padded(std::string_view text, std::size_t width);

/// A paragraph in lines of at most `width` columns, each begun with `indent`. A word that is longer
/// than a line keeps a line of its own: nothing is cut.
std::string wrapped(std::string_view text, std::size_t width, std::string_view indent);

/// What a file holds, or nothing when it cannot be read.
std::optional<std::string> read_text(const std::filesystem::path& path);

std::vector<std::string> lines_of(std::string_view text);

/// 16 hexadecimal digits that change with the text.
std::string fingerprint(std::string_view text);

/// Now, as 2026-01-31T10-15-02: in order as text, and fit for a file's name.
std::string time_stamp();

}  // namespace qlab
