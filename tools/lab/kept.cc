// SPDX-License-Identifier: Apache-2.0
/// \file
/// Keeps copies; their names are in the order of their times.
#include "lab/kept.h"

#include <fmt/format.h>

#include <system_error>

#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace fs = std::filesystem;

std::string keep(const Places& places, const Exercise& exercise) {
  const fs::path folder = places.root / ".lab" / "kept";
  std::error_code failed;
  fs::create_directories(folder, failed);
  const std::string stem = exercise.id + "." + time_stamp();
  for (int nth = 1; !failed; ++nth) {
    // '_' comes after '.': a second copy within a second is newer by its name, too.
    const std::string more = nth == 1 ? "" : fmt::format("_{:03}", nth);
    const fs::path copy = folder / (stem + more + exercise.extension);
    if (fs::exists(copy)) continue;
    fs::copy_file(places.root / exercise.lab_file(), copy, failed);
    if (!failed) return kept_name(places, copy);
    std::error_code ignored;
    fs::remove(copy, ignored);  // a part of a copy would later pass for one
  }
  throw InputError(
      fmt::format("no copy of {} can be written to .lab/kept ({}); nothing was changed",
                  exercise.lab_file(), failed.message()));
}

fs::path newest_kept(const Places& places, const Exercise& exercise) {
  fs::path newest;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(places.root / ".lab" / "kept", none)) {
    const std::string name = entry.path().filename();
    const bool ours = name.starts_with(exercise.id + ".") && name.ends_with(exercise.extension);
    if (ours && name > newest.filename().string()) newest = entry.path();
  }
  return newest;
}

std::string kept_name(const Places& places, const fs::path& copy) {
  return copy.lexically_relative(places.root).string();
}

}  // namespace qlab
