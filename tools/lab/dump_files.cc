// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads and compares dumps.
#include "lab/dump_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>

namespace qlab {
namespace fs = std::filesystem;
namespace {

bool within(double one, double other, double allowed) {
  if (std::isnan(one) || std::isnan(other)) return std::isnan(one) && std::isnan(other);
  return one == other || std::abs(one - other) <= allowed;  // inf - inf is NaN
}

bool read_doubles(std::ifstream& file, std::size_t count, std::vector<double>& values) {
  values.resize(count);
  const auto bytes = static_cast<std::streamsize>(count * sizeof(double));
  return static_cast<bool>(file.read(reinterpret_cast<char*>(values.data()), bytes));
}

}  // namespace

bool Dump::is_wrong() const {
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!within(got[i], expected[i], allowed[i])) return true;
  }
  return false;
}

std::optional<Dump> read_dump(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  Dump dump;
  const auto read = [&](std::int64_t& value) {
    return static_cast<bool>(file.read(reinterpret_cast<char*>(&value), sizeof value));
  };
  if (error || !read(dump.rows) || !read(dump.cols)) return std::nullopt;
  // Before anything is allocated: a damaged file could say any shape.
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  if (dump.rows < 0 || dump.cols < 0 || dump.rows > kMost || dump.cols > kMost) return std::nullopt;
  const auto count =
      static_cast<std::uintmax_t>(dump.rows) * static_cast<std::uintmax_t>(dump.cols);
  if (count > size || size != 2 * sizeof(std::int64_t) + 3 * sizeof(double) * count) {
    return std::nullopt;
  }
  if (!read_doubles(file, count, dump.got) || !read_doubles(file, count, dump.expected) ||
      !read_doubles(file, count, dump.allowed)) {
    return std::nullopt;
  }
  return dump;
}

std::vector<Dump> dumps_of_test(const fs::path& folder, std::string_view test) {
  std::string name(test);
  std::ranges::replace(name, '/', '_');
  std::vector<Dump> dumps;
  for (int ordinal = 0;; ++ordinal) {
    auto dump = read_dump(folder / fmt::format("{}.{}.dump", name, ordinal));
    if (!dump) return dumps;
    dumps.push_back(*std::move(dump));
  }
}

bool same_output(const Dump& one, const Dump& other) {
  if (one.rows != other.rows || one.cols != other.cols) return false;
  for (std::size_t i = 0; i < one.got.size(); ++i) {
    if (!within(one.got[i], other.got[i], std::min(one.allowed[i], other.allowed[i]))) return false;
  }
  return true;
}

bool same_bits(const Dump& one, const Dump& other) {
  const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
  return one.rows == other.rows && one.cols == other.cols &&
         std::ranges::equal(one.got, other.got, {}, bits, bits);
}

}  // namespace qlab
