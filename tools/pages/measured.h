// SPDX-License-Identifier: Apache-2.0
/// \file
/// Measured: what stands in plan/measured, by words that a page or a picture can use.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// Where a number comes from, for the list at the end of a page.
struct Origin {
  std::string file;     ///< "xeon_2threads"
  std::string machine;  ///< "Intel(R) Xeon(R) Processor, 2 threads" or "NVIDIA H200"
  std::string date;     ///< "2026-11-26"
  std::string command;  ///< what measures it again
};

/// A number is written as
///
///     C18                                         of claim C18, on the reference machine
///     C18.low                                     the lower end of its interval
///     quality[config=int8].bits_per_byte.value    anything in plan/measured/xeon_2threads.json
///     h200_lab03 table[operation=w4a16_gemv_warp,path=exercise,N=8192,K=28672].of_read_bandwidth
///     A / B                                       of two such numbers
///
/// `[key=value,…]` picks the one element of a list that has them all, a star in a value standing for
/// any text, `[3]` the fourth; a comma before a blank belongs to its value.
class Measured {
 public:
  /// Reads all JSON files of `folder`. \throws InputError naming the one that is none.
  explicit Measured(const std::filesystem::path& folder);

  /// \throws InputError saying what is wrong with `what`: no such file or key, no element or several.
  double number(std::string_view what) const;

  const std::filesystem::path& folder() const { return folder_; }

  /// The value at `path` of `file`, whatever it is.
  const nlohmann::json& at(std::string_view file, std::string_view path) const;

  /// As text. `how` is one of
  ///
  ///     0  0.0  0.00 …       decimals
  ///     %  0.0 %             a share in percent
  ///     1/0.0  -0.0          the inverse: how many times as fast; the opposite: how much less
  ///     1-%                  what is missing to 1, in percent
  ///     us ms s GB/s TB/s GFLOP/s TFLOP/s KiB MiB GiB TiB    with decimals before it: "0.0 ms"
  ///
  /// Without decimals, three significant digits. \throws InputError for another one.
  std::string text(std::string_view what, std::string_view how) const;

  /// The files that `what` reads, each once.
  std::vector<Origin> origins(std::string_view what) const;

 private:
  std::filesystem::path folder_;
  std::map<std::string, nlohmann::json, std::less<>> files_;
};

}  // namespace qlab
