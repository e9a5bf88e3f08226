// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a program that did not reach its end died of, in a sentence.
#pragma once

#include <string>
#include <string_view>

namespace qlab {

/// The report of a sanitizer in `output`: "heap-buffer-overflow: read of 2 bytes at labs/…/op.cc:41,
/// just past the end of 24 bytes". Empty when there is none.
std::string sanitizer_text(std::string_view output, std::string_view lab_file);

/// A signal in words, with what the program said last: an exception that nobody caught, an assert.
std::string signal_text(int signal, std::string_view output, std::string_view lab_file);

/// The test that had begun last and not ended, as Suite.Test; empty when none had.
std::string begun_test(std::string_view output);

}  // namespace qlab
