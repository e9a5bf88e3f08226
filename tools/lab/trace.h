// SPDX-License-Identifier: Apache-2.0
/// \file
/// A trace: requests and when they come, as lines of a file.
#pragma once

#include <filesystem>
#include <istream>
#include <string>
#include <vector>

#include "05_serving/scheduler.h"

namespace qlab {

/// Lines "arrival_seconds,prompt_tokens,output_tokens"; empty ones, and what is behind a '#', do not
/// count, nor does a first line of these three names. Arrivals are at least 0 and never fall. A
/// request's id is the number of its line.
/// \param name  what messages call the file
/// \throws InputError  naming file and line: fields that are missing, too many or no numbers, a time
///                     that is negative or earlier than the one before, tokens under 1; a trace
///                     without requests
std::vector<ServeRequest> read_trace(std::istream& text, const std::string& name);
std::vector<ServeRequest> read_trace(const std::filesystem::path& file);

}  // namespace qlab
