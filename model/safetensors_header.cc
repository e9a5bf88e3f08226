// SPDX-License-Identifier: Apache-2.0
/// \file
/// safetensors_header: nothing in the header is believed before it is compared with the file.
#include "model/safetensors_header.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/strict_json.h"

namespace qlab {
namespace {

using Json = nlohmann::json;
using Path = std::filesystem::path;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the reference implementation's limit

struct Dtype {
  std::string_view name;
  std::int64_t bytes;
};
constexpr Dtype kDtypes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
    {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
    {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8},
};

std::string_view header_text(std::span<const std::byte> bytes, const Path& file) {
  if (bytes.size() < kLengthBytes) {
    fail_input(file, "the file has ", bytes.size(),
               " bytes, a safetensors file at least 8; it is truncated, get it again");
  }
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {  // little-endian on any machine
    length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  if (length > kLongestHeader) {
    fail_input(file, "the header claims ", length, " bytes, the format allows ", kLongestHeader,
               "; this is no safetensors file");
  }
  if (length > bytes.size() - kLengthBytes) {
    fail_input(file, "the header claims ", length, " bytes, but ", bytes.size() - kLengthBytes,
               " follow; the file is truncated, get it again");
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + kLengthBytes;
  if (length == 0 || text[0] != '{') {
    fail_input(file, "the header does not begin with {; this is no safetensors file");
  }
  return {text, static_cast<std::size_t>(length)};
}

/// A JSON number that is an integer in 0 … 2⁶³ - 1.
std::optional<std::int64_t> natural(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  if (number > INT64_MAX) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

/// The list of naturals under a key.
std::vector<std::int64_t> naturals(const Json& entry, const char* key, const std::string& name,
                                   const Path& file) {
  const auto list = entry.find(key);
  std::vector<std::int64_t> numbers;
  if (list != entry.end() && list->is_array()) {
    for (const Json& value : *list) {
      const auto number = natural(value);
      if (!number) break;
      numbers.push_back(*number);
    }
    if (numbers.size() == list->size()) return numbers;
  }
  fail_input(file, "tensor ", printable(name), ": ", key,
             " is no list of integers from 0; the file is damaged, get it again");
}

std::int64_t dtype_bytes(const Json& entry, const std::string& name, const Path& file) {
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) {
    fail_input(file, "tensor ", printable(name), ": dtype is missing or no string");
  }
  const auto& text = dtype->get_ref<const std::string&>();
  const auto* known = std::ranges::find(kDtypes, text, &Dtype::name);
  if (known == std::end(kDtypes)) {
    fail_input(file, "tensor ", printable(name), ": dtype ", printable(text),
               " is unknown; save the checkpoint as F16, BF16 or F32");
  }
  return known->bytes;
}

TensorEntry parse_entry(const Json& entry, const std::string& name, std::span<const std::byte> data,
                        const Path& file) {
  if (!entry.is_object()) {
    fail_input(file, "tensor ", printable(name), " is a ", entry.type_name(),
               ", expected an object with dtype, shape and data_offsets");
  }
  std::int64_t size = dtype_bytes(entry, name, file);
  const std::vector<std::int64_t> shape = naturals(entry, "shape", name, file);
  for (const std::int64_t side : shape) {
    if (__builtin_mul_overflow(size, side, &size)) {
      fail_input(file, "tensor ", printable(name), ": shape ", entry["shape"].dump(),
                 " has more bytes than 63 bits can count; the file is damaged or hostile");
    }
  }
  const std::vector<std::int64_t> offsets = naturals(entry, "data_offsets", name, file);
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    fail_input(file, "tensor ", printable(name), ": data_offsets ", entry["data_offsets"].dump(),
               ", expected [begin, end] with begin ≤ end");
  }
  if (offsets[1] > std::ssize(data)) {
    fail_input(file, "tensor ", printable(name), " ends at byte ", offsets[1],
               " of the data, but the file holds ", data.size(), "; it is truncated, get it again");
  }
  if (offsets[1] - offsets[0] != size) {
    fail_input(file, "tensor ", printable(name), ": data_offsets span ", offsets[1] - offsets[0],
               " bytes, its shape and dtype need ", size, "; the file is damaged, get it again");
  }
  return {entry["dtype"].get<std::string>(), shape,
          data.subspan(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(size))};
}

void check_metadata(const Json& metadata, const Path& file) {
  if (!metadata.is_object() ||
      !std::ranges::all_of(metadata, [](const Json& value) { return value.is_string(); })) {
    fail_input(file, "__metadata__ is no object of strings; the file is damaged, get it again");
  }
}

/// Sorted by where they begin, each tensor begins where the one before ended.
void check_tiling(const std::map<std::string, TensorEntry>& tensors,
                  std::span<const std::byte> data, const Path& file) {
  using Place = std::pair<std::span<const std::byte>, const std::string*>;
  std::vector<Place> places;
  places.reserve(tensors.size());
  for (const auto& [name, entry] : tensors) places.emplace_back(entry.bytes, &name);
  const auto ends = [](const Place& place) {  // an empty tensor stands before the one it touches
    return std::pair(place.first.data(), place.first.data() + place.first.size());
  };
  std::ranges::sort(places, {}, ends);

  const std::byte* end = data.data();
  for (const auto& [bytes, name] : places) {
    if (bytes.data() != end) {
      fail_input(file, "tensor ", printable(*name), " begins at byte ", bytes.data() - data.data(),
                 " of the data, expected ", end - data.data(), ", where the one before ends (",
                 bytes.data() < end ? "they overlap" : "there is a hole",
                 "); the file is damaged or hostile");
    }
    end = bytes.data() + bytes.size();
  }
  if (end != data.data() + data.size()) {
    fail_input(file, "the last tensor ends at byte ", end - data.data(),
               " of the data, the file at ", data.size(), "; it is damaged, get it again");
  }
}

}  // namespace

std::map<std::string, TensorEntry> parse_safetensors(std::span<const std::byte> file_bytes,
                                                     const std::filesystem::path& file) {
  const std::string_view text = header_text(file_bytes, file);
  const std::span<const std::byte> data = file_bytes.subspan(kLengthBytes + text.size());
  const Json header = parse_json_object(text, file);

  std::map<std::string, TensorEntry> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      check_metadata(entry, file);
    } else {
      tensors.emplace(name, parse_entry(entry, name, data, file));
    }
  }
  check_tiling(tensors, data, file);
  return tensors;
}

}  // namespace qlab
