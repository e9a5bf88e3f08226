// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where in the learner's file a compiler, a sanitizer or an exception points.
#pragma once

#include <string>
#include <string_view>

namespace qlab {

/// The first place in `lab_file` that `text` names, from the root on: "labs/…/op.cc:27:62". Empty
/// when it names none.
std::string learners_place(std::string_view text, std::string_view lab_file);

}  // namespace qlab
