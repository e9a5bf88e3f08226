// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tests of toy_sound.
#include "99_toy/toy_sound.h"

#include "support/exercise.h"

namespace qlab::test {
namespace {

TEST(Toy, DoublesThree) {
  const auto got = static_cast<float>(exercise::toy_sound(3));
  const double expected = 6;
  judge({.name = "3"}, {&got, 1, 1, 1}, {&expected, 1, 1, 1}, exactly());
}

}  // namespace
}  // namespace qlab::test
