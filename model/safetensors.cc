// SPDX-License-Identifier: Apache-2.0
/// \file
/// SafetensorsFile: maps the file, has its header judged, and widens tensors on the way out.
#include "model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "common/formats.h"
#include "model/safetensors_header.h"

namespace qlab {
namespace {

/// Closes at the end of the scope; the mapping outlives it.
struct Descriptor {
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  int number;
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t side : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(side);
  }
  return text + "]";
}

/// Tensors may begin at any byte, so each value is copied out before it is looked at.
template <class T>
void widen(const std::byte* bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    if constexpr (std::is_same_v<T, float>) {
      out[i] = value;
    } else {
      out[i] = to_float(value);
    }
  }
}

}  // namespace

void SafetensorsFile::Unmap::operator()(const std::byte* bytes) const {
  ::munmap(const_cast<std::byte*>(bytes), size);
}

SafetensorsFile::SafetensorsFile(std::filesystem::path file)
    : path_(std::move(file)), bytes_(nullptr, Unmap{0}) {
  map();
  tensors_ = parse_safetensors({bytes_.get(), bytes_.get_deleter().size}, path_);
}

void SafetensorsFile::map() {
  // Without O_NONBLOCK a named pipe in place of the file would wait for a writer.
  const Descriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat about {};
  if (file.number < 0 || ::fstat(file.number, &about) != 0) {
    fail_input(path_, "cannot be opened: ", std::strerror(errno));
  }
  if (!S_ISREG(about.st_mode)) fail_input(path_, "not a file; expected a safetensors file");
  const auto size = static_cast<std::size_t>(about.st_size);
  if (size == 0) fail_input(path_, "the file is empty; it is truncated, get it again");
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (bytes == MAP_FAILED) fail_input(path_, "cannot be mapped: ", std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(bytes), Unmap{size}};
}

const TensorEntry& SafetensorsFile::usable(const std::string& name,
                                           const std::vector<std::int64_t>& shape) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    fail_input(path_, "tensor ", printable(name),
               " is missing; the config asks for it, so the two do not belong together");
  }
  const TensorEntry& entry = found->second;
  if (entry.shape != shape) {
    fail_input(path_, "tensor ", printable(name), " has shape ", shape_text(entry.shape),
               ", the config asks for ", shape_text(shape), "; the two do not belong together");
  }
  if (entry.dtype != "F16" && entry.dtype != "BF16" && entry.dtype != "F32") {
    fail_input(path_, "tensor ", printable(name), " is ", entry.dtype,
               ", expected F16, BF16 or F32; use a checkpoint that is not quantized");
  }
  return entry;
}

void SafetensorsFile::read(const std::string& name, const std::vector<std::int64_t>& shape,
                           std::span<float> out) const {
  const TensorEntry& entry = usable(name, shape);
  if (entry.dtype == "F16") {
    widen<half_t>(entry.bytes.data(), out);
  } else if (entry.dtype == "BF16") {
    widen<bf16_t>(entry.bytes.data(), out);
  } else {
    widen<float>(entry.bytes.data(), out);
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!std::isfinite(out[i])) {
      fail_input(path_, "tensor ", printable(name), ": value ", i, " is ", out[i],
                 ", expected a finite number; the checkpoint is damaged");
    }
  }
}

std::vector<float> SafetensorsFile::read_vector(const std::string& name, std::int64_t size) const {
  usable(name, {size});  // before memory is asked for: the size is a claim of the config
  std::vector<float> out(static_cast<std::size_t>(size));
  read(name, {size}, out);
  return out;
}

Matrix<float> SafetensorsFile::read_matrix(const std::string& name, std::int64_t rows,
                                           std::int64_t cols) const {
  usable(name, {rows, cols});
  Matrix<float> out(rows, cols);
  read(name, {rows, cols}, {out.data(), static_cast<std::size_t>(rows * cols)});
  return out;
}

}  // namespace qlab
